"""What each write leaves behind: changes of the directory, and events beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.expectation.frames import Frame
from orchestrator.expectation.row import Expectation
from orchestrator.expectation.sent import Sent
from orchestrator.expectation.values import NOTHING, PairKnown, Wanted
from orchestrator.model.directory import sam_account_name
from orchestrator.model.dn import parent_dn
from orchestrator.model.host import ENABLED, KERBEROS_KEY
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.state import MigrationState
from orchestrator.steps import effects
from orchestrator.steps.effects import REGISTERS, REPAIRS, TRACES, Creation, Effect, Is, On

_DS_CHANGES = "Windows security auditing, Audit Directory Service Changes: only where the object's SACL asks for it"
_ACCOUNTS = "Windows security auditing, Audit User and Computer Account Management"
_BESIDE: Mapping[str, tuple[tuple[On, tuple[int, ...]], ...]] = {
    "Set-ADObject": ((On.ACCOUNT, (4738,)),),
    "Start-ADServiceAccountMigration": ((On.ACCOUNT, (4738,)), (On.DMSA, (4742,))),
    "Complete-ADServiceAccountMigration": ((On.ACCOUNT, (4725, 4738)), (On.DMSA, (4742,))),
    "Undo-ADServiceAccountMigration": ((On.ACCOUNT, (4722, 4738)), (On.DMSA, (4742,))),
    "Reset-ADServiceAccountMigration": ((On.ACCOUNT, (4722, 4738)), (On.DMSA, (4742,))),
    "Set-ADServiceAccount": ((On.DMSA, (4742,)),),
    "Set-ADUser": ((On.ACCOUNT, (4738,)),),
    "Enable-ADAccount": ((On.ACCOUNT, (4722, 4738)),),
}
"""What account management may log beside a write, of which object. A dMSA's class is a subclass of computer, so 4741
and 4742 are its events (MS-ADSC; of 4741 seen by researchers)."""
_FLAGS = frozenset({"Complete-ADServiceAccountMigration", "Enable-ADAccount"})
"""What surely writes userAccountControl: every disabling is a 4725, every enabling a 4722, and the change a 4738
(Microsoft Learn, the events' pages). Of other changes the same pages say that some are not logged. 4662 is not
expected: it needs a SACL for the kind of access, and says no more than 5136 does."""
_BY_HOSTS = frozenset({4657, 7036, 1074})


class Leaves:
    """What the writes of one migration leave."""

    def __init__(self, plan: Plan, state: MigrationState, pair: PairKnown) -> None:
        self._plan, self._id, self._state, self._pair = plan, state.id, state, pair
        self._migration = plan.migration(state.id)
        directory = plan.estate.directory
        self._server = directory.server if directory else ""

    def of(self, sent: Sent) -> Iterator[Expectation]:
        if sent.cmdlet in TRACES:
            yield from self._at_host(sent)
            return
        for effect in effects.effects(sent.cmdlet, sent.pair):
            if isinstance(effect, Creation):
                yield from self._created(sent, effect)
            else:
                yield from self._changed(sent, effect)
        yield from self._beside(sent)

    def _row(self, sent: Sent, **given: Any) -> Expectation:
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

    def _created(self, sent: Sent, effect: Creation) -> Iterator[Expectation]:
        made = self._row(sent, events=(5137, 4741), on=effect.on, object=self._dn(effect.on), source=_DS_CHANGES)
        yield replace(made, created=True, logged=(4741,) if sent.sure else ())
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

    def _changed(self, sent: Sent, effect: Effect) -> Iterator[Expectation]:
        if sent.cmdlet == "Set-ADServiceAccount" and (effect.attribute == effects.MEMBERSHIP) is not (
            sent.step is Trigger.LINK
        ):
            return  # hosts are added while linking, SPNs are taken on a way back
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

    def _beside(self, sent: Sent) -> Iterator[Expectation]:
        """Yield what account management and the KDC log beside the changes; nobody promises any of it."""
        for on, events in _BESIDE.get(sent.cmdlet, ()):
            note = sent.note or "account management logs changes of flags and of what it counts as the account's own"
            flags = sent.sure and on is On.ACCOUNT and sent.cmdlet in _FLAGS
            yield self._row(
                sent, events=events, on=on, object=self._dn(on), sure=False, note=note, source=_ACCOUNTS,
                logged=events if flags else (),
            )  # fmt: skip
        if sent.cmdlet == "Start-ADServiceAccountMigration":
            yield self._registering(sent)

    def _registering(self, sent: Sent) -> Expectation:
        hosts = ", ".join(host.name for host in self._migration.hosts)
        return self._row(
            sent, events=(5136, 4742), by="account", computer="any writable domain controller", on=On.DMSA,
            object=self._pair.dmsa, attribute=REGISTERS.attribute, old=Wanted(REGISTERS.old), new=Wanted(REGISTERS.new),
            sure=False, note=f"until Complete, as {hosts} log on as the account", source=_DS_CHANGES,
            frame=sent.frame if sent.done else Frame(),
        )  # fmt: skip

    def _at_host(self, sent: Sent) -> Iterator[Expectation]:
        for trace in TRACES[sent.cmdlet]:
            registry = trace.event == 4657
            gone = sent.cmdlet == "Remove-ItemProperty"
            new = Wanted(Is.SOME, str(sent.value)) if registry and not gone else NOTHING
            says = "" if registry else trace.says
            note = "; ".join(filter(None, (says, sent.note, "only where it is audited" if trace.audited else "")))
            yield self._row(
                sent, computer=sent.subject, log=trace.log, events=(trace.event,),
                by="operator" if registry else "host",
                object=KERBEROS_KEY if registry else sent.thing, attribute=ENABLED if registry else "", new=new,
                old=self._switch_before(sent) if registry else NOTHING, sure=False, note=note or trace.says,
                source=trace.source, logged=(trace.event,) if sent.sure and trace.event in _BY_HOSTS else (),
            )  # fmt: skip
        if sent.cmdlet in {"Restart-Service", "Restart-WebAppPool", "Start-ScheduledTask", "Start-Service"}:
            yield from self._log_on(sent)

    def _switch_before(self, sent: Sent) -> Wanted:
        """Return a host's switch before a write: on the way forward as in the snapshot, on a way back as we set it."""
        if sent.step is Trigger.RESTORE:
            return Wanted(Is.ONE, Is.ONE.value)
        before = self._state.snapshot.hosts.get(sent.subject) if self._state.snapshot else None
        if before is None:
            return Wanted(Is.SOME)
        return NOTHING if before.value is None else Wanted(Is.SOME, str(before.value))

    def _log_on(self, sent: Sent) -> Iterator[Expectation]:
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
