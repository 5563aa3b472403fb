"""A runner's manners, as its hosts see them: quotas are run into and respected, and hosts that hang starve nobody."""

from __future__ import annotations

import contextlib
import json
import signal

import pytest

from orchestrator.journal import open_journal
from orchestrator.model.event import AttemptFinished, AttemptStarted, Held, RetryDue, from_body
from orchestrator.model.observation import Outcome
from tests.cli.desk import Desk
from tests.cli.fleet import Visits, fleet, host_of, reach

SHELLS, OPERATIONS, SYSTEM, USERS = 2150859173, 2150859174, 2150859176, 2150859179
RESTART = "Restart-Service"
HANGING = {host_of(number) for number in range(4)}


def events(desk: Desk):
    with contextlib.closing(open_journal(desk.journal, create=False)) as journal:
        return [from_body(row.kind, row.body) for row in journal.read()]


def test_thirty_migrations_get_through_where_there_is_hardly_any_room(tmp_path):
    """Two shells beside another tool's, one request at a time, and four quotas that are spent for a while.

    Whether a third shell is ever asked for depends on how fast the machine is: so it is refused where one must be had.
    """
    weather = [
        {"kind": "busy", "quota": "shells", "when": {"operation": "Create", "host": host_of(7), "times": 3}},
        {"kind": "busy", "quota": "users", "when": {"operation": "Create", "nth": 4, "times": 6}},
        {"kind": "busy", "quota": "operations", "when": {"operation": "Command", "nth": 10, "times": 5}},
        {"kind": "busy", "quota": "system", "when": {"operation": "Receive", "nth": 30, "times": 5}},
        {"kind": "unavailable", "retry_after": "3s", "when": {"operation": "Create", "nth": 20, "times": 2}},
    ]
    desk = fleet(tmp_path, 30, weather, shells_per_user=3, taken=1, operations_per_user=1)
    with desk.running("run", "plan.yaml", "--until", "prepared", forked=True) as run:
        assert run.end().returncode == 0
    assert set(desk.phases().values()) == {"prepared"}
    told = events(desk)
    assert not [one for one in told if isinstance(one, Held)]
    retries = [one for one in told if isinstance(one, RetryDue)]
    assert {one.tries for one in retries if one.turned_away} <= {0}
    assert not [one for one in retries if not one.turned_away], "nothing was counted as failed"
    seen = Visits(desk.lab)
    assert set(seen.turned_away) >= {SHELLS, OPERATIONS, SYSTEM, USERS}
    assert seen.turned_away[SHELLS] < 30, "it is not asked for what it does not give"


@pytest.fixture
def hanging(tmp_path):
    """Six migrations before their restart, to which four of the hosts never answer; we would wait ten minutes."""
    never = [{"kind": "hang", "arrives": False, "when": {"cmdlet": RESTART, "host": host}} for host in HANGING]
    desk = fleet(tmp_path, 6, never)
    with desk.running("lab", "serve", "estates/fleet.yaml", "--state", "lab", "--json", forked=True) as lab:
        assert lab.until_line(1)
        reach(desk, json.loads(lab.lines[0]), timeout="10m")
        desk.done("run", "plan.yaml", "--until", "registered")
        yield desk


def test_hosts_that_hang_keep_neither_the_others_nor_a_way_back_waiting(hanging):
    with hanging.running("run", "plan.yaml", "--hosts-at-once", "3") as run:
        left = {f"dmsa-{number:05d}" for number in range(4, 6)}
        while left:
            line = run.until(lambda line: "-> restarted" in line)
            left.discard(next(word for word in line.split() if word.startswith("dmsa-")))
        with hanging.running("rollback", "plan.yaml", "--only", "dmsa-00005", "--reason", "as a test") as word:
            run.until(lambda line: "-> rolled_back" in line and "dmsa-00005" in line)
            assert word.end().returncode == 0
        run.signal(signal.SIGKILL)
        run.end()
    phases = hanging.phases()
    assert {phases[f"dmsa-{number:05d}"] for number in range(4)} == {"registered"}
    began = [one for one in events(hanging) if isinstance(one, AttemptStarted) and one.cmdlet == RESTART]
    ended = [one for one in events(hanging) if isinstance(one, AttemptFinished) and one.subject in HANGING]
    assert {one.subject for one in began} >= HANGING
    assert not [one for one in ended if one.outcome is Outcome.UNKNOWN], "no timeout has made room"


def test_an_operator_sets_how_many_log_ons_there_are_in_a_second(desk):
    desk.dmsa("preflight", "plan.yaml", "--logons-per-second", "1", "--hosts-at-once", "1")
    seen = Visits(desk.lab)
    hosts = sorted(row["seconds"] for row in seen.of("logged-on") if not row["host"].startswith("dc"))
    assert len(hosts) >= 4
    took = hosts[-1] - hosts[0]
    assert took > len(hosts) - 2, "they begin a second apart here; there the first may be seen a second late"


def test_the_environment_sets_it_too(desk):
    ended = desk.dmsa("preflight", "plan.yaml", DMSA_HOSTS_AT_ONCE="many")
    assert (ended.returncode, "DMSA_HOSTS_AT_ONCE" in ended.stderr) == (2, True)


@pytest.mark.parametrize("option", ["--hosts-at-once", "--logons-per-second"])
@pytest.mark.parametrize("verb", ["run", "rollback", "undo", "reset", "drill", "preflight", "preview", "verify"])
def test_none_at_all_is_refused(desk, verb, option):
    ended = desk.dmsa(verb, "plan.yaml", option, "0")
    assert (ended.returncode, option in ended.stderr) == (2, True)
