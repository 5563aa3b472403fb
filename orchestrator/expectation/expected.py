"""What a migration writes, step by step, and which events that leaves: what lies ahead, and what the journal has done.

Sources of the events: Microsoft Learn, Windows security auditing: "Audit Directory Service Changes" (5136 to 5141; only
where a SACL asks), "Audit User Account Management" and "Audit Computer Account Management" (4722, 4725, 4738, 4741,
4742), "Audit Kerberos Authentication Service" and "Audit Kerberos Service Ticket Operations" (4768, 4769), "Audit
Registry" (4657). That a dMSA's creation is logged as a computer's too, and 2946 when its keys are issued, was seen by
researchers. None of these events is promised by anybody: only the directory's change events are ever missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from orchestrator.expectation.frames import Frame, frame_of
from orchestrator.expectation.history import History
from orchestrator.expectation.values import NOTHING, PairKnown, Wanted
from orchestrator.model.before import HostBefore
from orchestrator.model.directory import sam_account_name
from orchestrator.model.dn import domain_dn, parent_dn
from orchestrator.model.event import DIRECTORY
from orchestrator.model.host import ENABLED, KERBEROS_KEY
from orchestrator.model.lifecycle import FINAL, Pair, Phase, Trigger, Way, move, next_step
from orchestrator.model.plan import Host, Migration, Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.written_down import as_written_down
from orchestrator.steps import effects
from orchestrator.steps.effects import REGISTERS, REPAIRS, SENDS, TRACES, Creation, Effect, Is, On

By = Literal["operator", "account", "host"]
"""Who writes it: whom the runner logs on as, the superseded account, or the host itself."""
_DS_CHANGES = "Windows security auditing, Audit Directory Service Changes: only where the object's SACL asks for it"
_ACCOUNTS = "Windows security auditing, Audit User and Computer Account Management"


@dataclass(frozen=True)
class Expectation:
    """One change, or one event beside it. ``events``: ids, the first is the one that proves it.

    ``sure``: it happens wherever the write takes effect; otherwise ``note`` says when.
    """

    migration: str
    step: Trigger
    cmdlet: str
    computer: str
    by: By
    log: str
    events: tuple[int, ...]
    on: On | None
    object: str
    attribute: str
    old: Wanted
    new: Wanted
    sure: bool
    note: str
    source: str
    frame: Frame
    done: bool
    created: bool = False

    @property
    def required(self) -> bool:
        """Whether its absence from a complete export says something."""
        return self.sure and self.on is not None and self.by == "operator" and bool(self.events)


@dataclass(frozen=True)
class _Sent:
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


def pair_known(plan: Plan, migration: Migration, state: MigrationState | None) -> PairKnown:
    """Return what plan and journal know of a pair; the snapshot's names where there is one."""
    snapshot = state.snapshot if state else None
    below = f"CN=Managed Service Accounts,{domain_dn(plan.estate.domain or '')}"
    planned = f"CN={migration.dmsa.name},{migration.dmsa.path or below}"
    account = str(snapshot.account.get("dn", migration.account)) if snapshot else migration.account
    dmsa = str(snapshot.dmsa.get("dn", planned)) if snapshot and snapshot.dmsa else planned
    return PairKnown(migration.id, account, dmsa, snapshot.account if snapshot else None)


def expected(plan: Plan, ids: Sequence[str], run: RunState | None, told: History) -> list[Expectation]:
    """Return everything that is expected of some migrations, in their order and that of the steps.

    Args:
        plan: with its domain controller named.
        ids: the migrations.
        run: where everything stands by the journal; None without one.
        told: the journal's attempts.
    """
    return [one for id_ in ids for one in _Predicting(plan, id_, run, told).all()]


class _Predicting:
    def __init__(self, plan: Plan, id_: str, run: RunState | None, told: History) -> None:
        self._plan, self._id, self._told = plan, id_, told
        self._state = run[id_] if run is not None else MigrationState(id=id_)
        self._migration = as_written_down(plan.migration(id_), self._state)
        self._pair = pair_known(plan, self._migration, self._state)
        directory = plan.estate.directory
        self._server = directory.server if directory else ""

    def all(self) -> Iterator[Expectation]:
        for sent in (*self._done(), *self._ahead()):
            yield from self._of(sent)

    # Which writes.

    def _done(self) -> Iterator[_Sent]:
        for one in self._told.of(self._id):
            thing = str(
                one.parameters.get("Name") or one.parameters.get("TaskName") or one.parameters.get("Path") or ""
            )
            sure = one.landed is True
            note = "" if sure else "its outcome is not known" if one.landed is None else "it said that it failed"
            value = one.parameters.get("Value")
            frame = Frame(attempt=one)
            yield _Sent(one.step, one.cmdlet, one.subject, thing, sure, note, frame, one.pair, value, done=True)

    def _ahead(self) -> Iterator[_Sent]:
        for step, phase in _path(self._state, Way(self._plan.policy_of(self._id).rollback_by)):
            frame = frame_of(self._plan, self._id, step, phase)
            pair = Pair.COMPLETED if phase in {Phase.SWITCHED, Phase.COMPLETED} else Pair.STARTED
            for cmdlet in SENDS[step]:
                for sent in self._to_send(step, phase, cmdlet, frame):
                    if not self._sent_already(sent, phase):
                        yield replace(sent, pair=pair)

    def _sent_already(self, sent: _Sent, phase: Phase) -> bool:
        if phase is not self._state.phase:
            return False
        named = f"{sent.cmdlet} {sent.thing}".strip()
        return any(where == sent.subject and key.startswith(named) for where, key in self._state.performed)

    def _to_send(self, step: Trigger, phase: Phase, cmdlet: str, frame: Frame) -> Iterator[_Sent]:
        note = "only where a read-back lacks something" if cmdlet in REPAIRS else ""
        if cmdlet not in TRACES:
            yield _Sent(step, cmdlet, DIRECTORY, "", not note, note, frame)
            return
        back = step is Trigger.RESTART and phase is Phase.RESTORED
        for host in self._migration.hosts:
            for thing, when in self._things(cmdlet, step, host):
                why = note or when or ("only what was restarted before, or is down" if back else "")
                yield _Sent(step, cmdlet, host.name, thing, not why, why, frame, value=1)

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

    # What each leaves.

    def _of(self, sent: _Sent) -> Iterator[Expectation]:
        if sent.cmdlet in TRACES:
            yield from self._at_host(sent)
            return
        for effect in effects.effects(sent.cmdlet, sent.pair):
            if isinstance(effect, Creation):
                yield from self._created(sent, effect)
            else:
                yield from self._changed(sent, effect)
        yield from self._beside(sent)

    def _row(self, sent: _Sent, **given: Any) -> Expectation:
        row: dict[str, Any] = {
            "migration": self._id,
            "step": sent.step,
            "cmdlet": sent.cmdlet,
            "computer": self._server,
            "by": "operator",
            "log": "Security",
            "events": (),
            "on": None,
            "object": "",
            "attribute": "",
            "old": NOTHING,
            "new": NOTHING,
            "sure": sent.sure,
            "note": sent.note,
            "source": "",
            "frame": sent.frame,
            "done": sent.done,
        }
        return Expectation(**row | given)

    def _dn(self, on: On) -> str:
        return {On.ACCOUNT: self._pair.account, On.DMSA: self._pair.dmsa, On.CONTAINER: parent_dn(self._pair.account)}[
            on
        ]

    def _created(self, sent: _Sent, effect: Creation) -> Iterator[Expectation]:
        made = self._row(sent, events=(5137, 4741), on=effect.on, object=self._dn(effect.on), source=_DS_CHANGES)
        yield replace(made, created=True)
        given = {
            "sAMAccountName": sam_account_name(self._id),
            "dNSHostName": self._migration.dmsa.dns_host_name,
            "description": f"dmsa run {self._plan.name}",
        }
        for name, of in effect.given.items():
            exact = given.get(name) or (of.value if of is Is.ZERO else None)
            yield replace(
                made,
                events=(5136,),
                attribute=name,
                new=Wanted(of, exact),
                sure=False,
                note="with the creation, or not logged",
            )

    def _changed(self, sent: _Sent, effect: Effect) -> Iterator[Expectation]:
        olds, news = self._pair.values(effect.old, effect), self._pair.values(effect.new, effect)
        known = self._pair.before is not None
        several = {Is.SPNS, Is.AS_ON_ACCOUNT} & {effect.old, effect.new}
        sure = sent.sure and (effect.sure or bool(several and known and effect.when and "nobody" not in effect.when))
        if sent.cmdlet in REPAIRS:
            sure = False
        note = "; ".join(filter(None, (sent.note, "" if sure else effect.when)))
        row = self._row(
            sent, events=(5136,), on=effect.on, object=self._dn(effect.on), attribute=effect.attribute, sure=sure,
            note=note, source=_DS_CHANGES,
        )  # fmt: skip
        if effect.on is On.CONTAINER and self._protected_already():
            return
        pairs = [(old, new) for old in olds for new in news]
        yield from (replace(row, old=old, new=new) for old, new in pairs)

    def _protected_already(self) -> bool:
        """Whether what contains the account carried the entry before, so that nothing is written there."""
        snapshot = self._state.snapshot
        found = snapshot.containers.get(parent_dn(self._pair.account)) if snapshot else None
        return found is not None and Wanted(Is.PROTECTED).fits(found, None)

    def _beside(self, sent: _Sent) -> Iterator[Expectation]:
        """Yield what account management and the KDC log beside the changes; nobody promises any of it."""
        beside = {
            "Set-ADObject": ((On.ACCOUNT, (4738,)),),
            "Start-ADServiceAccountMigration": ((On.ACCOUNT, (4738,)), (On.DMSA, (4742,))),
            "Complete-ADServiceAccountMigration": ((On.ACCOUNT, (4725, 4738)), (On.DMSA, (4742,))),
            "Undo-ADServiceAccountMigration": ((On.ACCOUNT, (4722, 4738)), (On.DMSA, (4742,))),
            "Reset-ADServiceAccountMigration": ((On.ACCOUNT, (4722, 4738)), (On.DMSA, (4742,))),
            "Set-ADServiceAccount": ((On.DMSA, (4742,)),),
            "Set-ADUser": ((On.ACCOUNT, (4738,)),),
            "Enable-ADAccount": ((On.ACCOUNT, (4722, 4738)),),
        }
        for on, events in beside.get(sent.cmdlet, ()):
            note = sent.note or "account management logs changes of flags and of what it counts as the account's own"
            yield self._row(sent, events=events, on=on, object=self._dn(on), sure=False, note=note, source=_ACCOUNTS)
        if sent.cmdlet == "Start-ADServiceAccountMigration":
            yield self._registering(sent)

    def _registering(self, sent: _Sent) -> Expectation:
        hosts = ", ".join(host.name for host in self._migration.hosts)
        return self._row(
            sent, events=(5136,), by="account", computer="any writable domain controller", on=On.DMSA,
            object=self._pair.dmsa, attribute=REGISTERS.attribute, old=Wanted(REGISTERS.old), new=Wanted(REGISTERS.new),
            sure=False, note=f"until Complete, as {hosts} log on as the account", source=_DS_CHANGES,
        )  # fmt: skip

    def _at_host(self, sent: _Sent) -> Iterator[Expectation]:
        for trace in TRACES[sent.cmdlet]:
            registry = trace.event == 4657
            gone = sent.cmdlet == "Remove-ItemProperty"
            new = Wanted(Is.SOME, str(sent.value)) if registry and not gone else NOTHING
            note = "; ".join(filter(None, (sent.note, "only where it is audited" if trace.audited else "")))
            yield self._row(
                sent, computer=sent.subject, log=trace.log, events=(trace.event,),
                by="operator" if registry else "host",
                object=KERBEROS_KEY if registry else sent.thing, attribute=ENABLED if registry else "", new=new,
                old=self._switch_before(sent) if registry else NOTHING, sure=False, note=note or trace.says,
                source=trace.source,
            )  # fmt: skip
        if sent.cmdlet in {"Restart-Service", "Restart-WebAppPool", "Start-ScheduledTask", "Start-Service"}:
            yield from self._log_on(sent)

    def _switch_before(self, sent: _Sent) -> Wanted:
        """Return a host's switch before a write: on the way forward as in the snapshot, on a way back as we set it."""
        if sent.step is Trigger.RESTORE:
            return Wanted(Is.ONE, Is.ONE.value)
        before = self._state.snapshot.hosts.get(sent.subject) if self._state.snapshot else None
        if before is None:
            return Wanted(Is.SOME)
        return NOTHING if before.value is None else Wanted(Is.SOME, str(before.value))

    def _log_on(self, sent: _Sent) -> Iterator[Expectation]:
        """Yield what the KDC logs when a workload logs on: as the account, and after Complete as the dMSA."""
        after = sent.step is Trigger.CONFIRM
        kdc = {"computer": "any domain controller", "by": "host", "sure": False}
        yield self._row(
            sent, **kdc, events=(4768,), on=On.ACCOUNT, object=self._pair.account,
            note=f"{sent.subject} asks for a ticket as the account" + (", and is refused (0x12)" if after else ""),
            source="Windows security auditing, 4768",
        )  # fmt: skip
        if after:
            yield self._row(
                sent, **kdc, events=(4769,), on=On.DMSA, object=self._pair.dmsa,
                note=f"{sent.subject} becomes the dMSA", source="MS-KILE 3.3.5.6.2; Windows security auditing, 4769",
            )  # fmt: skip
            yield self._row(
                sent, **kdc, log="Directory Service", events=(2946,), on=On.DMSA, object=self._pair.dmsa,
                note="the dMSA's keys are issued", source="seen by researchers (Akamai, BadSuccessor)",
            )  # fmt: skip
            yield self._row(
                sent, computer=sent.subject, by="host", sure=False, events=(309,), on=On.DMSA, object=self._pair.dmsa,
                log="Microsoft-Windows-Security-Kerberos/Operational", note="only where that log is on",
                source="Microsoft Learn, Setting up dMSA",
            )  # fmt: skip


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
