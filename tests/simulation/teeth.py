"""Deliberate breaches of the rules, each by its name: what the simulation must find if somebody made it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestrator.conductor.fence import Intended
from orchestrator.conductor.flightdeck import FlightDeck
from orchestrator.conductor.flights import Flights
from orchestrator.conductor.rest import Rest
from orchestrator.conductor.runlog import RunLog
from orchestrator.conductor.tenure import Tenure
from orchestrator.engine import decide, failing, in_time, missed, outside, rules, standing, windows
from orchestrator.engine.standing import Standing
from orchestrator.guards import ledger as ledger_guards
from orchestrator.journal.chain import GENESIS, bodies, extend
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.protocol import Lease
from orchestrator.model import approvals
from orchestrator.model.action import Done, Record
from orchestrator.model.case import Case
from orchestrator.model.event import AttemptSettled, WaitBegan, from_body
from orchestrator.model.lifecycle import Pair, Phase
from orchestrator.steps import convergence, found_again, restore, soak, start, workloads
from tests.simulation.seeds import APPROVED, QUICK, RESET, SMALL


@dataclass(frozen=True)
class Tooth:
    """A breach: how it is made, by which rules it may be found, on which plan, and which seed is tried first."""

    name: str
    breach: Callable[[pytest.MonkeyPatch], None]
    found_by: frozenset[str]
    plan: str = SMALL
    first: int = 1


def _never_settle(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide, "_settle", lambda *_given: None)


def _keep_the_shell(patch: pytest.MonkeyPatch) -> None:
    def settle(case: Case, step_: Any, subject: str, seen: Any) -> Any:
        attempt = case.state.open.get(subject)
        if attempt is None or not attempt.unsettled:
            return None
        looked = seen is not None and not decide._faults(case, step_, subject, seen)
        return Record((AttemptSettled(migration=case.migration.id, subject=subject),)) if looked else None

    patch.setattr(decide, "_settle", settle)


def _settle_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decide, "_settled_at", lambda case, _subject, _attempt: case.at)


def _believe_the_reply(patch: pytest.MonkeyPatch) -> None:
    judge = start.Start.judge

    def believing(self: Any, case: Case, subject: str, seen: Any) -> Any:
        sent = "Start-ADServiceAccountMigration" in case.state.sent
        return Done(pair=Pair.STARTED) if sent else judge(self, case, subject, seen)

    patch.setattr(start.Start, "judge", believing)


def _ignore_the_epoch(patch: pytest.MonkeyPatch) -> None:
    def append(self: MemoryJournal, entries: Any, *, expected: int, lease: Lease | None) -> int:
        del expected
        records = self._store.records
        last = records[-1].hash if records else GENESIS
        records += list(extend(last, len(records), entries, bodies(entries), lease.epoch if lease else None))
        return len(records)

    def read(self: RunLog) -> None:
        for row in self._journal.read(after=self._head):
            self.state.apply(from_body(row.kind, row.body), row.at)
            self._head = row.seq

    patch.setattr(MemoryJournal, "append", append)
    patch.setattr(RunLog, "_read_new_rows", read)


def _forget_the_dwell(patch: pytest.MonkeyPatch) -> None:
    for module in (soak, ledger_guards):
        patch.setattr(module, "dwell_due", lambda case, **_given: case.state.dwell_started)
        patch.setattr(module, "flat_due", lambda case: case.state.dwell_started)


def _forget_convergence(patch: pytest.MonkeyPatch) -> None:
    for module in (convergence, found_again):
        patch.setattr(module, "converging", lambda *_given: None)


def _ignore_at_once(patch: pytest.MonkeyPatch) -> None:
    give = Standing._give_places

    def generous(self: Standing) -> frozenset[str]:
        wave, self._wave = self._wave, self._wave.model_copy(update={"at_once": 99})
        try:
            return give(self)
        finally:
            self._wave = wave

    patch.setattr(Standing, "_give_places", generous)


def _ignore_the_window(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "outside_window", lambda *_given: None)
    patch.setattr(in_time, "outside_window", lambda *_given: None)


def _ignore_the_blackout(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(windows, "blacked_out", lambda *_given: None)
    for module in (outside, missed, standing):  # without what they remember: it would outlive the tooth
        for name in {"open_until", "next_opening", "steady_until"} & vars(module).keys():
            patch.setattr(module, name, getattr(windows, name).__wrapped__)


def _ignore_the_budget(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standing, "budget_spent", lambda *_given: None)


def _ignore_needs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standing, "meets", lambda *_given: True)


def _ignore_the_hold(patch: pytest.MonkeyPatch) -> None:
    position_of = rules.position_of

    def deaf(state: Any, *given: Any) -> Any:
        spoken = state.held is not None and state.held.reason == "operator"
        return position_of(replace(state, held=None) if spoken else state, *given)

    patch.setattr(standing, "position_of", deaf)


def _send_first(patch: pytest.MonkeyPatch) -> None:
    commit = FlightDeck.commit

    def hasty(self: FlightDeck) -> None:
        self.flights.take_off(Intended(self._fence.now(), self._log.head))
        self._landed += list(self.flights.landed(1.0))
        commit(self)

    patch.setattr(FlightDeck, "commit", hasty)


def _restart_what_was_stopped(patch: pytest.MonkeyPatch) -> None:
    before = workloads._before

    def running(case: Case, host: Any) -> Any:
        known = before(case, host)
        services = {name: one.model_copy(update={"state": "Running"}) for name, one in known.services.items()}
        return known.model_copy(update={"services": services})

    patch.setattr(workloads, "_before", running)


def _count_nobody_else(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Case, "needed_elsewhere", lambda _self, _host: frozenset())


def _restore_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restore.Restore, "judge", lambda *_given: Done(registry="restored"))


def _forget_what_was_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tenure, "_give_up_open_attempts", lambda _self, _why: None)


def _let_two_drive(patch: pytest.MonkeyPatch) -> None:
    acquire = MemoryJournal.acquire

    def open_handed(self: MemoryJournal, holder: str) -> Lease:
        self._store.alive = None
        return acquire(self, holder)

    patch.setattr(MemoryJournal, "acquire", open_handed)


def _keep_waits_to_itself(patch: pytest.MonkeyPatch) -> None:
    commit = RunLog.commit

    def silent(self: RunLog) -> None:
        self._pending = [(event, at) for event, at in self._pending if not isinstance(event, WaitBegan)]
        commit(self)

    patch.setattr(RunLog, "commit", silent)


def _restart_side_by_side(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Flights, "disrupted", lambda _self, _host: False)


def _leave_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Rest, "is_short", lambda *_given: False)


def _take_back_whatever_the_policy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(failing, "_may_turn", lambda state, _plan: state.phase is not Phase.PLANNED)


def _count_who_drives(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(approvals, "same_person", lambda *_given: False)


def _count_one_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(approvals, "person", lambda name: name)


def _approve_once_and_for_all(patch: pytest.MonkeyPatch) -> None:
    judge = approvals.why_not

    def patient(word: Any, *given: Any) -> Any:
        why = judge(word, *given)
        return None if why == "has expired" else why

    patch.setattr(approvals, "why_not", patient)


def _ask_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "unapproved", lambda *_given: None)


def _teeth() -> Iterator[Tooth]:
    unsettled = frozenset({"no-perform-after-unsettled", "no-move-past-unsettled"})
    yield Tooth("repeat after an unknown outcome", _never_settle, unsettled)
    yield Tooth("repeat without deleting the shell", _keep_the_shell, frozenset({"shell-ended-first"}))
    yield Tooth("look before the settling time is over", _settle_at_once, frozenset({"settling-time"}))
    yield Tooth("skip the read-back", _believe_the_reply, frozenset({"phase-is-read-back"}), first=98)
    yield Tooth("ignore the epoch", _ignore_the_epoch, frozenset({"fenced", "legal-history", "replay-equals-live"}))
    yield Tooth("forget the dwell", _forget_the_dwell, frozenset({"complete-dwell", "complete-flat"}))
    yield Tooth("forget convergence", _forget_convergence, frozenset({"phase-is-read-back", "complete-converged"}))
    yield Tooth("ignore at_once", _ignore_at_once, frozenset({"at-once"}))
    yield Tooth("ignore the window", _ignore_the_window, frozenset({"window"}), RESET)
    yield Tooth("ignore the blackout", _ignore_the_blackout, frozenset({"window"}), RESET)
    yield Tooth("ignore the failure budget", _ignore_the_budget, frozenset({"failure-budget"}), RESET)
    yield Tooth("ignore what a wave needs", _ignore_needs, frozenset({"needs"}), QUICK)
    yield Tooth("ignore an operator's hold", _ignore_the_hold, frozenset({"held-stands-still"}))
    yield Tooth("send before the intent is on disk", _send_first, frozenset({"intent-first"}))
    yield Tooth("restart a service that was stopped", _restart_what_was_stopped, frozenset({"idle-stays-idle"}))
    yield Tooth("take a switch away that another needs", _count_nobody_else, frozenset({"switch-needed"}))
    yield Tooth("call it restored and write nothing", _restore_nothing, frozenset({"rolled-back-equals-snapshot"}))
    yield Tooth("take over and forget what was open", _forget_what_was_open, unsettled)
    yield Tooth("let two runners drive", _let_two_drive, frozenset({"one-runner"}))
    yield Tooth("keep from the journal what was folded", _keep_waits_to_itself, frozenset({"replay-equals-live"}))
    yield Tooth("restart side by side on one host", _restart_side_by_side, frozenset({"one-restart-a-host"}), RESET)
    yield Tooth("take back whatever the policy", _take_back_whatever_the_policy, frozenset({"taken-back-by-policy"}))
    yield Tooth("ask nobody to approve", _ask_nobody, frozenset({"approved"}), APPROVED)
    yield Tooth("count the approval of who drives", _count_who_drives, frozenset({"approved"}), APPROVED)
    yield Tooth("count one person twice", _count_one_twice, frozenset({"approved"}), APPROVED)
    yield Tooth("let an approval count for ever", _approve_once_and_for_all, frozenset({"approved"}), APPROVED)
    yield Tooth("leave although something is due", _leave_early, frozenset({"ends-with-a-reason"}))


TEETH = tuple(_teeth())
