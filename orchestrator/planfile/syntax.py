"""What YAML's parser complains about, in the words of somebody who writes plans."""

from __future__ import annotations

import re

import yaml

from orchestrator.planfile.problem import Problem

_TAB = re.compile(r" *\t")

# The parser's words (a piece of them, shared by the C parser and the Python one) -> ours, what to write, and
# whether the beginning of what was being read says more than the place where reading failed. The first that
# fits is taken.
_EXPLAINED: tuple[tuple[str, str, str, bool], ...] = (
    (
        "unknown escape character",
        "a backslash between double quotes begins an escape, and this is none",
        r"use single quotes: '\Reports\Nightly'",
        False,
    ),
    ("invalid Unicode character escape", "an escape that stands for no character", "write the character itself", False),
    ("mapping values are not allowed", "a colon where no key can be", "check indentation, or quote the text", False),
    ("could not find expected ':'", "a key without a colon", "a key is followed by a colon and a space", True),
    ("expected ',' or ']'", "the bracket is not closed", "close it with ]", True),
    ("expected ',' or '}'", "the brace is not closed", "close it with }", True),
    ("unexpected end of stream", "the quoted text is not closed", "close the quotes", True),
    ("expected key", "this belongs to nothing", "check indentation and quotes", False),
    ("expected <block end>", "this belongs to nothing", "check indentation and quotes", False),
    ("expected '-' indicator", "a list and a mapping are mixed", "begin each entry of the list with -", False),
    ("<document start>", "indented less than the document's first line", "check the indentation", False),
    ("alphabetic or numeric", "the name of an anchor or alias is missing", "quote the text", False),
    ("node content", "a value is missing", "give one, and close what is open", False),
    ("mapping keys are not allowed", "a ? where no key can be", "check indentation, or quote the text", False),
    ("entries are not allowed", "a - where no list can begin", "begin the list on a line of its own", False),
    ("unexpected ':'", "a colon where no key can be", "quote the text", False),
    ("whitespace or line break", "a space is missing", "separate what stands here by a space", False),
    ("comment or line break", "nothing may follow here", "begin the text on the next line", False),
    ("tag URI", "a tag has no meaning in a plan", "leave out the !, or quote the text", False),
    ("incompatible YAML document", "a plan is YAML 1.1", "leave out the %YAML line", False),
)


def explain(wrong: yaml.YAMLError, lines: list[str]) -> Problem:
    """Return the problem that stands behind a parser's error."""
    mark, said = getattr(wrong, "problem_mark", None), getattr(wrong, "problem", None) or str(wrong)
    line, column = _position(mark, lines)
    text = lines[line - 1]
    if tab := _TAB.match(text):
        return Problem(line, len(tab[0]), "", "a tab is used as indentation", "indent with spaces", "tab")
    if "cannot start any token" in said:
        character = text[column - 1 : column]
        if character == "\t":
            return Problem(line, column, "", "a tab stands where only spaces may", "write spaces", "tab")
        return Problem(line, column, "", f"a text cannot begin with {character}", "quote it", "syntax")
    for piece, message, hint, at_beginning in _EXPLAINED:
        if piece in said:
            begun = getattr(wrong, "context_mark", None) if at_beginning else None
            return Problem(*_position(begun or mark, lines), "", message, hint, "syntax")
    return Problem(line, column, "", said, "", "syntax")


def _position(mark: yaml.Mark | None, lines: list[str]) -> tuple[int, int]:
    if mark is None:
        return 1, 1
    if mark.line >= len(lines):  # the C parser counts a line for the end of a file that does not end with one
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, mark.column + 1
