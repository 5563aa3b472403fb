"""What is read of the forest: every position that the lab's directory can be put into, and what no reply answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.cli.probe import subject_of
from orchestrator.lab.estate import account_control as uac
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, Reply
from orchestrator.probe.forest import KERBEROS_LOG
from orchestrator.probe.judge import Answer, under
from orchestrator.probe.questions import CIRCUMSTANCES, READINGS
from orchestrator.probe.reads import Reading, read_out
from tests.probe.bench import DMSA, Bench

DOMAIN = "DC=corp,DC=example"
SCHEMA = f"CN=Schema,CN=Configuration,{DOMAIN}"
KEYS = f"CN=Master Root Keys,CN=Group Key Distribution Service,CN=Services,CN=Configuration,{DOMAIN}"
CLASS = "ms-DS-Delegated-Managed-Service-Account"
PRECEDED, SUPERSEDED = "msDS-ManagedAccountPrecededByLinkBL", "msDS-SupersededManagedAccountLinkBL"
ADDED = datetime(2026, 1, 1, tzinfo=UTC)


def asked(prepare: Callable[[Bench], None] = lambda _bench: None) -> dict[str, Answer]:
    bench = Bench()
    prepare(bench)
    inquiry = bench.ask()
    assert (inquiry.ended_early, inquiry.astray, bench.changed()) == ("", "", {})
    return {id_: finding.answer for id_, finding in inquiry.findings.items()}


def carried(**on: tuple[str, ...]) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        for name in ("Top", CLASS):
            bench.put(f"CN={name},{SCHEMA}", systemMayContain=on.get(name.replace("-", "_"), ()))

    return prepare


def flagged(preceded: int, superseded: int) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        bench.put(f"CN=ms-DS-Managed-Account-Preceded-By-Link-BL,{SCHEMA}", systemFlags=preceded)
        bench.put(f"CN=ms-DS-Superseded-Managed-Account-Link-BL,{SCHEMA}", systemFlags=superseded)

    return prepare


def key(effective_after: timedelta) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        replica = next(iter(bench.world.estate.directory.replicas.values()))
        container = replica.at_dn(KEYS)
        assert container is not None
        (one,) = replica.children(container)
        times = {"msKds__CreateTime": ADDED, "msKds__UseStartTime": ADDED + effective_after}
        bench.put(replica.dn(one), **{name: uac.filetime(at) for name, at in times.items()})

    return prepare


def level(number: int) -> Callable[[Bench], None]:
    return lambda bench: bench.put(DOMAIN, msDS__Behavior__Version=number)


def closed(value: bool) -> Callable[[Bench], None]:
    return lambda bench: bench.put(f"CN=ms-DS-Managed-Account-Preceded-By-Link,{SCHEMA}", systemOnly=value)


BOTH = f"{PRECEDED} on {{}}; {SUPERSEDED} on {{}}"
POSITIONS: dict[str, tuple[str, Callable[[Bench], None], Any, str]] = {
    "both on top": ("back_link_classes", carried(Top=(PRECEDED, SUPERSEDED)), BOTH.format("top", "top"), ""),
    "one on top": (
        "back_link_classes",
        carried(Top=(PRECEDED,), **{CLASS.replace("-", "_"): (SUPERSEDED,)}),
        BOTH.format("top", "msDS-DelegatedManagedServiceAccount"),
        "",
    ),
    "one on both classes": (
        "back_link_classes",
        carried(Top=(PRECEDED, SUPERSEDED), **{CLASS.replace("-", "_"): (SUPERSEDED,)}),
        BOTH.format("top", "msDS-DelegatedManagedServiceAccount, top"),
        "",
    ),
    "one on no class": ("back_link_classes", carried(Top=(PRECEDED,)), BOTH.format("top", "no class"), ""),
    "on no class": ("back_link_classes", carried(), None, "the schema shows nothing of it"),
    "16": ("back_link_flags", flagged(16, 16), f"{PRECEDED} 16; {SUPERSEDED} 16", ""),
    "17": ("back_link_flags", flagged(17, 17), f"{PRECEDED} 17; {SUPERSEDED} 17", ""),
    "one of each": ("back_link_flags", flagged(17, 16), f"{PRECEDED} 17; {SUPERSEDED} 16", ""),
    "ten hours": ("root_key_delay", key(timedelta(hours=10)), "10 hours", "10:00:00 after it was added"),
    "ten hours and a moment": ("root_key_delay", key(timedelta(hours=10, seconds=2)), "10 hours", ""),
    "ten days": ("root_key_delay", key(timedelta(days=10)), "10 days", "10 days"),
    "at once": ("root_key_delay", key(timedelta(0)), None, "tells nothing"),
    "dated back": ("root_key_delay", key(-timedelta(hours=10)), None, "tells nothing"),
    "the log": ("kerberos_log", lambda _: None, "Microsoft-Windows-Security-Kerberos/Operational", "lists"),
    "level 7": ("start_below_level_2025", level(7), True, "the domain is at functional level 7; the pair went"),
    "level 10": ("start_below_level_2025", level(10), None, "the domain is at functional level 10"),
    "closed": ("start_with_closed_link", closed(True), True, "is closed to LDAP writes (systemOnly); the pair went"),
    "open": ("start_with_closed_link", closed(False), None, "is open to LDAP writes"),
}


@pytest.mark.parametrize("position", POSITIONS)
def test_what_it_reports_is_how_the_forest_is(position: str):
    id_, prepare, value, says = POSITIONS[position]
    answer = asked(prepare)[id_]
    assert answer.value == value
    assert says in answer.why


@pytest.mark.parametrize("value", [True, "refuse", "nothing", None])
def test_under_a_circumstance_the_answer_is_what_start_did(value):
    what = Answer(value, "what was seen")
    assert under(Answer(True, "so it is"), what) == Answer(value, "so it is; what was seen")
    assert under(Answer(False, "so it is not"), what) == Answer(None, "so it is not")
    assert under(Answer(None, "nobody knows"), what) == Answer(None, "nobody knows")


SUBJECT = subject_of(Bench().world.plan, DMSA)
AWAY = Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "refused", "dc01 refuses connections"))


def told(reading: Reading, *replies: Reply) -> Answer:
    """Hold a reading's conversation with these replies, the last one for all that follow."""
    conversation, rest = read_out(reading, SUBJECT, ("dc02",)), list(replies)
    next(conversation)
    while True:
        try:
            conversation.send(rest.pop(0) if len(rest) > 1 else rest[0])
        except StopIteration as end:
            answer, evidence = end.value
            assert evidence
            return answer


@pytest.mark.parametrize("reading", [*READINGS, *CIRCUMSTANCES], ids=lambda reading: reading.id)
def test_a_controller_that_does_not_answer_answers_nothing(reading: Reading):
    root = Reply(
        Outcome.SUCCEEDED,
        (Record("ADRootDSE", {"schemaNamingContext": SCHEMA, "defaultNamingContext": DOMAIN}),),
    )
    assert told(reading, AWAY).value is None
    assert told(reading, root, AWAY).value is None


def test_a_key_without_its_times_and_a_link_without_flags_answer_nothing():
    shown = {reading.id: reading for reading in READINGS}
    root = Reply(Outcome.SUCCEEDED, (Record("ADRootDSE", {"schemaNamingContext": SCHEMA}),))
    keyed = Reply(Outcome.SUCCEEDED, (Record("KdsRootKey", {"EffectiveTime": "1/1/2026 10:00"}),))
    one = Reply(Outcome.SUCCEEDED, (Record("ADObject", {"lDAPDisplayName": PRECEDED, "systemFlags": 17}),))
    bare = Reply(Outcome.SUCCEEDED, (Record("ADObject", {"lDAPDisplayName": PRECEDED}),))
    assert "with both its times" in told(shown["root_key_delay"], keyed).why
    assert told(shown["back_link_flags"], root, one) == Answer(None, f"the schema shows {PRECEDED} only")
    assert told(shown["back_link_flags"], root, bare) == Answer(None, "ADObject came back without systemFlags")


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (["Microsoft-Windows-Kerberos/Operational"], "Microsoft-Windows-Kerberos/Operational"),
        (
            ["Microsoft-Windows-Security-Kerberos/Operational", "Microsoft-Windows-Kerberos/Operational"],
            "Microsoft-Windows-Kerberos/Operational, Microsoft-Windows-Security-Kerberos/Operational",
        ),
        (["Microsoft-Windows-Kerberos-KdcProxy/Operational"], "neither"),
        ([], None),
    ],
    ids=["the other", "both", "neither", "none"],
)
def test_the_log_is_called_what_the_controller_calls_it(names, value):
    logs = Reply(Outcome.SUCCEEDED, tuple(Record("EventLogConfiguration", {"LogName": name}) for name in names))
    assert told(KERBEROS_LOG, logs).value == value
