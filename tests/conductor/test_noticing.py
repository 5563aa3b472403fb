"""What people are told of a run, and when: raised with what happened, sent once, and never waited for."""

import pytest

from orchestrator.model.driven import RunnerLeft
from orchestrator.model.event import Held
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent
from orchestrator.remote.outbox import Answered
from orchestrator.remote.webhook import Answer
from tests.cli.desk import hasten
from tests.world import Crash, Doom, World

TEAMS, SOC = "${env:TEAMS}", "https://soc.corp.example/hooks/B0-secret"
DOWN = {"call": {"host": "app01.corp.example"}}


def notifying(*receivers, **more):
    """Return a change of a plan: these webhooks, each for everything or with what *more* says."""

    def change(plan):
        plan["notify"] = [one if isinstance(one, dict) else {"webhook": one} for one in receivers or (TEAMS,)]
        for wave in plan["waves"]:
            wave.update(more)

    return change


def soon(plan):
    """Tell of everything, in a plan whose two weeks are two hours."""
    notifying()(plan)
    hasten(plan)


class Told(World):
    """A world that keeps what reached receivers, some of whom may be out of order."""

    def __init__(self, change=None, answers=None, **kwargs):
        super().__init__(change_plan=change or notifying(), **kwargs)
        self.answers = answers or {}
        self.seconds_in_turn = 0.0

    def outbox_for(self, life):
        inner = super().outbox_for(life)
        return OutOfOrder(inner, self.answers) if self.answers else inner

    def raised(self):
        return [one for one in self.events() if isinstance(one, NoticeRaised)]

    def occasions(self):
        return [(one.occasion, one.wave) for one in self.raised()]

    def sent(self):
        return [(one.receiver, one.notice) for one in self.events() if isinstance(one, NoticeSent)]


class OutOfOrder:
    """Receivers of which some say what they are told to say, always."""

    def __init__(self, inner, answers):
        self.inner, self.said, self.posts, self.waiting = inner, answers, [], []

    def under_way(self, receiver):
        return self.inner.under_way(receiver) or any(one.receiver == receiver for one in self.waiting)

    def send(self, receiver, notice, missed):
        said = self.said.get(receiver)
        if said is None:
            return self.inner.send(receiver, notice, missed)
        self.said.setdefault("posts", []).append((receiver, notice.id))
        if said != "hangs":
            self.waiting.append(Answered(receiver, notice.id, missed, said))
        else:
            self.waiting.append(Answered(receiver, "", 0, Answer("later")))
        return True

    @property
    def any_answer(self):
        return self.inner.any_answer

    def answers(self, timeout=0.0):
        yield from self.inner.answers(timeout)
        hung = [one for one in self.waiting if self.said.get(one.receiver) == "hangs"]
        landed = [one for one in self.waiting if one not in hung]
        self.waiting = hung
        yield from landed


def test_a_run_that_goes_well_tells_of_each_wave_twice():
    world = Told()
    world.run()
    assert set(world.phases().values()) == {Phase.COMPLETED}
    waves = [wave.name for wave in world.plan.waves]
    assert sorted(world.occasions()) == sorted((what, wave) for wave in waves for what in ("wave-started", "completed"))
    last = world.raised()[-1]
    assert last.occasion == "completed"
    assert "Every wave of the plan is completed." in last.detail
    assert [one.number for one in world.raised()] == list(range(1, len(world.raised()) + 1))


def test_each_notice_reaches_each_receiver_once_and_under_one_id():
    world = Told(notifying(TEAMS, SOC))
    world.run()
    arrived = [(name, notice.id) for name, notice in world.arrived_notices]
    assert len(arrived) == len(set(arrived)) == 2 * len(world.raised())
    assert sorted(arrived) == sorted(world.sent())
    assert {name for name, _ in arrived} == {"env:TEAMS", next(n for n in world.state().notices.receivers if "#" in n)}
    assert all(not one.unsent for one in world.state().notices.receivers.values())


def test_without_receivers_nothing_is_raised():
    world = Told(lambda _plan: None)
    world.run()
    assert not world.raised()
    assert not world.arrived_notices


def test_a_notice_is_raised_in_the_transaction_of_what_it_tells_of():
    world = Told()
    appended = []
    world.handle_for = _keeping(world.handle_for, appended)
    world.run()
    for entries in appended:
        if any(kind == "notice-raised" for kind, _ in entries):
            assert any(kind in {"admitted", "moved"} for kind, _ in entries), entries


def _keeping(handle_for, appended):
    def made(handle, life, told):
        inner = handle_for(handle, life, told)
        append = inner.append

        def keeping(entries, **kwargs):
            appended.append([(one.kind, one.body) for one in entries])
            return append(entries, **kwargs)

        inner.append = keeping
        return inner

    return made


def test_who_wants_only_holds_is_told_of_holds_alone():
    world = Told(notifying({"webhook": TEAMS, "on": ["held"]}, {"webhook": SOC, "on": ["completed"]}))
    world.run()
    assert {notice.raised.occasion for _, notice in world.arrived_notices} == {"completed"}
    assert {name for name, _ in world.arrived_notices} == {n for n in world.state().notices.receivers if "#" in n}


def test_the_way_back_is_told_wave_by_wave_and_again_after_another_attempt():
    world = Told()
    world.run()
    world.ask_back(Way.ROLLBACK)
    world.run()
    back = [one for one in world.raised() if one.occasion == "rolled-back"]
    assert sorted(id_ for one in back for id_ in one.migrations) == sorted(world.ids)
    assert all("as in the snapshot" in one.detail for one in back)

    before = len(world.raised())
    world.run()
    assert len(world.raised()) == before  # nothing new
    world.release(forward=True)
    world.run()
    again = world.raised()[before:]
    assert {one.occasion for one in again} == {"completed"}  # a wave starts once
    assert sorted(id_ for one in again for id_ in one.migrations) == sorted(world.ids)


def test_what_an_operator_holds_while_nobody_drives_is_told_by_the_next_runner_once():
    world = Told()
    world.run(until=Phase.PREPARED)
    id_ = world.ids[0]
    hold = Held(migration=id_, reason="operator", detail="incident 4711", release="`dmsa release PLAN`", by="CORP\\ann")
    world.say(hold)
    world.run(until=Phase.PREPARED)
    world.run(until=Phase.PREPARED)
    (told,) = [one for one in world.raised() if one.occasion == "held"]
    assert told.migrations == (id_,)
    assert told.detail == "Held by CORP\\ann (operator): incident 4711"
    assert told.todo == "`dmsa release PLAN`"

    world.release(id_)
    world.say(hold)
    world.run(until=Phase.PREPARED)
    assert len([one for one in world.raised() if one.occasion == "held"]) == 2  # it is another hold


def test_a_flood_of_holds_is_one_message_that_names_them():
    world = Told()
    world.run(until=Phase.PREPARED)
    world.say(*(Held(migration=id_, reason="operator", detail="stop", release="go", by="x") for id_ in world.ids))
    world.run(until=Phase.PREPARED)
    held = [one for one in world.raised() if one.occasion == "held"]
    assert [one.wave for one in held] == [wave.name for wave in world.plan.waves]
    assert sorted(id_ for one in held for id_ in one.migrations) == sorted(world.ids)
    assert "The first" in max(held, key=lambda one: len(one.migrations)).detail


def test_further_holds_of_a_kind_wait_a_minute_for_each_other_and_none_is_left_out():
    world = Told()
    world.run(until=Phase.PREPARED)
    wave = max(world.plan.waves, key=lambda one: len(one.migrations))
    first, *others = [one.id for one in wave.migrations]
    assert others
    said = []

    def one_after_the_other(conductor):
        for id_ in (first, *others):
            world.say(Held(migration=id_, reason="operator", detail="stop", release="go", by="x"))
            conductor.drive()
            said.append(len([one for one in world.raised() if one.occasion == "held"]))

    world.duty = one_after_the_other
    world.run(until=Phase.PREPARED)
    assert set(said) == {1}
    told = [one.migrations for one in world.raised() if one.occasion == "held"]
    assert told == [(first,), tuple(others)]


@pytest.mark.parametrize(
    "answer",
    [Answer("later", "no connection"), Answer("later", "500", 500, 30.0), Answer("refused", "410", 410), "hangs"],
)
def test_a_dead_receiver_changes_nothing_of_the_run(answer):
    healthy = Told(notifying(TEAMS, SOC))
    healthy.run()
    dead = Told(notifying(TEAMS, SOC), answers={"env:TEAMS": answer})
    dead.run()
    assert dead.phases() == healthy.phases()
    assert dead.estate.now == healthy.estate.now
    about_notices = (NoticeRaised, NoticeSent, NoticeUnsent)
    assert [one.kind for one in dead.events() if not isinstance(one, about_notices)] == [
        one.kind for one in healthy.events() if not isinstance(one, about_notices)
    ]
    assert len(dead.arrived_notices) == len(dead.raised())  # the other one took them all
    assert {name for name, _ in dead.arrived_notices} == {n for n in dead.state().notices.receivers if "#" in n}


def test_that_a_receiver_does_not_answer_is_written_down_once():
    answers = {"env:TEAMS": Answer("later", "no connection")}
    world = Told(answers=answers)
    world.run()
    (silent,) = [one for one in world.events() if isinstance(one, NoticeUnsent)]
    assert (silent.why, silent.for_good) == ("no connection", False)
    receiver = world.state().notices.receivers["env:TEAMS"]
    assert receiver.silent.why == "no connection"
    assert len(receiver.unsent) == len(world.raised())
    # Once: the runner's own clock, by which it is tried again, did not move since.
    assert answers["posts"] == [("env:TEAMS", receiver.unsent[0].id)]

    del answers["env:TEAMS"]
    world.run()
    receiver = world.state().notices.receivers["env:TEAMS"]
    assert (receiver.silent, receiver.unsent) == (None, ())
    assert [notice.raised.number for _, notice in world.arrived_notices] == [one.number for one in world.raised()]


def test_what_is_refused_is_not_sent_again_and_the_next_one_is():
    answers = {"env:TEAMS": Answer("refused", "it answers 410", 410)}
    world = Told(answers=answers)
    world.run()
    refused = [one for one in world.events() if isinstance(one, NoticeUnsent)]
    assert [one.for_good for one in refused] == [True] * len(world.raised())
    assert len(set(answers["posts"])) == len(answers["posts"]) == len(world.raised())
    receiver = world.state().notices.receivers["env:TEAMS"]
    assert receiver.unsent == ()
    assert receiver.silent.for_good


class Posting(Told):
    """A world that knows at which moments of its doom a notice was posted."""

    def __init__(self, change):
        super().__init__(change)
        self.moments = []

    def outbox_for(self, life):
        inner = super().outbox_for(life)
        send = inner.send

        def noted(*letter):
            self.moments.append(life._life.passed + 1)
            return send(*letter)

        inner.send = noted
        return inner


def test_killed_around_each_post_every_notice_arrives_and_none_has_two_ids():
    doom = Doom()
    whole = Posting(soon)
    whole.run(doom=doom)
    wanted = sorted(whole.occasions())
    twice = 0
    some = whole.moments[:: max(1, len(whole.moments) // 4)]  # every fourth part of the way, all around it
    for post in some:
        for at in (post - 1, post, post + 1, post + 2, post + 3):
            world = Told(soon)
            with pytest.raises(Crash):
                world.run(doom=Doom(at=at))
            world.run()
            assert sorted(world.occasions()) == wanted, at
            ids = {notice.id for _, notice in world.arrived_notices}
            assert len(ids) == len(world.raised()), at
            twice += len(world.arrived_notices) - len(ids)
            assert not world.state().notices.receivers["env:TEAMS"].unsent
    assert twice >= len(some)  # where it died between the post and the row


def test_the_runner_leaves_after_its_last_words():
    world = Told()
    world.run()
    kinds = [one.kind for one in world.events()]
    assert kinds[-1] == "runner-left"
    assert isinstance(world.events()[-1], RunnerLeft)
