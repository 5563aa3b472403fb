"""Every state of a small world is visited, no invariant breaks in any, and breaches of the rules are found in it."""

from __future__ import annotations

import logging
import re
from dataclasses import fields
from pathlib import Path

import pytest
import structlog

from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.switches import Switches
from orchestrator.rehearsal.course import Course
from tests.simulation.exhaustive import form
from tests.simulation.exhaustive.__main__ import summary
from tests.simulation.exhaustive.happenings import Fault
from tests.simulation.exhaustive.search import Found, Search
from tests.simulation.exhaustive.world import HOSTS, IDS, Size
from tests.simulation.teeth import TEETH

WHOLE = Size(faults=1)
"""Two migrations on two hosts and two domain controllers, and whatever goes wrong once."""
BACK = Size(ids=IDS[:1], words=1)
"""One of them, which an operator turns round, or releases, at any time."""

FAIR = Size(ids=IDS[:1], hosts=HOSTS[:1])
FAULT = Size(ids=IDS[:1], hosts=HOSTS[:1], faults=1)
WORD = Size(ids=IDS[:1], hosts=HOSTS[:1], words=1)
PAIR = Size(hosts=HOSTS[:1])
BITES = {
    "repeat after an unknown outcome": FAULT,
    "repeat without deleting the shell": FAULT,
    "look before the settling time is over": FAULT,
    "skip the read-back": FAULT,
    "take over and forget what was open": FAULT,
    "forget the dwell": FAIR,
    "forget convergence": FAIR,
    "keep from the journal what was folded": FAIR,
    "ignore at_once": PAIR,
    "call it restored and write nothing": WORD,
}
"""Breaches that show in a world smaller still."""


def searched(size: Size) -> Found:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return Search(size).run()


@pytest.mark.parametrize(
    ("size", "states", "transitions"),
    [(WHOLE, 6858, 16362), (BACK, 1881, 3923)],
    ids=["whatever-goes-wrong-once", "the-way-back"],
)
def test_no_invariant_breaks_in_any_state(size, states, transitions):
    found = searched(size)
    assert [str(one) for one in found.violations] == []
    assert found.ended
    assert set(found.faults) == (set(Fault) if size.faults else {Fault.REPLICATION_DELAY})
    assert (found.states, found.transitions) == (states, transitions), summary(size, found)


@pytest.mark.parametrize("size", [FAIR, FAULT, WORD, PAIR], ids=["fair", "fault", "word", "pair"])
def test_nothing_is_found_where_nobody_made_a_breach(size):
    found = searched(size)
    assert [str(one) for one in found.violations] == []
    assert found.ended


@pytest.mark.parametrize("tooth", [one for one in TEETH if one.name in BITES], ids=lambda tooth: tooth.name)
def test_a_breach_is_found(monkeypatch, tooth):
    tooth.breach(monkeypatch)
    (violation,) = searched(BITES[tooth.name]).violations
    assert violation.what.partition(":")[0] in tooth.found_by, violation


IMMATERIAL = {
    *("run", "digest", "plan", "migrations"),  # the same in all, or formed one by one
    *("driver", "refused", "last_at", "counts"),  # told to people, and to Prometheus
    *("drills", "drill", "turned"),  # there are no drills
    "approvals",  # nobody has to approve
    "claims",  # no account stands in two migrations
    "restarts",  # there are no windows
    "notices",  # nobody is told anything
    *("shells", "touched", "_planned"),  # which shells are open decides nothing; read at once; made when asked for
    "admission",  # answers that are kept, and are the same when they are asked for anew
}


@pytest.mark.parametrize(
    ("kind", "name", "left_out"),
    [
        (MigrationState, "state", {"snapshot_at", "repeated_at", "compared"}),  # told to people
        (RunState, "run", IMMATERIAL),
        (Switches, "switches", {"unread"}),  # of other runs, and there are none
        (Course, "one", {"id", "members", "asked_back"}),  # who the directory shows; the latter is told to people
    ],
)
def test_the_form_speaks_of_every_field(kind, name, left_out):
    said = set(re.findall(rf"\b{name}\.(\w+)", Path(form.__file__).read_text(encoding="utf-8")))
    assert {field.name for field in fields(kind)} - said == left_out
