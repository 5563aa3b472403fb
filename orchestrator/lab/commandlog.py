"""The lines of a lab's record: written whole, read back, and turned into requests again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from orchestrator.lab.command import Command, LabObject, Request, Result
from orchestrator.lab.estate.cmdlets import is_write


def rows(request: Request, result: Result, seq: int, at: datetime) -> list[dict[str, object]]:
    """Return one line for each command of a request, numbered from *seq* + 1.

    ``part`` of ``parts`` says which belong together; the rest is what repeating the request takes.
    """
    commands = [(place, item) for place, statement in enumerate(request.statements) for item in statement]
    return [
        {
            "seq": seq + 1 + part,
            "at": at.isoformat(),
            "host": request.host,
            "shell": str(request.shell),
            "cmdlet": command.name,
            "parameters": {name: _encoded(value) for name, value in command.parameters.items()},
            "write": is_write(command.name),
            "outcome": _outcome(result),
            "error": result.failure.id if result.failure else None,
            "script": command.is_script,
            "principal": request.principal,
            "configuration": request.configuration,
            "pipeline": str(request.pipeline),
            "statement": place,
            "part": part,
            "parts": len(commands),
            "alone": request.alone,
            "delegated": request.delegated,
        }
        for part, (place, command) in enumerate(commands)
    ]


def append(file: int, lines: list[dict[str, object]]) -> None:
    """Hand lines to the operating system."""
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    while data:
        data = data[os.write(file, data) :]


def appender(path: Path) -> int:
    """Open a record for appending, cutting off a line that was never finished."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    file = os.open(path, flags, 0o600)
    keep = sum(len(line) for line in _complete(path))
    os.ftruncate(file, keep)
    return file


def _complete(path: Path) -> list[bytes]:
    """Return the finished lines of a record, without those of a pipeline whose last line is missing."""
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    while lines:
        last = json.loads(lines[-1])
        if last.get("part", 0) == last.get("parts", 1) - 1:
            break
        lines.pop()
    return lines


def read(path: Path) -> list[dict[str, Any]]:
    """Return the finished lines of a record."""
    return [json.loads(line) for line in _complete(path)]


def request(rows: list[dict[str, Any]]) -> Request:
    """Return the request that a pipeline's lines stand for."""
    first = rows[0]
    statements: dict[int, list[Command]] = {}
    for row in rows:
        parameters = {name: _decoded(value) for name, value in row["parameters"].items()}
        statements.setdefault(row["statement"], []).append(Command(row["cmdlet"], parameters, row["script"]))
    return Request(
        host=first["host"],
        shell=UUID(first["shell"]),
        pipeline=UUID(first["pipeline"]),
        principal=first.get("acting", first["principal"]),
        statements=tuple(tuple(items) for items in statements.values()),
        configuration=first["configuration"],
        alone=first["alone"],
        delegated=first.get("delegated", False),
    )


def _outcome(result: Result) -> str:
    if result.failure is None:
        return "succeeded"
    refused = result.failure.id in {"CommandNotFoundException", "ScriptsNotAllowed"}
    return "refused" if refused else "failed"


def _encoded(value: object) -> object:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return {"$time": value.isoformat()}
        case timedelta():
            return {"$seconds": value.total_seconds()}
        case UUID():
            return {"$guid": str(value)}
        case LabObject():
            return value.text
        case Mapping():
            return {str(key): _encoded(item) for key, item in value.items()}
        case list() | tuple():
            return [_encoded(item) for item in value]
        case _:
            return str(value)


def _decoded(value: Any) -> object:
    match value:
        case {"$time": str(text)}:
            return datetime.fromisoformat(text)
        case {"$seconds": seconds}:
            return timedelta(seconds=seconds)
        case {"$guid": str(text)}:
            return UUID(text)
        case dict():
            return {key: _decoded(item) for key, item in value.items()}
        case list():
            return [_decoded(item) for item in value]
        case _:
            return value
