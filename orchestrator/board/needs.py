"""What a person is needed for: everything of a status document that stands until somebody says or mends something.

Each with the exact command to give. The sentences are those of the status; here they are only brought together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.views.approvals import gate_lines, waiver_lines
from orchestrator.views.summary import advice, anew

Mark = Literal["FAILED", "HELD", "approve", "rolled back"]


@dataclass(frozen=True)
class Need:
    """One thing that waits for a person.

    ``about`` is a dMSA's name, or a wave's where ``migration`` is False. ``lines`` say what was found; ``todo`` is a
    sentence with the commands between backticks.
    """

    mark: Mark
    wave: str
    about: str
    migration: bool
    reason: str
    since: str | None
    lines: tuple[str, ...]
    todo: str
    names: tuple[str, ...]
    """The migrations that stand until then."""


def needed(document: Mapping[str, Any], command: str) -> tuple[Need, ...]:
    """Return what a person is needed for, what failed first.

    Args:
        document: the status document of a run.
        command: the plan (and journal) as a person would give them to the next command.
    """
    found = [need for wave in document["waves"] for need in _of_wave(wave, command)]
    return tuple(sorted(found, key=lambda need: _ORDER.index(need.mark)))


_ORDER = ("FAILED", "HELD", "approve", "rolled back")


def _of_wave(wave: Mapping[str, Any], command: str) -> Iterator[Need]:
    for gate in wave["approvals"]:
        if gate["next"] and any(_waits(one, gate) for one in wave["migrations"]):
            lines = tuple(line.strip() for line in gate_lines(gate)[:-1])
            names = tuple(one["dmsa"] for one in wave["migrations"] if _waits(one, gate))
            why, todo = f"approval before {gate['gate']}", _typed(gate, command)
            yield Need("approve", wave["name"], wave["name"], False, why, None, lines, todo, names)
    for migration in wave["migrations"]:
        yield from _of_migration(wave["name"], migration, command)


def _of_migration(wave: str, migration: Mapping[str, Any], command: str) -> Iterator[Need]:
    name, held = migration["dmsa"], migration["held"]
    if held:
        mark: Mark = "FAILED" if migration["failure"] == "failed" else "HELD"
        by = f" ({held['by']})" if held["by"] else ""
        lines = tuple(advice(line, command) for line in held["detail"].splitlines())
        todo = advice(held["release"], command)
        yield Need(mark, wave, name, True, f"{held['reason']}{by}", held["since"], lines, todo, (name,))
    elif migration["phase"] == "rolled_back" and migration["intention"] == "back":
        todo = f"{anew(name, command)}, begins anew"
        yield Need("rolled back", wave, name, True, "", None, (), todo, (name,))
    for waiver in migration["waivers"]:
        if waiver["next"] and migration["phase"] != "completed":
            said = tuple(line.strip() for line in waiver_lines(waiver)[:-1])
            why, todo = f"waiver of {waiver['guard']}", _typed(waiver, command)
            yield Need("approve", wave, name, True, why, None, said, todo, (name,))


def _waits(migration: Mapping[str, Any], gate: Mapping[str, Any]) -> bool:
    return bool(migration["waiting"]) and migration["waiting"]["for"] == f"approval:{gate['gate']}"


def _typed(one: Mapping[str, Any], command: str) -> str:
    return f"`{advice(one['next'], command)}`"
