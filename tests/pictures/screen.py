"""A terminal's screen: what a command wrote on it, read as a terminal reads it.

It knows what ``rich`` and this program write: letters, line ends, colours, cursor up and down, and erasing. Anything
else fails, so that no picture shows something that no terminal would.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PIECE = re.compile(
    r"\x1b\[(?P<args>[0-9;?]*)(?P<final>[A-Za-z])|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f]+)"
)


class Style(NamedTuple):
    """How letters look. Colours are numbers of the palette of 16, None where it is the terminal's own."""

    colour: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underlined: bool = False


PLAIN = Style()
Cell = tuple[str, Style]


class Screen:
    """Lines of cells, so many columns wide and as high as is needed; what is written is read piece by piece."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._lines: list[list[Cell]] = [[]]
        self._row = self._column = 0
        self._style = PLAIN
        self._rest = ""

    def write(self, written: str) -> None:
        """Take in what a command wrote; a sequence that is cut off is kept for the next time."""
        written, self._rest = self._rest + written, ""
        at = 0
        while at < len(written):
            piece = _PIECE.match(written, at)
            if piece is None:
                self._rest = written[at:]
                assert len(self._rest) < 16, f"a terminal would not know what to do with {self._rest[:16]!r}"
                return
            at = piece.end()
            if piece["text"]:
                self._letters(piece["text"])
            elif piece["control"]:
                self._control(piece["control"])
            else:
                self._sequence(piece["args"], piece["final"])

    @property
    def lines(self) -> list[list[Cell]]:
        """What stands there, without the empty end of lines and of the screen."""
        lines = [_trimmed(line) for line in self._lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self) -> str:
        """The letters alone."""
        return "\n".join("".join(letter for letter, _ in line) for line in self.lines)

    def _letters(self, text: str) -> None:
        for letter in text:
            if self._column == self._columns:
                self._column = 0
                self._down()
            line = self._lines[self._row]
            line += [(" ", PLAIN)] * (self._column + 1 - len(line))
            line[self._column] = (letter, self._style)
            self._column += 1

    def _control(self, control: str) -> None:
        if control == "\n":
            self._down()
        elif control == "\r":
            self._column = 0
        else:
            raise AssertionError(f"no terminal's picture for {control!r}")

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])

    def _sequence(self, args: str, final: str) -> None:
        if final == "m":
            self._style = styled(self._style, [int(one or 0) for one in args.split(";")])
        elif final == "A":
            self._row = max(0, self._row - int(args or 1))
        elif final == "B":
            for _ in range(int(args or 1)):
                self._down()
        elif final == "K":
            self._erase(int(args or 0))
        elif final == "J" and args in {"", "0"}:
            del self._lines[self._row][self._column :], self._lines[self._row + 1 :]
        else:
            assert args.startswith("?"), f"no terminal's picture for ESC[{args}{final}"  # cursor shown, cursor hidden

    def _erase(self, what: int) -> None:
        line = self._lines[self._row]
        if what == 2:
            line.clear()
        elif what == 0:
            del line[self._column :]
        else:
            raise AssertionError(f"no terminal's picture for ESC[{what}K")


def styled(style: Style, codes: list[int]) -> Style:
    """Return a style after codes of SGR (ECMA-48, 8.3.117)."""
    on = {1: "bold", 2: "dim", 3: "italic", 4: "underlined"}
    off = {22: ("bold", "dim"), 23: ("italic",), 24: ("underlined",), 39: ("colour",)}
    for code in codes:
        if code == 0:
            style = PLAIN
        elif code in on:
            style = style._replace(**{on[code]: True})
        elif code in off:
            style = style._replace(**{name: PLAIN._asdict()[name] for name in off[code]})
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = style._replace(colour=code - 30 if code < 90 else code - 82)
        else:
            raise AssertionError(f"no picture for the colour {codes}")
    return style


def _trimmed(line: list[Cell]) -> list[Cell]:
    end = len(line)
    while end and line[end - 1][0] == " ":
        end -= 1
    return line[:end]
