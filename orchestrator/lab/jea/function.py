"""The functions that a role file defines, as far as the lab can run one: parameters, then pipelines of commands.

A function's body is not bound by what the session shows (Microsoft Learn, JEA role capabilities, "Creating custom
functions"), so only its own parameters hold anything back. Parameters: about_Functions_Advanced_Parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.lab.command import Command, LabError
from orchestrator.lab.estate import refusals
from orchestrator.lab.jea.commands import COMMON
from orchestrator.lab.jea.datafile import DataFileInvalid, ScriptBlock
from orchestrator.lab.jea.validation import Validation, by_function, invalid

_PARAM = re.compile(r"\s*(?P<advanced>\[CmdletBinding\(\)\])?\s*param\s*\(", re.IGNORECASE)
_PIECE = re.compile(
    r"\s*(?:(?P<end>\))|(?P<comma>,)|\$(?P<name>\w+)|\[(?P<mandatory>Parameter\(Mandatory\))\]|\[(?P<type>string)\]"
    r"|\[(?P<validation>ValidateSet|ValidatePattern)\((?P<values>'(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*)\)\])",
    re.IGNORECASE,
)
_WORD = re.compile(
    r"[ \t]*(?:(?P<pipe>\|)\s*|(?P<end>[;\n]\s*)|(?P<option>-[A-Za-z]+)|\$(?P<variable>\w+)"
    r"|'(?P<text>(?:[^']|'')*)'|(?P<bare>[^\s|;$'{}()\[\]&`\"-][^\s|;$'{}()\[\]&`\"]*))"
)


@dataclass(frozen=True)
class _Parameter:
    name: str
    mandatory: bool
    validation: Validation


@dataclass(frozen=True)
class _Argument:
    """A word of a command: an option, a value, or the value of one of the function's parameters."""

    text: str
    kind: str


@dataclass(frozen=True)
class Function:
    """A function that can be called."""

    name: str
    parameters: Mapping[str, _Parameter]
    pipelines: tuple[tuple[tuple[_Argument, ...], ...], ...]

    @classmethod
    def define(cls, name: str, body: ScriptBlock, file: str) -> Function:
        """Read a function's body.

        Raises:
            DataFileInvalid: it is more than parameters and plain pipelines.
        """
        opening = _PARAM.match(body.text)
        if opening is None:
            raise DataFileInvalid(file, body.line, f"{name}: the lab runs a body that begins with param(...)")
        parameters, at = _parameters(body, opening.end(), file)
        return cls(name, parameters, tuple(_pipelines(body, at, file)))

    def called(self, command: Command) -> tuple[tuple[Command, ...], ...] | LabError:
        """Return the statements that a call of the function runs, or why it is not called."""
        given = {}
        for shown, value in command.parameters.items():
            parameter = self.parameters.get(shown.lower())
            if parameter is None and shown.lower() not in COMMON:
                return by_function(refusals.unknown_parameter(self.name, shown))
            if parameter is not None:
                why = parameter.validation.objection(value)
                if why is not None:
                    return invalid(self.name, parameter.name, why)
                given[shown.lower()] = value
        for name, parameter in self.parameters.items():
            if parameter.mandatory and name not in given:
                return by_function(refusals.missing_parameter(self.name, parameter.name))
        return tuple(tuple(_command(words, given) for words in pipeline) for pipeline in self.pipelines)


def _parameters(body: ScriptBlock, at: int, file: str) -> tuple[dict[str, _Parameter], int]:
    found: dict[str, _Parameter] = {}
    mandatory, validation = False, Validation()
    awaited = True
    while piece := _PIECE.match(body.text, at):
        at = piece.end()
        if piece["end"] or piece["comma"]:
            if awaited and not (piece["end"] and not found):
                break
            if piece["end"]:
                return found, at
            mandatory, validation, awaited = False, Validation(), True
        elif not awaited:
            break
        elif piece["name"]:
            found[piece["name"].lower()] = _Parameter(piece["name"], mandatory, validation)
            awaited = False
        elif piece["mandatory"]:
            mandatory = True
        elif piece["validation"]:
            validation = _validation(piece, body, file)
    raise DataFileInvalid(file, _line(body, at), "the lab does not read this parameter block")


def _validation(piece: re.Match[str], body: ScriptBlock, file: str) -> Validation:
    values = [text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", piece["values"])]
    if piece["validation"].lower() == "validateset":
        return Validation(choices=tuple(values))
    return Validation.matching(values[0], file, _line(body, piece.start()))


def _pipelines(body: ScriptBlock, at: int, file: str) -> Iterator[tuple[tuple[_Argument, ...], ...]]:
    text = body.text.rstrip() + "\n"
    at += len(text[at:]) - len(text[at:].lstrip())
    commands: list[tuple[_Argument, ...]] = []
    words: list[_Argument] = []
    while at < len(text):
        word = _WORD.match(text, at)
        if word is None or (not words and word.lastgroup not in {"bare", "end"}):
            raise DataFileInvalid(file, _line(body, at), "the lab runs plain pipelines of commands, and this is none")
        at = word.end()
        if word.lastgroup in {"pipe", "end"}:
            if words:
                commands.append(tuple(words))
            words = []
            if word.lastgroup == "end" and commands:
                yield tuple(commands)
                commands = []
        else:
            kind = str(word.lastgroup)
            words.append(_Argument(word[kind].replace("''", "'") if kind == "text" else word[kind], kind))
    if words or commands:
        raise DataFileInvalid(file, body.line, "the function ends inside a pipeline")


def _command(words: tuple[_Argument, ...], given: Mapping[str, object]) -> Command:
    """Return one command of the body with the caller's values in place."""
    bound: dict[str, object] = {}
    option = ""
    for word in words[1:]:
        if word.kind == "option":
            option = word.text[1:]
            bound[option] = True
            continue
        value = given.get(word.text.lower()) if word.kind == "variable" else word.text
        bound[option or str(len(bound))] = value
        option = ""
    return Command(_known_as(words[0].text), bound)


def _known_as(name: str) -> str:
    r"""Return a command without its module, a program without its path and ending."""
    last = name.rpartition("\\")[2]
    return last[:-4] if last.lower().endswith(".exe") else last


def _line(body: ScriptBlock, at: int) -> int:
    return body.line + body.text.count("\n", 0, at)
