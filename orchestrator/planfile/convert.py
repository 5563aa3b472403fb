"""Nodes -> plain values, by what the schema wants in each place, never by what YAML 1.1 would guess.

A value that cannot be read is a problem and leaves :data:`BROKEN` behind, so that everything else is still read
and checked in the same run.
"""

from __future__ import annotations

import re
from typing import Any, Final

from orchestrator.planfile.keys import asks_for_deletion, names_secret, nearest, unknown_key_hint
from orchestrator.planfile.problem import Loc, Problem, Problems, path_of, shown
from orchestrator.planfile.schema import Form, Items, Keys, Leaf, Shape
from orchestrator.planfile.traps import as_boolean, guess
from orchestrator.planfile.tree import Mapping, Missing, Node, Scalar, Sequence


class _Broken:
    """Stands for a value that could not be read; equal to nothing else, valid nowhere."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Final = _Broken()
LONGEST = 65_536
"""Characters in one text."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")  # what JSON carries exactly (RFC 8785, section 3.2.2.3)
_TOO_LONG = re.compile(r"-?[1-9][0-9]{15,}")
_SEXAGESIMAL = re.compile(r"([0-9]{1,9}):([0-9]{1,9})(?::([0-9]{1,9}))?")
# Control characters but for tab and line feed, and those that make a terminal show text in another order.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ESCAPES = r"between double quotes YAML reads \N, \e and the like as control characters; use single quotes"
_SAFETY = "original accounts are never deleted, and no plan can ask for it"
_SAFETY_HINT = "take it out; a completed account stays, disabled, and is the way back"


class Converter:
    """Reads one tree. Afterwards it knows what was wrong with it.

    ``broken`` is where :data:`BROKEN` stands; ``lost`` is that and every place that an unknown key may have been
    meant for; ``hidden`` are the lines that may show a secret, and from which column on.
    """

    def __init__(self, problems: Problems | None = None) -> None:
        self.problems = Problems() if problems is None else problems
        self.broken: set[Loc] = set()
        self.lost: set[Loc] = set()
        self.hidden: dict[int, int] = {}

    def read(self, node: Node, shape: Shape, loc: Loc = ()) -> Any:
        """Return the value of a node as the schema wants it, or :data:`BROKEN`."""
        if isinstance(node, Missing):
            return self._lose(loc)
        if isinstance(shape, Keys):
            return self._keys(node, shape, loc)
        if isinstance(shape, Leaf):
            if isinstance(node, Scalar):
                return self._leaf(node, shape, loc)
            if shape.form is Form.SECRET:
                self._hide(node, "")
            return self._wrong(node, shape.form.value, loc)
        if isinstance(shape, Items):
            if not isinstance(node, Sequence):
                hint = f"write [{shown(node.text)}]" if isinstance(node, Scalar) and node.text else ""
                return self._wrong(node, "a list", loc, hint)
            return [self.read(item, shape.item, (*loc, index)) for index, item in enumerate(node.items)]
        if not isinstance(node, Mapping):
            return self._wrong(node, "keys with values", loc)
        return {name: self.read(value, shape.value, (*loc, name)) for name, (_, value) in node.entries.items()}

    def _keys(self, node: Node, shape: Keys, loc: Loc) -> Any:
        if isinstance(node, Scalar) and shape.shorthand:
            return self._leaf(node, shape.shorthand, loc)
        if not isinstance(node, Mapping):
            return self._wrong(node, "keys with values", loc, f"the keys here are {', '.join(shape.fields)}")
        read = {}
        for name, (key, value) in node.entries.items():
            wanted = shape.fields.get(name)
            if wanted is None:
                self._unknown(key, value, shape, (*loc, name), node)
            else:
                read[name] = self.read(value, wanted, (*loc, name))
        return read

    def _unknown(self, key: Scalar, value: Node, shape: Keys, loc: Loc, among: Mapping) -> None:
        self.lost.add(loc)
        if names_secret(key.text):
            self._hide(value, value.text if isinstance(value, Scalar) else "")
        if self.problems.full:
            self.problems.skipped += 1
            return
        if asks_for_deletion(key.text):
            self._deletion(key, loc)
        else:
            known = tuple(shape.fields)
            meant = nearest(key.text, known)
            if meant and meant not in among.entries:
                self.lost.add((*loc[:-1], meant))  # so that its absence is not reported as well
            message = f"unknown key {shown(key.text) or '(empty)'}"
            self._report(key, loc, "unknown-key", message, unknown_key_hint(key.text, known))
        self._search_deletion(value, loc)

    def _search_deletion(self, node: Node, loc: Loc) -> None:
        """Report deletion-like keys below an unknown one: the safety rule speaks wherever it is touched."""
        waiting: list[tuple[Node, Loc]] = [(node, loc)]
        seen: set[int] = set()
        while waiting:
            node, loc = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Sequence):
                waiting += [(item, (*loc, index)) for index, item in enumerate(node.items)]
            elif isinstance(node, Mapping):
                for name, (key, value) in node.entries.items():
                    waiting.append((value, (*loc, name)))
                    if asks_for_deletion(name):
                        self._deletion(key, (*loc, name))

    def _leaf(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if leaf.form is Form.SECRET:
            if not node.text.startswith("${"):
                self._hide(node, node.text)
            return node.text
        if len(node.text) > LONGEST:
            found = f"{len(node.text):,} characters"
            return self._wrong_scalar(node, leaf, loc, found, f"write at most {LONGEST:,}", "too-long")
        if node.plain and guess(node.text) == "nothing":
            found = "nothing" if not node.text else f"{node.text}, which YAML reads as nothing"
            return self._wrong_scalar(node, leaf, loc, found, "give a value, or leave the key out")
        if leaf.choices:
            return node.text if node.text in leaf.choices else self._not_a_choice(node, leaf.choices, loc)
        return _READERS[leaf.form](self, node, leaf, loc)

    def _text(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if control := _CONTROL.search(node.text):
            found = f"{shown(node.text)}, which holds the control character U+{ord(control[0]):04X}"
            escaped = not node.plain and control[0] <= "\xff"
            # The C parser refuses half a pair of surrogates as syntax, the Python one lets it through to here.
            id_ = "syntax" if "\ud800" <= control[0] <= "\udfff" else "control-character"
            return self._wrong_scalar(node, leaf, loc, found, _ESCAPES if escaped else "take it out", id_)
        meaning = guess(node.text) if node.plain else None
        if meaning is None:
            return node.text
        found = f"{shown(node.text)}, which YAML reads as {meaning}"
        return self._wrong_scalar(node, leaf, loc, found, f'quote it: "{shown(node.text)}"', "text")

    def _number(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if node.plain and _INTEGER.fullmatch(node.text):
            return int(node.text)
        if not node.plain:
            hint = f"write {node.text} without quotes" if _INTEGER.fullmatch(node.text) else ""
            return self._wrong_scalar(node, leaf, loc, f'the text "{shown(node.text)}"', hint, "number")
        meaning = guess(node.text)
        found = shown(node.text) + (f", which YAML reads as {meaning}" if meaning not in (None, "a number") else "")
        digits = node.text.lstrip("0")
        hint = f"write {digits}" if meaning and _INTEGER.fullmatch(digits) else ""
        if _TOO_LONG.fullmatch(node.text):
            hint = "a number has at most 15 digits"
        return self._wrong_scalar(node, leaf, loc, found, hint, "number")

    def _flag(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        value = as_boolean(node.text)
        if node.plain and value is not None:
            return value
        hint = f"write {str(value).lower()} without quotes" if value is not None else ""
        found = shown(node.text) if node.plain else f'the text "{shown(node.text)}"'
        return self._wrong_scalar(node, leaf, loc, found, hint, "flag")

    def _duration(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if not (node.plain and ":" in node.text and guess(node.text)):
            return node.text
        found = f"{shown(node.text)}, which YAML reads as {guess(node.text)}"
        hint = ""
        if sexagesimal := _SEXAGESIMAL.fullmatch(node.text):
            parts = [int(part) for part in sexagesimal.groups() if part is not None]
            units = "ms" if len(parts) == 2 else "hms"
            hint = "write " + "".join(f"{part}{unit}" for part, unit in zip(parts, units, strict=True))
        return self._wrong_scalar(node, leaf, loc, found, hint, "duration")

    def _date(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if _DATE.fullmatch(node.text):
            return node.text
        return self._wrong_scalar(node, leaf, loc, shown(node.text), "", "date")

    def _time(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if not node.plain:
            return node.text
        meaning = guess(node.text)
        found = shown(node.text) + (f", which YAML reads as {meaning}" if meaning else " without quotes")
        return self._wrong_scalar(node, leaf, loc, found, f'write "{shown(node.text)}"', "time-of-day")

    def _allowance(self, node: Scalar, leaf: Leaf, loc: Loc) -> Any:
        if node.plain and _INTEGER.fullmatch(node.text):
            return int(node.text)
        if node.plain:
            meaning = guess(node.text)
            found = shown(node.text) + (f", which YAML reads as {meaning}" if meaning else " without quotes")
            hint = f'write "{shown(node.text)}"' if node.text.endswith("%") else ""
            if _TOO_LONG.fullmatch(node.text):
                hint = "a number has at most 15 digits"
            return self._wrong_scalar(node, leaf, loc, found, hint, "allowance")
        return node.text

    def _not_a_choice(self, node: Scalar, choices: tuple[str, ...], loc: Loc) -> Any:
        if asks_for_deletion(node.text):
            self._deletion(node, loc)
            return self._lose(loc)
        meaning = guess(node.text) if node.plain else None
        found = shown(node.text) + (f", which YAML reads as {meaning}" if meaning else "")
        expected = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
        guessed = nearest(node.text, choices)
        self._report(node, loc, "choice", f"expected {expected}, found {found}", f"write {guessed}" if guessed else "")
        return self._lose(loc)

    def _deletion(self, at: Scalar, loc: Loc) -> None:
        self._report(at, loc, "deletion", f"{shown(at.text)} asks for deletion: {_SAFETY}", _SAFETY_HINT)

    def _wrong(self, node: Node, expected: str, loc: Loc, hint: str = "") -> Any:
        found = {Sequence: "a list", Mapping: "keys with values"}.get(type(node), "")
        if isinstance(node, Scalar):
            found = shown(node.text) or ("nothing" if node.plain else "empty text")
            if node.plain and not node.text:
                hint = "write [] or {} for none, or leave the key out"
        self._report(node, loc, "kind", f"expected {expected}, found {found}", hint)
        return self._lose(loc)

    def _wrong_scalar(
        self, node: Scalar, leaf: Leaf, loc: Loc, found: str, hint: str = "", id_: str = "nothing"
    ) -> Any:
        self._report(node, loc, id_, f"expected {leaf.form.value}, found {found}", hint)
        return self._lose(loc)

    def _report(self, at: Node, loc: Loc, id_: str, message: str, hint: str) -> None:
        if self.problems.full:
            self.problems.skipped += 1
        else:
            self.problems.add(Problem(at.line, at.column, path_of(loc), message, hint, id_))

    def _lose(self, loc: Loc) -> Any:
        self.broken.add(loc)
        self.lost.add(loc)
        return BROKEN

    def _hide(self, node: Node, text: str) -> None:
        """Keep what may be a secret out of every excerpt."""
        self.hidden[node.line] = min(node.column, self.hidden.get(node.line, node.column))
        for line in range(node.line + 1, node.line + 1 + text.count("\n") + ("\n" in text)):
            self.hidden[line] = 1


_READERS: Final = {
    Form.TEXT: Converter._text,
    Form.NUMBER: Converter._number,
    Form.FLAG: Converter._flag,
    Form.DURATION: Converter._duration,
    Form.DATE: Converter._date,
    Form.TIME: Converter._time,
    Form.ALLOWANCE: Converter._allowance,
}
