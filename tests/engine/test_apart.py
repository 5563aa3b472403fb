"""Whose an answer is: by data; and whatever the far side says, nobody is given what may be another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.apart import apart, as_one, packed
from orchestrator.engine.shapes import shape_of
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply

DATA: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "apart" / "cases.yaml").read_text(encoding="utf-8"))
FAULT = Fault(FaultKind.PERMANENT, "x", "no")


def statement(name: str) -> Cmdlet:
    given = {key: tuple(one) if isinstance(one, list) else one for key, one in DATA["statements"][name].items()}
    return Cmdlet(given.pop("cmdlet"), given)


def thing(name: str) -> Record:
    given = dict(DATA["objects"][name])
    return Record("System.Boolean", {"": given["bare"]}) if "bare" in given else Record(given.pop("type"), given)


def error(name: str) -> RemoteError:
    return RemoteError(**{"exception": "E", "message": name, "category": "NotSpecified", **DATA["errors"][name]})


def shown(reply: Reply | None, ended: bool) -> Any:
    if reply is None:
        return "again"
    names = {id_: name for name in DATA["objects"] for id_ in [repr(thing(name))]}
    assert (reply.outcome is Outcome.FAILED) == (ended and reply.fault is FAULT)
    return [*(names[repr(one)] for one in reply.records), *(one.message for one in reply.errors)]


@pytest.mark.parametrize("case", DATA["cases"].values(), ids=DATA["cases"])
def test_case(case: dict[str, Any]):
    reads = [Read("dc", tuple(map(statement, names))) for names in case["reads"]]
    ended = bool(case.get("ended"))
    reply = Reply(
        Outcome.FAILED if ended else Outcome.SUCCEEDED,
        tuple(map(thing, case["came"])),
        tuple(map(error, case.get("errors", ()))),
        FAULT if ended else None,
    )
    told = apart(reads, reply)
    assert ("apart" if told is None else [shown(one, ended) for one in told]) == case["gives"]
    if told is not None and ended:
        asked = [one for one in told if one is not None]
        assert [one.fault for one in asked] == [*(None for _ in asked[1:]), FAULT]


TELLING = [name for name in DATA["statements"] if name != "pool"]
some_reads = st.lists(st.sampled_from(TELLING), min_size=2, max_size=6, unique=True).map(
    lambda names: [Read("dc", (statement(name),)) for name in names]
)


@given(some_reads, st.data())
def test_whatever_each_says_it_is_given_its_own_or_nothing(reads: list[Read], data: st.DataObject):
    """Each statement says something of what it may say; told apart, each read has just that."""
    said = []
    for read in reads:
        shape = shape_of(read.statements[0])
        assert shape is not None
        fitting = [thing(name) for name in DATA["objects"] if shape.fits(thing(name))]
        many = data.draw(st.integers(shape.least, 2 if shape.most is None else shape.most)) if fitting else 0
        said.append([data.draw(st.sampled_from(fitting)) for _ in range(many)])
    told = apart(reads, Reply(Outcome.SUCCEEDED, tuple(record for records in said for record in records)))
    if told is not None:
        assert [None if one is None else list(one.records) for one in told] == said


@given(some_reads)
def test_what_is_packed_together_can_be_told_apart_where_all_is_well(reads: list[Read]):
    """No trip is sent of which it is known before that it must be asked apart."""
    whole = {"system": ["os"], "key": ["yes"], "parent": ["no"]}
    for places in packed(reads):
        trip = [reads[place] for place in places]
        came = []
        for read in trip:
            name = next(name for name in TELLING if statement(name) == read.statements[0])
            shape = shape_of(read.statements[0])
            assert shape is not None
            fitting = [one for one in DATA["objects"] if shape.fits(thing(one))]
            if shape.least and not fitting:
                return
            came += whole.get(name) or fitting[: shape.most if shape.most is not None else len(fitting)]
        assert apart(trip, Reply(Outcome.SUCCEEDED, tuple(map(thing, came)))) is not None or len(trip) == 1


@given(some_reads)
def test_every_read_is_in_one_trip(reads: list[Read]):
    trips = packed(reads)
    assert sorted(place for trip in trips for place in trip) == list(range(len(reads)))
    for trip in trips:
        assert trip == sorted(trip)
        assert as_one([reads[place] for place in trip]).statements == tuple(
            reads[place].statements[0] for place in trip
        )


@pytest.mark.parametrize(
    ("names", "trips"),
    [
        (["groups a", "rights a", "groups b", "rights b"], [[0, 1, 2, 3]]),
        (["groups a", "dmsa a", "groups b"], [[0, 1], [2]]),
        (["groups a", "groups b"], [[0], [1]]),
        (["service a", "service b", "system", "every service"], [[0, 1, 2, 3]]),
        (["service a", "every service"], [[0], [1]]),
        (["hosts of a", "user a", "hosts of b"], [[0, 1, 2]]),
        (["key", "pool", "parent"], [[0, 2], [1]]),
    ],
)
def test_what_looks_alike_has_something_certain_between_or_goes_apart(names: list[str], trips: list[list[int]]):
    assert packed([Read("dc", (statement(name),)) for name in names]) == trips


def test_two_domain_controllers_are_asked_apart():
    reads = [Read("dc1", (statement("user a"),)), Read("dc2", (statement("user b"),))]
    assert packed(reads) == [[0], [1]]


def test_a_witness_is_asked_one_by_one():
    reads = [Read("ldap:dc", (statement("user a"),)), Read("ldap:dc", (statement("user b"),))]
    assert packed(reads) == [[0], [1]]
