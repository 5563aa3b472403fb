"""Security descriptors as text (SDDL, MS-DTYP 2.5.1): read into owner, group and entries, and written again.

Reading is strict: what the grammar of MS-DTYP 2.5.1.1 does not know raises :class:`SddlInvalid` with the place, and
nothing else is ever raised. A descriptor that was only half understood would answer a question about safety wrongly.

``read(write(x, domain), domain) == x`` for every descriptor, and ``write(read(text, domain), domain) == text`` for
every text in the form in which Windows writes it: rights as words in the order of their bits, or else as a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from orchestrator.model.security.words import (
    GENERIC,
    OF_OBJECTS,
    OTHER_WORDS,
    WITH_MORE,
    Inherit,
    Kind,
    Right,
    sid_of,
    word_for,
)

_REMEMBERED = 1024
"""How many texts are remembered: containers' are asked about by each migration anew."""


class SddlInvalid(ValueError):
    """The text is no security descriptor, or one with something that nobody here understands."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(f"{why} at character {at + 1}")
        self.at = at


@dataclass(frozen=True)
class Entry:
    """One access control entry.

    ``rights`` is the mask as it stands, generic rights unmapped. ``about`` is the GUID of the attribute, property set
    or class that the entry is about, ``inherited_by`` of the class that inherits it; None for all of them. ``more`` is
    the text of a condition or claim, with its parentheses.
    """

    kind: Kind
    flags: Inherit
    rights: int
    trustee: str
    about: str | None = None
    inherited_by: str | None = None
    more: str = ""

    @property
    def applies(self) -> bool:
        """Whether it says anything about the object on which it stands."""
        return not self.flags & Inherit.IO

    @property
    def inherited(self) -> bool:
        """Whether it came from a container above."""
        return bool(self.flags & Inherit.ID)

    @cached_property
    def mask(self) -> int:
        """The rights with the generic ones replaced by what they mean on directory objects."""
        mask = self.rights
        for generic, meant in GENERIC.items():
            if mask & generic:
                mask = mask & ~generic | meant
        return mask


Entries: TypeAlias = tuple[Entry, ...]


@dataclass(frozen=True)
class Acl:
    """A list of entries with its control words; ``entries`` is None where there is no list: nothing is controlled."""

    control: tuple[str, ...] = ()
    entries: Entries | None = ()


@dataclass(frozen=True)
class Security:
    """A security descriptor; what the text leaves out is None."""

    owner: str | None = None
    group: str | None = None
    dacl: Acl | None = None
    sacl: Acl | None = None


@lru_cache(_REMEMBERED)
def read(text: str, domain: str) -> Security:
    """Read a security descriptor.

    Args:
        text: SDDL.
        domain: the SID of the domain, for the words that mean somebody of it (``DA``).

    Raises:
        SddlInvalid: the text is none.
    """
    return _Reader(text, domain).security()


def write(security: Security, domain: str) -> str:
    """Write a security descriptor."""
    parts = []
    for letter, sid in (("O", security.owner), ("G", security.group)):
        if sid is not None:
            parts.append(f"{letter}:{word_for(sid, domain)}")
    for letter, acl in (("D", security.dacl), ("S", security.sacl)):
        if acl is not None:
            shown = [_NONE] if acl.entries is None else [write_entry(one, domain) for one in acl.entries]
            parts.append(f"{letter}:{''.join((*acl.control, *shown))}")
    return "".join(parts)


def write_entry(one: Entry, domain: str) -> str:
    """Write one entry, with its parentheses."""
    flags = "".join(str(flag.name) for flag in Inherit if one.flags & flag)
    fields = (
        one.kind.value,
        flags,
        _rights(one.rights),
        one.about or "",
        one.inherited_by or "",
        word_for(one.trustee, domain),
    )
    return f"({';'.join(fields)}{';' if one.more else ''}{one.more})"


def _rights(mask: int) -> str:
    words = [right for right in Right if mask & right]
    return "".join(str(right.name) for right in words) if sum(words) == mask else f"0x{mask:x}"


_NONE = "NO_ACCESS_CONTROL"
_CONTROL = re.compile(r"P|AR|AI|NO_ACCESS_CONTROL")
_KIND = re.compile("|".join(sorted(Kind, key=len, reverse=True)))
_FLAGS = re.compile("(?:" + "|".join(str(flag.name) for flag in Inherit) + ")*")
_MASK = re.compile(r"(?:0[xX](?P<hex>[0-9a-fA-F]{1,8})|(?P<number>0|[1-9][0-9]{0,10})|(?P<words>(?:[A-Z]{2})*))(?=;)")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|")
_SID = re.compile(r"S-1-(?P<authority>0x[0-9a-fA-F]{1,12}|[0-9]{1,15})(?P<rest>(?:-[0-9]{1,10}){1,15})(?![0-9-])")
_WORD = re.compile(r"[A-Z]{2}")
_SPACES = re.compile(r"[^()\"]*")
_QUOTED = re.compile(r'"[^"]*"')
_WORTH = {str(right.name): int(right) for right in Right} | dict(OTHER_WORDS)
_MOST = 2**32
_DEEPEST = 64


class _Reader:
    def __init__(self, text: str, domain: str) -> None:
        self._text, self._domain, self._at = text, domain, 0

    def security(self) -> Security:
        owner = self._sid() if self._skip("O:") else None
        group = self._sid() if self._skip("G:") else None
        dacl = self._acl() if self._skip("D:") else None
        sacl = self._acl() if self._skip("S:") else None
        if self._at < len(self._text):
            raise self._wrong("nothing more, or another part,")
        return Security(owner, group, dacl, sacl)

    def _wrong(self, wanted: str) -> SddlInvalid:
        return SddlInvalid(f"{wanted} was expected", self._at)

    def _skip(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _need(self, text: str) -> None:
        if not self._skip(text):
            raise self._wrong(text)

    def _take(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong(wanted)
        self._at = found.end()
        return found

    def _acl(self) -> Acl:
        control: list[str] = []
        while (found := _CONTROL.match(self._text, self._at)) is not None:
            self._at = found.end()
            if found[0] == _NONE:
                return Acl(tuple(control), None)
            control.append(found[0])
        entries: list[Entry] = []
        while self._skip("("):
            entries.append(self._one())
        return Acl(tuple(control), tuple(entries))

    def _one(self) -> Entry:
        kind = Kind(self._take(_KIND, "a kind of entry")[0])
        self._need(";")
        flags = self._take(_FLAGS, "flags")[0]
        self._need(";")
        rights = self._mask()
        self._need(";")
        about, inherited_by = (self._guid(kind) for _ in range(2))
        trustee = self._sid()
        more = self._more() if kind in WITH_MORE and self._skip(";") else ""
        self._need(")")
        inherit = Inherit(0)
        for start in range(0, len(flags), 2):
            inherit |= Inherit[flags[start : start + 2]]
        return Entry(kind, inherit, rights, trustee, about, inherited_by, more)

    def _mask(self) -> int:
        start = self._at
        found = self._take(_MASK, "rights")
        if found["words"] is None:
            mask = int(found["hex"], 16) if found["hex"] else int(found["number"])
            if mask >= _MOST:
                raise SddlInvalid("32 bits of rights", start)
            return mask
        mask = 0
        for at in range(0, len(found["words"]), 2):
            word = found["words"][at : at + 2]
            if word not in _WORTH:
                raise SddlInvalid(f"no right is called {word}:", start + at)
            mask |= _WORTH[word]
        return mask

    def _guid(self, kind: Kind) -> str | None:
        found = self._take(_GUID, "a GUID or nothing")[0].lower()
        if found and kind not in OF_OBJECTS:
            raise SddlInvalid(f"an entry of kind {kind} with a GUID", self._at)
        self._need(";")
        return found or None

    def _sid(self) -> str:
        start = self._at
        found = _SID.match(self._text, start)
        if found is not None:
            authority = int(found["authority"], 16 if found["authority"].startswith("0x") else 10)
            parts = [int(part) for part in found["rest"].split("-")[1:]]
            if authority >= 2**48 or any(part >= _MOST for part in parts):
                raise SddlInvalid("a SID with too large a number", start)
            self._at = found.end()
            return "-".join(("S-1", str(authority), *map(str, parts)))
        sid = sid_of(self._take(_WORD, "a SID")[0], self._domain)
        if sid is None:
            raise SddlInvalid("a word for somebody unknown", start)
        return sid

    def _more(self) -> str:
        """Take a text in parentheses to its end; in quotes a parenthesis is a character like others."""
        start, depth = self._at, 0
        while True:
            if self._skip("("):
                depth += 1
            elif depth and self._skip(")"):
                depth -= 1
                if not depth:
                    return self._text[start : self._at]
            elif depth and self._text.startswith('"', self._at):
                self._take(_QUOTED, "the end of a quotation")
            elif not depth or not self._take(_SPACES, "a condition")[0]:
                raise self._wrong("a condition in parentheses")
            if depth > _DEEPEST:
                raise SddlInvalid("a condition nested too deeply", self._at)
