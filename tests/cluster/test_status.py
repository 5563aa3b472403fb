"""``dmsa cluster``: who is there, who is missing, and what a broker's administrator imports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.cluster.message import queue_of
from orchestrator.cluster.rabbitmq import VHOST
from orchestrator.errors import Exit
from orchestrator.journal import open_journal
from orchestrator.journal.jobs import Present
from orchestrator.journal.opening import database as database_at
from orchestrator.journal.postgres_jobs import PostgresJobs
from orchestrator.journal.protocol import Lease
from orchestrator.remote.engine import SiteHealth
from orchestrator.views.cluster import Found, cluster_document, cluster_schema, cluster_text
from tests.cli.desk import Desk
from tests.rabbit import PASSWORDS, Rabbit
from tests.world import ROOT

PLAN = str(ROOT / "plans" / "several-sites.yaml")
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
DRIVES = Lease(epoch=3, holder="ann@hub01", since=NOW)


def present(site: str, runner: str = "runner") -> Present:
    return Present(site, f"{runner}@{site}01", "0.1.0", NOW, NOW + timedelta(seconds=5))


def found(**given: Any) -> Found:
    whole: dict[str, Any] = {
        "plan": "several-sites",
        "typed": "plan.yaml",
        "hosts": {"emea": 2, "apac": 2},
        "present": [present("directory"), present("emea"), present("apac")],
        "oldest": {},
        "driver": DRIVES,
        "health": {"emea": SiteHealth(0, 1), "apac": SiteHealth(3, 1)},
    }
    return Found(**(whole | given))


def document(**given: Any) -> Mapping[str, Any]:
    told = cluster_document(found(**given))
    Draft202012Validator(cluster_schema()).validate(told)
    assert told["exit"] == (Exit.HELD if told["todo"] else Exit.DONE)
    return told


def test_a_cluster_that_is_whole_wants_nothing():
    told = document(oldest={"apac": NOW})
    assert told["todo"] == []
    assert cluster_text(told) == (
        "several-sites: ann@hub01 drives.\n"
        "  of the directory  runner@directory01, dmsa 0.1.0, since 2026-11-30T09:00:00Z, seen 2026-11-30T09:00:05Z\n"
        "emea: 2 hosts, 1 runners, 1 listen, 0 rings wait\n"
        "  runner@emea01, dmsa 0.1.0, since 2026-11-30T09:00:00Z, seen 2026-11-30T09:00:05Z\n"
        "apac: 2 hosts, 1 runners, 1 listen, 3 rings wait, calls nobody has claimed since 2026-11-30T09:00:00Z\n"
        "  runner@apac01, dmsa 0.1.0, since 2026-11-30T09:00:00Z, seen 2026-11-30T09:00:05Z"
    )


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ({"driver": None}, "nobody drives: start `dmsa runner plan.yaml --site directory`"),
        ({"present": [present("emea")]}, "nobody serves apac: start `dmsa runner plan.yaml --site apac`"),
        ({"health": {"emea": SiteHealth(0, 1)}}, "apac has no queue: `dmsa cluster definitions`"),
        ({"health": {"emea": SiteHealth(0, 1), "apac": SiteHealth(9, 0)}}, "apac has runners, but none of them hears"),
        ({"health": None, "unheard": "the broker cannot be asked"}, "the broker cannot be asked. Rings wait"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(missing: dict[str, Any], says: str):
    told = document(**missing)
    assert any(line.startswith(says) for line in told["todo"])
    assert f"-> {told['todo'][0]}" in cluster_text(told)


def test_a_broker_that_was_not_asked_is_not_told_of():
    told = document(health=None)
    assert told["todo"] == []
    assert "listen" not in cluster_text(told)


def test_a_file_is_no_journal_of_a_cluster(tmp_path: Path):
    ended = Desk(tmp_path).dmsa("cluster", "status", PLAN)
    assert ended.returncode == Exit.INVALID
    assert "Several sites share a database" in ended.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--broker", "amqps://d:hunter2@mq/dmsa"), "has a password in it"),
        (("--broker", "amqp://d@mq.corp.example/dmsa"), "has no TLS"),
        (("--broker", "amqp://d@localhost/dmsa"), "there is no password for the broker"),
    ],
)
def test_a_broker_that_cannot_be_used_is_refused(tmp_path: Path, words: tuple[str, ...], says: str):
    url = "postgresql://nobody@127.0.0.1:9/none"
    ended = Desk(tmp_path).dmsa("cluster", "status", PLAN, "--journal", url, *words)
    assert (ended.returncode, says in ended.stderr) == (Exit.INVALID, True), ended.stderr
    assert "hunter2" not in ended.stderr


@pytest.mark.service
def test_the_real_thing_is_asked(rabbitmq: Rabbit, database: str, tmp_path: Path):
    words = ("cluster", "status", PLAN, "--journal", database, "--broker", rabbitmq.url(DRIVER), "--json")
    desk = Desk(tmp_path)
    nobody = desk.dmsa(*words, DMSA_BROKER_PASSWORD=PASSWORDS[DRIVER])
    assert (nobody.returncode, nobody.stderr) == (Exit.HELD, "")
    assert [line.partition(":")[0] for line in json.loads(nobody.stdout)["todo"]] == [
        "nobody drives", "nobody serves emea", "nobody serves apac",
    ]  # fmt: skip
    jobs, journal = PostgresJobs(database_at(database)), open_journal(database, create=False)
    journal.acquire("ann@hub01 pid 7")
    jobs.show("emea", "runner@fra", "0.1.0")
    told = json.loads(desk.dmsa(*words, DMSA_BROKER_PASSWORD=PASSWORDS[DRIVER]).stdout)
    jobs.close()
    journal.close()
    assert told["driver"]["holder"] == "ann@hub01 pid 7"
    emea = told["sites"][0]
    assert ([one["runner"] for one in emea["runners"]], emea["listening"]) == (["runner@fra"], 0)
    refused = desk.dmsa(*words, DMSA_BROKER_PASSWORD="wrong")
    assert "it refuses this user" in json.loads(refused.stdout)["todo"][0]


@pytest.mark.service
def test_what_is_printed_for_the_administrator_is_what_rabbitmq_imports(rabbitmq: Rabbit, tmp_path: Path):
    desk = Desk(tmp_path)
    (tmp_path / "definitions.json").write_text(desk.done("cluster", "definitions", PLAN, "--vhost", "other"))
    for user in (DRIVER, user_of("emea")):
        assert user in PASSWORDS  # they are there already, as the runbook makes them
    rabbitmq.control("import_definitions", str(tmp_path / "definitions.json"))
    queues = rabbitmq.control("list_queues", "--vhost", "other", "name", "durable", "type", "--formatter", "json")
    assert sorted((one["name"], one["durable"], one["type"]) for one in json.loads(queues)) == [
        (queue_of(site), True, "classic") for site in ("apac", "emea")
    ]
    allowed = json.loads(rabbitmq.control("list_permissions", "--vhost", "other", "--formatter", "json"))
    here = json.loads(rabbitmq.control("list_permissions", "--vhost", VHOST, "--formatter", "json"))
    assert sorted(allowed, key=str) == sorted(here, key=str)
