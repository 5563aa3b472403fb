"""A verification without a wire: the product's own reading and judging, on a :class:`tests.world.World`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.cli.readings import Readings, looked_at
from orchestrator.lab.jea import Registered
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.run import RunState
from orchestrator.remote.inline import InlinePool
from orchestrator.verification import Verified
from tests.world import World


def verified(
    world: World, journaled: Callable[[], RunState] | None = None, registered: Registered | None = None
) -> Verified:
    """Return what a verification of every migration finds; *journaled* reads the journal anew."""
    transport = MemoryTransport(world.estate, world.principal, registered=registered or world.rehearsed.registered)
    readings = Readings(transport, InlinePool(transport))
    found = looked_at(world.plan, world.ids, world.estate.now, readings, journaled or world.state)
    transport.close()
    assert found is not None
    return found


def ids(found: Verified) -> dict[str, list[str]]:
    """Return the ids of what was found, by migration, where something was."""
    return {id_: [one.id for one in findings] for id_, findings in found.found.items() if findings}


def commands(requests: list[Any]) -> set[str]:
    """Return the names of the commands that arrived."""
    return {command.name for request in requests for statement in request.statements for command in statement}
