"""Many conversations at the same time, with an estate in this process: repeated, stopped, hung up on."""

from __future__ import annotations

import contextlib

import pytest

from orchestrator.cli.conversations import Conversations, Separately
from orchestrator.lab.estate import Estate, load_spec
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Read, cmdlet
from orchestrator.model.observation import Outcome
from orchestrator.remote.traffic import HOSTS_AT_ONCE

HOSTS = [f"h{number}.corp.example" for number in range(3 * HOSTS_AT_ONCE)]
ESTATE = f"""
name: many
domain: {{dns: corp.example, netbios: CORP}}
dcs: [{{name: dc01.corp.example}}]
hosts: [{", ".join(f"{{name: {name}}}" for name in HOSTS)}]
"""
SYSTEM = cmdlet("Get-CimInstance", ClassName="Win32_OperatingSystem")


def course(host, reads=2):
    """Ask so often; return how it went each time."""
    went = []
    for _ in range(reads):
        reply = yield Read(host, (SYSTEM,))
        went.append(reply.outcome)
    return went


@contextlib.contextmanager
def talking(estate=ESTATE, stopped=lambda: False):
    far = Estate(load_spec(estate))
    made = []

    def make():
        made.append(MemoryTransport(far, "CORP\\operator"))
        return made[-1]

    with (
        contextlib.closing(Separately(make)) as transport,
        contextlib.closing(Conversations(transport, stopped)) as talks,
    ):
        yield talks, transport, made


def test_every_conversation_is_held_to_its_end():
    with talking() as (talks, _, _made):
        ends = dict(talks.hold((host, course(host)) for host in HOSTS))
    assert ends == {host: [Outcome.SUCCEEDED] * 2 for host in HOSTS}


def test_a_conversation_without_a_question_ends_too():
    with talking() as (talks, _, _made):
        assert dict(talks.hold([("none", course("h0.corp.example", 0)), ("one", course("h0.corp.example", 1))])) == {
            "none": [],
            "one": [Outcome.SUCCEEDED],
        }


def test_whoever_has_said_everything_is_hung_up_on():
    with talking() as (talks, transport, made):
        for _ in talks.hold(((host, course(host)) for host in HOSTS), hang_up=True):
            assert len(transport.endpoints) <= 2 * HOSTS_AT_ONCE
        assert not transport.endpoints
        assert len(made) == len(HOSTS)


@pytest.mark.parametrize(("times", "went"), [(1, Outcome.SUCCEEDED), (2, Outcome.UNKNOWN)])
def test_a_read_that_may_work_the_next_time_is_sent_once_more(times, went):
    rule = f"{{kind: lost-reply, when: {{cmdlet: Get-CimInstance, host: {HOSTS[0]}, times: {times}}}}}"
    with talking(f"{ESTATE}weather: [{rule}]") as (talks, _, _made):
        assert dict(talks.hold([("a", course(HOSTS[0], 1))])) == {"a": [went]}


@pytest.mark.parametrize(("times", "went"), [(3, Outcome.SUCCEEDED), (9, Outcome.FAILED)])
def test_an_endpoint_without_room_is_asked_again_for_a_while(monkeypatch, times, went):
    monkeypatch.setattr("orchestrator.cli.trips.ROOM", (0.01, 0.02, 0.03))
    rule = f"{{kind: busy, when: {{cmdlet: Get-CimInstance, host: {HOSTS[0]}, times: {times}}}}}"
    with talking(f"{ESTATE}weather: [{rule}]") as (talks, _, _made):
        ends = dict(talks.hold([("a", course(HOSTS[0], 1)), ("b", course(HOSTS[1], 1))]))
    assert ends == {"a": [went], "b": [Outcome.SUCCEEDED]}


def test_once_stopped_nothing_more_is_asked():
    ended = []
    with talking(stopped=lambda: len(ended) >= 5) as (talks, _, _made):
        ended.extend(key for key, _ in talks.hold((host, course(host)) for host in HOSTS))
        ended.extend(["x"] * 5)
        assert dict(talks.hold([("more", course(HOSTS[0]))])) == {}
