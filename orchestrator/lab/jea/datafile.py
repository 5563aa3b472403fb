"""PowerShell data files, the literal part: hashtables, arrays, strings, numbers, ``$true`` and script blocks.

What a role capability and a session configuration consist of (Microsoft Learn, about_PowerShell_Data_Files and
about_Quoting_Rules). Nothing is evaluated: a variable, an operator or an expandable string with a ``$`` in it is an
error here, though PowerShell may allow it, and so is a key that stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class ScriptBlock:
    """The text between the braces of a script block, and the line on which it begins."""

    text: str
    line: int


@dataclass
class Table:
    """A hashtable; keys are found without regard to case. ``line`` is where it begins."""

    line: int
    entries: dict[str, Value] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> Value:
        """Return an entry, None if it is not there."""
        return self.entries.get(key.lower())


Value: TypeAlias = None | bool | int | str | ScriptBlock | Table | list["Value"]


class DataFileInvalid(ValueError):
    """A file that the lab cannot take: its name, the line, and why."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}:{line}: {why}")


_TOKEN = re.compile(
    r"(?P<space>[ \t]+|\#[^\n]*|<\#.*?\#>)|(?P<newline>\r?\n)"
    r"|(?P<table>@\{)|(?P<array>@\()|(?P<brace>\{)|(?P<sign>[})=,;])"
    r"|'(?P<single>(?:[^']|'')*)'|\"(?P<double>[^\"`$\n]*)\""
    r"|(?P<constant>\$(?:true|false|null)\b)|(?P<number>-?\d+\b)|(?P<word>[A-Za-z_]\w*)",
    re.DOTALL | re.IGNORECASE,
)
_CONSTANTS: dict[str, Value] = {"$true": True, "$false": False, "$null": None}
_IN_SCRIPT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"`]|`.)*\"|\#[^\n]*|[{}]", re.DOTALL)
_DEEPEST = 20


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str, file: str) -> Table:
    """Read the one hashtable that a data file is; *file* is what messages call it.

    Raises:
        DataFileInvalid: it is none, or holds what the literal part does not have.
    """
    reader = _Reader(text.lstrip("\ufeff"), file)
    reader.skip()
    found = reader.value(0)
    reader.skip()
    if not isinstance(found, Table):
        raise reader.wrong("a data file is one hashtable, @{ ... }")
    if reader.now.kind != "end":
        raise reader.wrong(f"nothing may follow the hashtable, and {reader.now.text!r} does")
    return found


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._line = 1
        self.now = _Token("", "", 1)
        self._advance()

    def wrong(self, why: str) -> DataFileInvalid:
        return DataFileInvalid(self._file, self.now.line, why)

    def _advance(self) -> None:
        while True:
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                rest = self._text[self._at :].partition("\n")[0]
                self.now = _Token("unknown" if rest else "end", rest, self._line)
                return
            line = self._line
            self._at = match.end()
            self._line += match[0].count("\n")
            kind = str(match.lastgroup)
            if kind != "space":
                self.now = _Token(kind, match[kind], line)
                return

    def skip(self, *signs: str) -> None:
        """Go past line ends, and past the signs given."""
        while self.now.kind == "newline" or (self.now.kind == "sign" and self.now.text in signs):
            self._advance()

    def _is(self, sign: str) -> bool:
        return self.now.kind == "sign" and self.now.text == sign

    def value(self, depth: int) -> Value:
        """Read a value; several, joined by commas, are a list."""
        items = [self._item(depth)]
        while self._is(","):
            self._advance()
            self.skip()
            items.append(self._item(depth))
        return items if len(items) > 1 else items[0]

    def _item(self, depth: int) -> Value:
        if depth > _DEEPEST:
            raise self.wrong("it is nested too deeply")
        token = self.now
        match token.kind:
            case "table":
                return self._table(depth)
            case "array":
                return self._array(depth)
            case "brace":
                return self._script()
            case "single" | "double" | "number" | "constant":
                self._advance()
                return _plain(token)
        raise self.wrong(f"expected a literal value, and found {token.text.strip() or 'the end of the line'!r}")

    def _table(self, depth: int) -> Table:
        table = Table(self.now.line)
        self._advance()
        for _ in self._until("}"):
            key = self.now
            if key.kind not in {"word", "single", "double"}:
                raise self.wrong(f"expected a key or }}, and found {key.text.strip()!r}")
            name = str(_plain(key))
            if name.lower() in table.entries:
                raise self.wrong(f"the key {name} stands twice")
            self._advance()
            if not self._is("="):
                raise self.wrong(f"expected = after {name}")
            self._advance()
            self.skip()
            table.entries[name.lower()] = self.value(depth + 1)
            table.names[name.lower()] = name
            self._separated("}")
        return table

    def _array(self, depth: int) -> list[Value]:
        self._advance()
        items: list[Value] = []
        for _ in self._until(")"):
            found = self.value(depth + 1)
            items += found if isinstance(found, list) else [found]
            self._separated(")")
        return items

    def _until(self, sign: str) -> Iterator[None]:
        """Yield for each element up to the closing sign, and go past that."""
        opened = self.now.line
        while True:
            self.skip(";")
            if self._is(sign):
                self._advance()
                return
            if self.now.kind == "end":
                raise self.wrong(f"the file ends inside what line {opened} opens")
            yield

    def _separated(self, closing: str) -> None:
        if not (self.now.kind in {"newline", "end"} or self._is(";") or self._is(closing)):
            raise self.wrong(f"expected a new line, ; or {closing}, and found {self.now.text.strip()!r}")

    def _script(self) -> ScriptBlock:
        """Take a script block as text: to its closing brace, past braces in strings and comments."""
        opened, begin, depth = self.now, self._at, 1
        for match in _IN_SCRIPT.finditer(self._text, begin):
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if depth == 0:
                self._line += self._text.count("\n", begin, match.end())
                self._at = match.end()
                self._advance()
                return ScriptBlock(self._text[begin : match.start()], opened.line)
        raise self.wrong("the script block has no end")


def _plain(token: _Token) -> Value:
    match token.kind:
        case "single":
            return token.text.replace("''", "'")
        case "number":
            return int(token.text)
        case "constant":
            return _CONSTANTS[token.text.lower()]
    return token.text
