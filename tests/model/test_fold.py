"""The fold: a replay is the live state, an illegal event changes nothing, and what each event means."""

from __future__ import annotations

import copy
import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import before as b
from orchestrator.model import event as e
from orchestrator.model.lifecycle import MOVES, IllegalEvent, IllegalMove, Intention, Pair, Phase, Trigger, Way
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.model.run import RunState
from orchestrator.model.state import Limit, MigrationState, replaced
from orchestrator.model.words import AdoptAsked, Amended, AssertedDone, HostReleased

AT = datetime(2026, 3, 2, tzinfo=UTC)
IDS = ("a", "b", "c")
HOST = "app01.corp.example"
SUBJECTS = (e.DIRECTORY, HOST)
BEFORE = b.HostBefore(computer_name="APP01", key_exists=True, value=None)
FAULT = e.FaultSeen(kind=FaultKind.TRANSIENT, code="quota", message="busy")
START = "Start-ADServiceAccountMigration"


def later(**delta: float) -> datetime:
    return AT + timedelta(**delta)


def snapshot(id_: str = "a", value: int | None = None) -> b.SnapshotTaken:
    host = b.HostBefore(computer_name="APP01", key_exists=True, value=value)
    return b.SnapshotTaken(
        migration=id_, account_guid=UUID(int=1), account={}, dmsa=None, hosts={HOST: host}, sha256="0"
    )


def started(id_: str = "a", subject: str = e.DIRECTORY, cmdlet: str = START, **more: object) -> e.AttemptStarted:
    given_ = {"step": Trigger.START, "endpoint": "dc01", "parameters": {}, **more}
    ids = {"shell": UUID(int=1), "pipeline": UUID(int=2)}
    return e.AttemptStarted.model_validate({"migration": id_, "subject": subject, "cmdlet": cmdlet, **ids, **given_})


def finished(
    id_: str = "a", subject: str = e.DIRECTORY, outcome: Outcome = Outcome.SUCCEEDED, fault: e.FaultSeen | None = None
) -> e.AttemptFinished:
    return e.AttemptFinished(migration=id_, subject=subject, outcome=outcome, fault=fault)


def moved(row_source: Phase, trigger: Trigger, dest: Phase, id_: str = "a") -> e.Moved:
    return e.Moved(migration=id_, trigger=trigger, source=row_source, dest=dest)


def test_of_an_attempts_snapshots_before_complete_the_first_counts():
    one, other = (b.SnapshotRepeated(migration="a", account={}, dmsa=None, hosts={}, sha256=sha) for sha in ("1", "2"))
    assert fold(snapshot(), one, (other, later(days=1)))["a"].repeated == one
    assert fold(snapshot(), one, snapshot(), other)["a"].repeated == other


def done(step: Trigger, subject: str = HOST, id_: str = "a", **more: object) -> e.SubjectDone:
    return e.SubjectDone.model_validate({"migration": id_, "step": step, "subject": subject, **more})


def ledger(*hosts: str, id_: str = "a", others: tuple[str, ...] = ()) -> e.LedgerRead:
    return e.LedgerRead(migration=id_, principals=(*hosts, *others), hosts_present=hosts, sha256="0")


def held(reason: str, id_: str = "a") -> e.Held:
    return e.Held(migration=id_, reason=reason, detail="", release="")


def fold(*events: e.Event | tuple[e.Event, datetime | None]) -> RunState:
    """Return a run after events, at :data:`AT` where they have no time of their own."""
    run = RunState("law")
    for one in events:
        event, at = one if isinstance(one, tuple) else (one, AT)
        run.apply(event, at)
    return run


def forward(to: Phase, id_: str = "a") -> list[e.Event]:
    """Return the moves of the straight way to a phase."""
    steps: list[e.Event] = [snapshot(id_)]
    for row in MOVES[:1] + MOVES[2:9]:
        if any(isinstance(step, e.Moved) and step.dest is to for step in steps):
            break
        steps.append(moved(row.source, row.trigger, row.dest, id_))
    return steps


ids, subjects, steps = st.sampled_from(IDS), st.sampled_from(SUBJECTS), st.sampled_from(Trigger)
anything = st.one_of(
    st.builds(snapshot, ids, st.sampled_from([None, 0, 1])),
    st.builds(lambda id_, row: moved(row.source, row.trigger, row.dest, id_), ids, st.sampled_from(MOVES)),
    st.builds(lambda id_, s, d, t: moved(s, t, d, id_), ids, st.sampled_from(Phase), st.sampled_from(Phase), steps),
    st.builds(lambda id_, where, step: started(id_, where, step=step), ids, subjects, steps),
    st.builds(finished, ids, subjects, st.sampled_from(Outcome), st.sampled_from([None, FAULT])),
    st.builds(lambda id_, where: e.ShellEnded(migration=id_, subject=where, shell=UUID(int=1)), ids, subjects),
    st.builds(lambda id_, where: e.AttemptSettled(migration=id_, subject=where), ids, subjects),
    st.builds(lambda id_, step: e.Admitted(migration=id_, step=step), ids, steps),
    st.builds(lambda id_, where, step: done(step, where, id_, pair=Pair.STARTED), ids, subjects, steps),
    st.builds(
        lambda id_, hosts: ledger(*hosts, id_=id_), ids, st.lists(st.sampled_from([HOST, "x", "y"]), unique=True)
    ),
    st.builds(
        lambda id_, where, of: e.RetryDue(migration=id_, subject=where, of=of, tries=1, until=AT, fault=FAULT),
        ids,
        subjects,
        st.sampled_from(["read", "write"]),
    ),
    st.builds(
        lambda id_, where: e.WaitBegan(migration=id_, subject=where, waiting_for="dwell", until=AT), ids, subjects
    ),
    st.builds(lambda id_, where: e.Recovered(migration=id_, subject=where), ids, subjects),
    st.builds(held, st.sampled_from(["fault", "guard:host-capable", "operator", "undone"]), ids),
    st.builds(lambda id_, on: e.Released(migration=id_, by="x", reason="y", forward=on), ids, st.booleans()),
    st.builds(lambda id_, way: e.WayBackAsked(migration=id_, way=way, by="x"), ids, st.sampled_from(Way)),
    st.builds(lambda names: e.ControllersFound(names=tuple(names)), st.lists(st.sampled_from(["dc01", "dc02"]))),
    st.builds(
        lambda id_, host: b.HostSnapshotTaken(migration=id_, host=host, before=BEFORE, sha256="0"),
        ids,
        st.sampled_from([HOST, "app09"]),
    ),
    st.builds(
        lambda id_, host: HostReleased(migration=id_, host=host, by="x", reason="y"),
        ids,
        st.sampled_from([HOST, "app09"]),
    ),
    st.builds(lambda id_, step: AssertedDone(migration=id_, step=step, by="x", reason="y"), ids, steps),
    st.builds(lambda id_: AdoptAsked(migration=id_, by="x", reason="y"), ids),
    st.just(Amended(digest="1", plan={}, by="x", reason="y")),
    st.just(e.CallRefused(migration="a", detail="no")),
    st.just(e.RunnerTook(by="x", host="h", pid=1, tool="t")),
)
times = st.one_of(st.none(), st.integers(0, 90).map(lambda days: AT + timedelta(days=days)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(anything, times), max_size=40))
def test_replay_of_any_prefix_is_the_live_state_and_an_illegal_event_changes_nothing(history):
    live = RunState("law")
    written: list[tuple[str, dict, datetime | None]] = []
    shown = [copy.deepcopy(live)]
    for event, at in history:
        before = copy.deepcopy(live)
        try:
            live.apply(event, at)
        except IllegalEvent:
            assert live == before
            continue
        written.append((event.kind, e.to_body(event), at))
        shown.append(copy.deepcopy(live))
    for length in range(0, len(written) + 1, max(1, len(written) // 4)):
        replayed = RunState("law")
        for kind, body, at in written[:length]:
            replayed.apply(e.from_body(kind, body), at)
        assert replayed == shown[length]


@given(st.sampled_from(Phase), st.sampled_from(Trigger), st.sampled_from(Phase))
def test_only_rows_of_the_law_move(source, trigger, dest):
    legal = any((row.source, row.trigger, row.dest) == (source, trigger, dest) for row in MOVES)
    run = RunState("law")
    if source is Phase.PLANNED and legal:
        run.apply(moved(source, trigger, dest), AT)
        assert run["a"].phase is dest
    else:
        with pytest.raises(IllegalMove):
            run.apply(moved(source, trigger, dest), AT)
        assert run["a"].phase is Phase.PLANNED


class TestRegistry:
    """One host, three migrations: the value is there while anybody needs it, and as before when all have left."""

    @settings(max_examples=200)
    @given(
        st.permutations([(id_, what) for id_ in IDS for what in ("snapshot", "set", "leave")]),
        st.sampled_from([None, 0, 1]),
    )
    def test_the_count_of_references(self, order, original):
        run, value = RunState("law"), original
        todo = {id_: ["snapshot", "set", "leave"] for id_ in IDS}
        users: set[str] = set()
        for id_, _ in order:
            match todo[id_].pop(0):
                case "snapshot":
                    run.apply(snapshot(id_, value), AT)
                case "set":
                    run.apply(started(id_, HOST, "New-ItemProperty", step=Trigger.REGISTRY), AT)
                    value = 1
                    users.add(id_)
                    run.apply(finished(id_, HOST), AT)
                    run.apply(done(Trigger.REGISTRY, HOST, id_, registry="set"), AT)
                case "leave":
                    users.discard(id_)
                    assert run.needs(HOST, id_)
                    before = run.original(HOST, id_)
                    assert before is not None
                    assert before.value == original, "nobody takes another's value for the original"
                    if not run.needed_elsewhere(HOST, id_):
                        value = before.value
                    run.apply(done(Trigger.RESTORE, HOST, id_, registry="restored"), AT)
            assert value == (1 if users else original)
            assert {one for one in IDS if run.needs(HOST, one)} == users
        assert value == original
        assert not run.switches.uses

    def test_a_write_alone_counts_for_its_end_may_never_be_known(self):
        run = fold(snapshot(value=0), started(subject=HOST, cmdlet="New-ItemProperty", step=Trigger.REGISTRY))
        assert run.needs(HOST, "a")
        assert run.needs(HOST.upper(), "a")

    def test_reading_is_no_need(self):
        assert not fold(snapshot()).needs(HOST, "a")
        assert fold(snapshot(value=0)).original(HOST, "a").value == 0


class TestDwell:
    """It starts at the latest of three moments, and anew after an Undo."""

    def reached(self, linked: int, registered: int, seen: int) -> datetime | None:
        moves = forward(Phase.REGISTERED)
        timed = [(one, later(days=linked) if getattr(one, "dest", None) is Phase.LINKED else AT) for one in moves]
        return fold(*timed, (done(Trigger.REGISTRY), later(days=registered)), (ledger(HOST), later(days=seen)))[
            "a"
        ].dwell_started

    @pytest.mark.parametrize("days", [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)])
    def test_the_latest_of_three(self, days):
        assert self.reached(*days) == later(days=3)

    def test_not_before_all_three(self):
        assert fold(*forward(Phase.REGISTERED), done(Trigger.REGISTRY))["a"].dwell_started is None
        assert fold(*forward(Phase.REGISTERED), ledger(HOST))["a"].dwell_started is None

    def test_the_last_host_counts_and_a_stranger_does_not(self):
        first, second, stranger = (ledger(HOST), later(days=1)), (ledger(HOST, "x"), later(days=4)), None
        stranger = (ledger(HOST, "x", others=("old07",)), later(days=9))
        state = fold(*forward(Phase.REGISTERED), done(Trigger.REGISTRY), first, second, stranger)["a"]
        assert state.dwell_started == later(days=4)
        assert state.ledger.learned_at == later(days=9)

    def test_after_an_undo_it_starts_anew(self):
        run = fold(*forward(Phase.COMPLETED), done(Trigger.REGISTRY), ledger(HOST))
        run.apply(e.WayBackAsked(migration="a", way=Way.UNDO, by="x"), later(days=20))
        run.apply(moved(Phase.COMPLETED, Trigger.UNDO, Phase.REOPENED), later(days=21))
        run.apply(e.Released(migration="a", by="x", reason="y", forward=True), later(days=30))
        assert run["a"].phase is Phase.RESTARTED
        assert run["a"].dwell_started == later(days=21)

    def test_forward_again_after_an_undo_it_soaks_without_a_place(self):
        run = fold(*forward(Phase.SOAKED), e.Admitted(migration="a", step=Trigger.COMPLETE))
        run.apply(moved(Phase.SOAKED, Trigger.COMPLETE, Phase.SWITCHED), AT)
        run.apply(e.WayBackAsked(migration="a", way=Way.UNDO, by="x"), AT)
        run.apply(moved(Phase.SWITCHED, Trigger.UNDO, Phase.REOPENED), AT)
        assert run["a"].in_flight
        run.apply(e.Released(migration="a", by="x", reason="y", forward=True), AT)
        assert (run["a"].admitted, run["a"].in_flight) == (None, False)

    def test_who_was_seen_once_and_is_gone(self):
        state = fold((ledger(HOST, "x"), AT), (ledger(HOST), later(days=1)))["a"]
        assert state.ledger.vanished == {"x"}
        assert fold(ledger(HOST, "x"), ledger(HOST), ledger(HOST, "x"))["a"].ledger.vanished == frozenset()


class TestWords:
    """What operators say."""

    def test_the_way_back_from_planned_is_refused(self):
        for way in Way:
            with pytest.raises(IllegalMove):
                fold(e.WayBackAsked(migration="a", way=way, by="x"))

    def test_release_lifts_the_hold_and_starts_the_counts_anew(self):
        retry = e.RetryDue(migration="a", subject=HOST, of="read", tries=4, until=AT, fault=FAULT)
        run = fold(
            *forward(Phase.LINKED), started(subject=HOST), finished(subject=HOST, fault=FAULT), retry, held("fault")
        )
        assert run["a"].failure == "failed"
        run.apply(e.Released(migration="a", by="x", reason="y"), AT)
        state = run["a"]
        assert (state.held, state.failure, state.intention) == (None, None, Intention.FORWARD)
        assert not any((state.tries, state.faults, state.waits, state.performed))

    def test_forward_again_begins_with_nothing_of_the_way_back(self):
        run = fold(*forward(Phase.COMPLETED), e.WayBackAsked(migration="a", way=Way.UNDO, by="x"))
        run.apply(moved(Phase.COMPLETED, Trigger.UNDO, Phase.REOPENED), AT)
        run.apply(e.WayBackAsked(migration="a", way=Way.UNDO, by="x"), AT)
        run.apply(started(step=Trigger.UNDO, wish=Pair.UNLINKED), AT)
        run.apply(finished(), AT)
        run.apply(done(Trigger.UNDO, e.DIRECTORY, pair=Pair.UNLINKED), AT)
        run.apply(e.Released(migration="a", by="x", reason="y", forward=True), AT)
        state = run["a"]
        assert (state.phase, state.intention, state.way) == (Phase.RESTARTED, Intention.FORWARD, None)
        assert (state.done, state.wish, state.reached) == (frozenset(), None, None)

    @pytest.mark.parametrize("phase", [Phase.STARTED, Phase.SOAKED, Phase.COMPLETED])
    def test_forward_only_from_reopened_or_rolled_back(self, phase):
        run = fold(*forward(phase), e.WayBackAsked(migration="a", way=Way.ROLLBACK, by="x"))
        with pytest.raises(IllegalMove):
            run.apply(e.Released(migration="a", by="x", reason="y", forward=True), AT)
        assert run["a"].intention is Intention.BACK

    def test_a_new_attempt_knows_nothing_of_the_last_but_its_number(self):
        run = fold(*forward(Phase.PREPARED), started(), finished(), done(Trigger.START, e.DIRECTORY), ledger(HOST))
        run.apply(e.WayBackAsked(migration="a", way=Way.ROLLBACK, by="x"), AT)
        run.apply(moved(Phase.PREPARED, Trigger.UNDO, Phase.ROLLED_BACK), AT)
        assert run["a"].attempt == 1
        run.apply(e.Released(migration="a", by="x", reason="y", forward=True), AT)
        state = run["a"]
        assert (state.phase, state.attempt, state.intention) == (Phase.ROLLED_BACK, 2, Intention.FORWARD)
        assert (state.snapshot, state.sent, state.touched) == (None, frozenset(), frozenset())
        assert state.dwell_started is None
        run.apply(held("guard:host-capable"), AT)
        assert run["a"].failure == "refused", "nothing was written for this attempt"

    def test_another_word_on_the_way_back_forgets_the_wish_of_the_first(self):
        """What Undo was to reach is not what Reset is to reach."""
        run = fold(*forward(Phase.SWITCHED), e.WayBackAsked(migration="a", way=Way.UNDO, by="x"))
        run.apply(started(cmdlet="Undo-ADServiceAccountMigration", step=Trigger.UNDO, wish=Pair.STARTED), AT)
        run.apply(e.WayBackAsked(migration="a", way=Way.UNDO, by="x"), AT)
        assert run["a"].wish is Pair.STARTED, "the same word again changes nothing"
        run.apply(e.WayBackAsked(migration="a", way=Way.RESET, by="x"), AT)
        assert run["a"].wish is None
        assert run["a"].open, "but what is under way is still under way"


class TestWrites:
    """Attempts, faults and counts."""

    def test_an_end_without_a_beginning_is_refused(self):
        for orphan in (
            finished(),
            finished(outcome=Outcome.UNKNOWN),
            e.ShellEnded(migration="a", subject=e.DIRECTORY, shell=UUID(int=1)),
            e.AttemptSettled(migration="a", subject=e.DIRECTORY),
        ):
            with pytest.raises(IllegalEvent, match="no write under way"):
                fold(orphan)

    def test_unknown_stays_open_until_somebody_looked(self):
        run = fold((started(), AT), (finished(outcome=Outcome.UNKNOWN), later(seconds=1)))
        assert run["a"].open[e.DIRECTORY].unsettled_since == later(seconds=1)
        run.apply(e.ShellEnded(migration="a", subject=e.DIRECTORY, shell=UUID(int=1)), later(seconds=9))
        assert run["a"].open[e.DIRECTORY].unsettled_since == later(seconds=9), "settling begins when the shell is gone"
        run.apply(e.AttemptSettled(migration="a", subject=e.DIRECTORY), later(seconds=70))
        assert not run["a"].open

    def test_what_was_sent_is_remembered_whatever_came_of_it(self):
        run = fold(started(), finished(outcome=Outcome.FAILED, fault=FAULT))
        assert run["a"].sent == {START}
        assert run["a"].faults == {(e.DIRECTORY, START): FAULT}

    def test_one_write_s_fault_is_not_another_s(self):
        first = started(subject=HOST, cmdlet="Restart-Service", parameters={"Name": "App"})
        run = fold(first, finished(subject=HOST, fault=FAULT))
        run.apply(started(subject=HOST, cmdlet="Start-Service", parameters={"Name": "Cache"}), AT)
        assert set(run["a"].faults) == {(HOST, "Restart-Service App")}
        run.apply(finished(subject=HOST), AT)
        run.apply(done(Trigger.RESTART), AT)
        assert not run["a"].faults

    def test_tasks_are_told_apart(self):
        tasks = [{"TaskPath": "\\R\\", "TaskName": name} for name in ("Nightly", "Weekly")]
        run = fold(*(started(subject=HOST, cmdlet="Start-ScheduledTask", parameters=one) for one in tasks))
        assert run["a"].performed == {
            (HOST, "Start-ScheduledTask \\R\\Nightly"): 1,
            (HOST, "Start-ScheduledTask \\R\\Weekly"): 1,
        }
        assert run["a"].touched == {(HOST, "task", "\\R\\Nightly"), (HOST, "task", "\\R\\Weekly")}

    def test_recovered_reading_keeps_the_count_of_writes(self):
        due = [
            e.RetryDue(migration="a", subject=HOST, of=of, tries=3, until=AT, fault=FAULT) for of in ("read", "write")
        ]
        run = fold(*due, e.Recovered(migration="a", subject=HOST))
        assert run["a"].tries == {(HOST, "write"): 3}
        assert not run["a"].waits

    def test_a_guard_refuses_before_start_and_fails_after_it(self):
        assert fold(held("guard:host-capable"))["a"].failure == "refused"
        assert fold(started(), held("guard:pair-matches"))["a"].failure == "failed"
        assert fold(held("fault"))["a"].failure == "failed"
        for harmless in ("operator", "undone", "budget-spent"):
            assert fold(held(harmless))["a"].failure is None

    def test_a_refusal_gives_its_place_back_and_a_failure_does_not(self):
        admitted = e.Admitted(migration="a", step=Trigger.START)
        assert fold(*forward(Phase.PREPARED), admitted, held("guard:original-protected"))["a"].admitted is None
        assert fold(*forward(Phase.LINKED), admitted, held("fault"))["a"].in_flight


def test_a_fault_in_between_does_not_renew_a_deadline():
    run = RunState("r")
    first, second = later(hours=12), later(hours=20)
    wait = e.WaitBegan(migration="a", subject=e.DIRECTORY, waiting_for="replication", until=first)
    run.apply(wait, AT)
    fault = e.RetryDue(migration="a", subject=e.DIRECTORY, of="read", tries=1, until=later(minutes=1), fault=FAULT)
    run.apply(fault, AT)
    run.apply(wait.model_copy(update={"until": second}), later(hours=8))
    assert run["a"].deadlines == {(e.DIRECTORY, "replication"): Limit(first, AT)}
    run.apply(e.Released(migration="a", by="x", reason="y"), later(hours=9))
    assert not run["a"].deadlines


def test_a_shell_is_open_from_its_announcement_until_it_is_known_to_be_gone():
    one, two, three = (UUID(int=number) for number in (1, 2, 3))
    opened = [e.ShellOpened(endpoint=at, shell=shell) for at, shell in (("dc01", one), ("dc02", two), (HOST, three))]
    assert fold(*opened).shells == {one: "dc01", two: "dc02", three: HOST}
    assert fold(*opened, e.ShellGone(endpoint="dc02", shell=two)).shells == {one: "dc01", three: HOST}
    lost = (snapshot(), started(), finished(outcome=Outcome.UNKNOWN))
    ended = e.ShellEnded(migration="a", subject=e.DIRECTORY, shell=one)
    assert fold(*opened, *lost, ended).shells == {two: "dc02", three: HOST}
    assert fold(*opened, e.ShellGone(endpoint="dc09", shell=UUID(int=9))).shells.keys() == {one, two, three}


def test_the_shell_of_a_lost_write_is_left_open_also_where_nobody_announced_it():
    lost = (snapshot(), started(), finished(outcome=Outcome.UNKNOWN))
    assert fold(*lost).left_open() == {UUID(int=1): "dc01"}
    ended = e.ShellEnded(migration="a", subject=e.DIRECTORY, shell=UUID(int=1))
    assert fold(*lost, ended).left_open() == {}
    assert fold(snapshot(), started(), finished()).left_open() == {}


def test_a_write_is_remembered_with_the_parameters_that_it_was_last_sent_with():
    first, second = started(parameters={"SupersededAccount": "CN=a"}), started(parameters={"SupersededAccount": "CN=b"})
    key = (e.DIRECTORY, START)
    assert fold(snapshot(), first, finished(), second).migrations["a"].asked == {key: {"SupersededAccount": "CN=b"}}
    assert fold(snapshot(), first, finished(), held("fault"), RELEASED).migrations["a"].asked == {}


RELEASED = e.Released(migration="a", by="ann", reason="mended")


def test_a_state_with_other_values_is_what_dataclasses_make_of_it():
    """Every field by itself, and all at once: a new field needs no thought."""
    state = MigrationState(id="a")
    names = [one.name for one in dataclasses.fields(MigrationState)]
    for name in names:
        assert replaced(state, **{name: "other"}) == dataclasses.replace(state, **{name: "other"})
        assert getattr(state, name) != "other"
    every = dict.fromkeys(names, "other")
    assert replaced(state, **every) == dataclasses.replace(state, **every)
    assert replaced(state) == state
    with pytest.raises(KeyError):
        replaced(state, no_such_field=1)
