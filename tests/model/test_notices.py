"""Who has yet to take which notice: a fold, with a backlog that has an end."""

from datetime import UTC, datetime, timedelta

from orchestrator.model.driven import RunBegan
from orchestrator.model.event import from_body, to_body
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent, id_of
from orchestrator.model.notices import BACKLOG
from orchestrator.model.run import RunState
from orchestrator.model.words import Amended

AT = datetime(2026, 3, 2, tzinfo=UTC)
ALL = ["held", "original-missing", "completed"]
A, B = "${env:A}", "${env:B}"


def plan(*receivers):
    return {"notify": [{"webhook": webhook, "on": on} for webhook, on in receivers]}


def began(*receivers):
    run = RunState("r")
    run.apply(RunBegan(digest="d", plan=plan(*receivers), by="x", tool="t"), AT)
    return run


def raise_one(run, occasion="held", migrations=("m",)):
    raised = NoticeRaised(
        number=run.notices.raised + 1, occasion=occasion, wave="w", migrations=migrations, detail="because"
    )
    run.apply(raised, AT)
    return id_of("r", run.digest, raised, AT)


def unsent(run, name="env:A"):
    return [one.id for one in run.notices.receivers[name].unsent]


def test_it_waits_for_each_who_wants_it_until_he_took_it():
    run = began((A, ALL), (B, ["completed"]))
    one = raise_one(run)
    two = raise_one(run, "completed")
    assert unsent(run) == [one, two]
    assert unsent(run, "env:B") == [two]
    run.apply(NoticeSent(notice=two, receiver="env:A", status=200), AT)
    assert unsent(run) == [one]
    assert unsent(run, "env:B") == [two]


def test_who_wants_holds_is_told_of_a_missing_original_and_not_the_other_way_round():
    run = began((A, ["held"]), (B, ["original-missing"]))
    one = raise_one(run, "original-missing")
    raise_one(run, "held")
    assert unsent(run, "env:B") == [one]
    assert len(unsent(run)) == 2


def test_the_backlog_has_an_end_and_what_was_dropped_is_counted_until_told():
    run = began((A, ALL))
    ids = [raise_one(run) for _ in range(BACKLOG + 3)]
    receiver = run.notices.receivers["env:A"]
    assert [one.id for one in receiver.unsent] == ids[3:]
    assert receiver.missed == 3
    raise_one(run)
    run.apply(NoticeSent(notice=ids[4], receiver="env:A", status=200, missed=3), AT)
    assert run.notices.receivers["env:A"].missed == 1  # dropped after that one had left


def test_silent_is_whoever_does_not_answer_since_he_did_not():
    run = began((A, ALL))
    one, two = raise_one(run), raise_one(run)
    run.apply(NoticeUnsent(notice=one, receiver="env:A", why="no connection"), AT)
    run.apply(NoticeUnsent(notice=one, receiver="env:A", why="it answers 410", for_good=True), AT + timedelta(hours=1))
    silent = run.notices.receivers["env:A"].silent
    assert (silent.since, silent.why, silent.for_good) == (AT, "it answers 410", True)
    assert unsent(run) == [two]
    run.apply(NoticeSent(notice=two, receiver="env:A", status=200), AT)
    assert run.notices.receivers["env:A"].silent is None


def test_an_amended_plan_keeps_what_waits_for_whom_it_still_names():
    run = began((A, ALL), (B, ALL))
    one = raise_one(run)
    run.apply(Amended(digest="e", plan=plan((A, ["completed"]), ("${env:C}", ALL)), by="x", reason="y"), AT)
    assert unsent(run) == [one]
    assert unsent(run, "env:C") == []
    assert set(run.notices.receivers) == {"env:A", "env:C"}
    run.apply(NoticeSent(notice=one, receiver="env:B", status=200), AT)  # he took it before the plan was amended
    assert set(run.notices.receivers) == {"env:A", "env:C"}


def test_a_receiver_that_is_named_twice_is_one():
    run = began((A, ["held"]), (A, ["completed"]))
    assert run.notices.receivers["env:A"].on == {"held", "completed"}


def test_a_copy_goes_on_by_itself():
    run = began((A, ALL))
    raise_one(run)
    copy = run.copied()
    assert copy == run
    raise_one(copy)
    assert len(unsent(run)) == 1
    assert len(unsent(copy)) == 2


def test_the_rows_are_read_as_they_were_written():
    for event in (
        NoticeRaised(number=1, occasion="held", wave="w", migrations=("m",), detail="d", todo="t", about="a"),
        NoticeSent(notice="r/1-a", receiver="env:A", status=200, missed=2),
        NoticeUnsent(notice="r/1-a", receiver="env:A", why="no", for_good=True),
    ):
        assert from_body(event.kind, to_body(event)) == event
