"""A runner that stays for thirty weeks holds no more at their end than at their beginning."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from orchestrator.conductor import Conductor
from orchestrator.journal import open_journal
from orchestrator.model.lifecycle import Phase
from tests.conductor.test_watch import HELD, RELEASED, Watch, until_resting_in
from tests.conductor.test_weather import BATCH, HOST, weather
from tests.world import DC

WEEKS = 30
OTHERS = (
    "orchestrator.lab",
    "orchestrator.journal",
    "orchestrator.rehearsal",
    "tests.",
    "pydantic",
    "orchestrator.cli",
)


def thirty_weeks(plan: dict[str, Any]) -> None:
    plan["policy"].update({"dwell": f"{7 * WEEKS}d", "flat_for": "7d", "ledger_every": "1d"})


def held_by(runner: Conductor) -> Counter[str]:
    """Count the objects that a runner reaches, by type: all but the far side and the journal, which are not its own."""
    waiting: list[Any] = [runner]
    seen: dict[int, Any] = {}
    while waiting:
        one = waiting.pop()
        foreign = isinstance(one, type | ModuleType | FunctionType) or type(one).__module__.startswith(OTHERS)
        if id(one) not in seen and not foreign:
            seen[id(one)] = one
            waiting += [one.__self__] if isinstance(one, MethodType) else gc.get_referents(one)
    return Counter(type(one).__name__ for one in seen.values())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0


def test_thirty_weeks_with_outages_leave_nothing_behind(tmp_path: Path):
    world = weather(change=thirty_weeks)
    world.journal = open_journal(tmp_path / "journal.db", create=True)
    world.estate.keeps_record = False
    watch = Watch(world, passes=timedelta(hours=6))
    found: dict[int, tuple[Counter[str], int, int, int]] = {}
    runners: list[Conductor] = []

    def stays(runner: Conductor) -> None:
        runners.append(runner)
        runner._rest._seconds = watch._seconds  # so that it hangs up while it rests
        runner.drive()

    def a_week(number: int) -> Iterator[None]:
        """Let an operator hold one and release it; the domain controller is away for a day, the host is rebooted."""
        end = world.estate.now + timedelta(weeks=1)
        world.say(HELD)
        yield
        world.say(RELEASED)
        watch.down(1, DC)
        watch.down(0.1, HOST)
        while world.estate.now < end:
            yield
        gc.collect()
        state = runners[0].state
        found[number] = (held_by(runners[0]), threading.active_count(), open_files(), len(state.shells))

    def weeks() -> Iterator[None]:
        yield from until_resting_in(watch, Phase.RESTARTED)
        for number in range(1, WEEKS):
            yield from a_week(number)

    world.duty = stays
    state = watch.run(weeks)
    world.journal.close()
    assert state[BATCH].phase is Phase.COMPLETED
    early, late = found[2], found[WEEKS - 1]
    assert late[1:3] == early[1:3], "threads and open files"
    assert max(shells for _, _, _, shells in found.values()) <= 4, "shells that may be open"
    grown = {name: count for name, count in (late[0] - early[0]).items() if count > 8}
    assert grown == {}
