"""Which writes a migration has sent, by the journal, and which lie ahead of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.expectation.frames import Frame, frame_of
from orchestrator.expectation.history import History
from orchestrator.model.before import HostBefore
from orchestrator.model.event import DIRECTORY
from orchestrator.model.host import ENABLED, KERBEROS_KEY
from orchestrator.model.lifecycle import FINAL, Pair, Phase, Trigger, Way, move, next_step
from orchestrator.model.plan import Host, Plan
from orchestrator.model.state import MigrationState
from orchestrator.model.written_down import as_written_down
from orchestrator.steps.effects import REPAIRS, SENDS, TRACES


@dataclass(frozen=True)
class Sent:
    """A write that was sent, or will be."""

    step: Trigger
    cmdlet: str
    subject: str
    thing: str
    sure: bool
    note: str
    frame: Frame
    pair: Pair | None = None
    value: Any = None
    done: bool = False


class Writes:
    """The writes of one migration."""

    def __init__(self, plan: Plan, state: MigrationState, told: History) -> None:
        self._plan, self._id, self._told, self._state = plan, state.id, told, state
        self._migration = as_written_down(plan.migration(state.id), state)

    def done(self) -> Iterator[Sent]:
        for one in self._told.of(self._id):
            thing = str(
                one.parameters.get("Name") or one.parameters.get("TaskName") or one.parameters.get("Path") or ""
            )
            sure = one.landed is True
            note = "" if sure else "its outcome is not known" if one.landed is None else "it said that it failed"
            value = one.parameters.get("Value")
            frame = Frame(attempt=one)
            yield Sent(one.step, one.cmdlet, one.subject, thing, sure, note, frame, one.pair, value, done=True)

    def ahead(self) -> Iterator[Sent]:
        for step, phase in _path(self._state, Way(self._plan.policy_of(self._id).rollback_by)):
            frame = frame_of(self._plan, self._id, step, phase)
            pair = Pair.COMPLETED if phase in {Phase.SWITCHED, Phase.COMPLETED} else Pair.STARTED
            for cmdlet in SENDS[step]:
                for sent in self._to_send(step, phase, cmdlet, frame):
                    if not self._sent_already(sent, phase):
                        yield replace(sent, pair=pair)

    def _sent_already(self, sent: Sent, phase: Phase) -> bool:
        if phase is not self._state.phase:
            return False
        named = f"{sent.cmdlet} {sent.thing}".strip()
        return any(where == sent.subject and key.startswith(named) for where, key in self._state.performed)

    def _to_send(self, step: Trigger, phase: Phase, cmdlet: str, frame: Frame) -> Iterator[Sent]:
        adds = self._plan.policy_of(self._id).hosts_missing == "add" and phase is not Phase.RESTORED
        if cmdlet == "Set-ADServiceAccount" and step in {Trigger.RESTART, Trigger.SOAK} and not adds:
            return
        note = "only where a read-back lacks something" if cmdlet in REPAIRS else ""
        if cmdlet not in TRACES:
            yield Sent(step, cmdlet, DIRECTORY, "", not note, note, frame)
            return
        back = step is Trigger.RESTART and phase is Phase.RESTORED
        for host in self._migration.hosts:
            for thing, when in self._things(cmdlet, step, host):
                why = note or when or ("only what was restarted before, or is down" if back else "")
                yield Sent(step, cmdlet, host.name, thing, not why, why, frame, value=1)

    def _things(self, cmdlet: str, step: Trigger, host: Host) -> Iterator[tuple[str, str]]:
        """Yield what a cmdlet is sent for at a host, and when it is not for sure."""
        before = self._state.snapshot.hosts.get(host.name) if self._state.snapshot else None
        match cmdlet:
            case "New-ItemProperty" if step is Trigger.RESTORE:
                yield ENABLED, "where the value was 0"
            case "New-ItemProperty":
                if before is None or before.value != 1:
                    yield ENABLED, "" if before else "unless it is 1 already"
            case "Remove-ItemProperty":
                yield ENABLED, "where the value was absent"
            case "New-Item":
                if before is None or not before.key_exists:
                    yield KERBEROS_KEY, "where the key is missing"
            case "Restart-Computer":
                if self._plan.policy_of(self._id).reboot == "after_registry":
                    yield "", ""
            case _:
                yield from _workloads(cmdlet, host, before)


def _workloads(cmdlet: str, host: Host, before: HostBefore | None) -> Iterator[tuple[str, str]]:
    """Yield the workloads that a cmdlet is sent for at a host."""
    if cmdlet in {"Restart-Service", "Start-Service"}:
        yield from ((name, "" if before else "where it runs") for name in host.services)
        if host.discovers:
            yield "", _NOT_ASKED
    elif cmdlet == "Restart-WebAppPool":
        yield from ((name, "") for name in host.app_pools)
        if host.discovers:
            yield "", _NOT_ASKED
    else:
        yield from ((task.path, "") for task in host.tasks if task.run)


_NOT_ASKED = "not asked yet: whatever the host reports as running under the account"


def _path(state: MigrationState, rollback_by: Way) -> Iterator[tuple[Trigger, Phase]]:
    """Yield the steps that lie ahead, each with the phase that it leaves."""
    phase = state.phase
    while True:
        step = next_step(phase, state.intention, state.way, rollback_by)
        if step is None:
            return
        yield step, phase
        pair = Pair.COMPLETED if phase in {Phase.SWITCHED, Phase.COMPLETED} else Pair.STARTED
        read = Pair.UNLINKED if phase is Phase.PREPARED and step in {Trigger.UNDO, Trigger.RESET} else pair
        phase = move(phase, step, read).dest
        if phase in FINAL or (
            step in {Trigger.UNDO, Trigger.RESET} and state.way is not None and state.way is not Way.ROLLBACK
        ):
            return
