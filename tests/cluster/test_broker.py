"""The broker of a cluster: who may do what there, what is turned away, and what happens when it or a runner goes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from amqp import Message
from amqp.exceptions import AccessRefused
from kombu import Connection, Exchange, Queue
from structlog.testing import capture_logs

from orchestrator.cluster.broker import CeleryEngine
from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.cluster.message import RING, queue_of
from orchestrator.lab.wire.certificates import Authority
from orchestrator.remote.engine import EngineUnreachable
from tests.cluster.hearing import eventually, hearing, hearing_elsewhere
from tests.rabbit import PASSWORDS, Rabbit

pytestmark = pytest.mark.service

EMEA, APAC = user_of("emea"), user_of("apac")


@pytest.fixture
def driver(rabbitmq: Rabbit) -> Iterator[CeleryEngine]:
    engine = rabbitmq.engine(DRIVER)
    yield engine
    engine.close()


def depth(engine: CeleryEngine, site: str) -> int:
    return engine.health((site,))[site].waiting


# Who may do what.


def test_a_site_hears_no_other_site(rabbitmq: Rabbit, driver: CeleryEngine):
    driver.ring("apac", "not-yours", "start")
    eventually(lambda: depth(driver, "apac") == 1)
    with capture_logs() as told, hearing(rabbitmq.engine(EMEA), "apac") as found:
        eventually(lambda: any(entry["event"] == "no broker" for entry in told))
    assert found.heard == []
    assert depth(driver, "apac") == 1
    (why,) = [entry["why"] for entry in told if entry["event"] == "no broker"]
    assert why == (
        "it refuses this user "
        "(ACCESS_REFUSED - access to queue 'dmsa.apac' in vhost 'dmsa' refused for user 'dmsa-emea')"
    )
    with hearing(rabbitmq.engine(APAC), "apac") as theirs:
        theirs.wait(lambda it: it.heard == [("apac", "not-yours", "start")])


def _consume(connection: Connection, queue: str) -> None:
    connection.channel().basic_consume(queue)


def _get(connection: Connection, queue: str) -> None:
    connection.channel().basic_get(queue)


def _purge(connection: Connection, queue: str) -> None:
    connection.channel().queue_purge(queue)


def _delete(connection: Connection, queue: str) -> None:
    connection.channel().queue_delete(queue)


def _declare(connection: Connection, queue: str) -> None:
    Queue(f"{queue}.mine", Exchange("")).declare(channel=connection.channel())


def _bind(connection: Connection, queue: str) -> None:
    connection.channel().queue_bind(queue, "amq.fanout", "")


def _publish(connection: Connection, queue: str) -> None:
    connection.transport_options["confirm_publish"] = True
    connection.Producer(auto_declare=False).publish("x", routing_key=queue, exchange="", confirm_timeout=5)


def _publish_elsewhere(connection: Connection, queue: str) -> None:
    connection.transport_options["confirm_publish"] = True
    connection.Producer(auto_declare=False).publish("x", routing_key=queue, exchange="amq.direct", confirm_timeout=5)


@pytest.mark.parametrize(
    ("user", "site", "operation"),
    [
        *((EMEA, "apac", operation) for operation in (_consume, _get, _purge, _delete, _bind, _publish, _declare)),
        *((EMEA, "emea", operation) for operation in (_delete, _bind, _publish, _publish_elsewhere, _declare)),
        *((DRIVER, "emea", operation) for operation in (_consume, _get, _purge, _delete, _bind, _declare)),
        (DRIVER, "emea", _publish_elsewhere),
    ],
)
def test_nobody_does_what_is_not_his(rabbitmq: Rabbit, user: str, site: str, operation):
    with rabbitmq.connection(user) as connection, pytest.raises(AccessRefused):
        operation(connection, queue_of(site))


def test_who_is_refused_is_told_so_and_no_password_is(rabbitmq: Rabbit):
    engine = CeleryEngine(rabbitmq.url(EMEA), "not-this-one", name="stranger")
    with pytest.raises(EngineUnreachable) as refused:
        engine.health(("emea",))
    with capture_logs() as told, hearing(engine, "emea"):
        eventually(lambda: any(entry["event"] == "no broker" for entry in told))
    assert "refuses this user" in f"{refused.value}"
    assert "not-this-one" not in f"{refused.value}{told}{engine!r}{vars(engine)['_app'].conf.humanize()}"


def test_the_environment_does_not_lead_to_another_broker(
    rabbitmq: Rabbit, driver: CeleryEngine, monkeypatch: pytest.MonkeyPatch
):
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, "amqp://guest:guest@localhost:9/")
    with hearing(rabbitmq.engine(EMEA), "emea") as found:
        driver.ring("emea", "here", "start")
        found.wait(lambda it: ("emea", "here", "start") in it.heard)


# What is turned away.

WORDS = [["emea", "m", "s"], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
HEADERS = {"task": RING, "id": "1", "lang": "py"}
FOREIGN = {
    "text": {"body": b"hello", "content_type": "text/plain"},
    "foreign JSON": {"body": b'{"task": "mine"}'},
    "old protocol": {"body": b'{"task": "dmsa.ring", "id": "1", "args": ["emea", "m", "s"], "kwargs": {}}'},
    "no JSON": {"body": b"[[", "headers": HEADERS},
    "another task": {"body": WORDS, "headers": {**HEADERS, "task": "celery.backend_cleanup"}},
    "pickle": {"body": b"\x80\x04.", "headers": HEADERS, "content_type": "application/x-python-serialize",
               "content_encoding": "binary"},
    "two words": {"body": [["emea", "m"], *WORDS[1:]], "headers": HEADERS},
    "a number": {"body": [["emea", "m", 1], *WORDS[1:]], "headers": HEADERS},
    "keywords": {"body": [WORDS[0], {"x": 1}, WORDS[2]], "headers": HEADERS},
    "calls back": {"body": [*WORDS[:2], {"callbacks": [{"task": "x"}]}], "headers": HEADERS},
    "later": {"body": WORDS, "headers": {**HEADERS, "eta": "2031-01-01T00:00:00+00:00"}},
    "huge": {"body": [["emea", "m" * 1_000_000, "s"], *WORDS[1:]], "headers": HEADERS},
    "packed": {"body": b"x", "headers": {**HEADERS, "compression": "application/x-gzip"}},
}  # fmt: skip


def test_what_is_no_ring_is_turned_away_and_stops_nobody(rabbitmq: Rabbit, driver: CeleryEngine):
    with rabbitmq.connection(DRIVER) as connection:
        channel = connection.channel()
        for message in FOREIGN.values():
            sent = {"content_type": "application/json", "content_encoding": "utf-8", **message}
            body, headers = sent.pop("body"), sent.pop("headers", {})
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            channel.basic_publish(Message(raw, application_headers=headers, **sent), routing_key="dmsa.emea")
    driver.ring("emea", "after-all", "start")
    with capture_logs() as told, hearing(rabbitmq.engine(EMEA), "emea") as found:
        found.wait(lambda it: it.heard)
        eventually(lambda: sum(entry["event"] == "message turned away" for entry in told) == len(FOREIGN))
    assert found.heard == [("emea", "after-all", "start")]
    assert depth(driver, "emea") == 0
    assert [entry for entry in told if entry["log_level"] in {"error", "critical"}] == []


# What goes.


def test_a_ring_of_a_runner_that_was_killed_goes_to_another_one(rabbitmq: Rabbit, driver: CeleryEngine):
    with hearing_elsewhere(rabbitmq.url(EMEA), PASSWORDS[EMEA], "emea", word="go") as process:
        driver.ring("emea", "inherited", "start")
        assert process.stdout is not None
        assert process.stdout.readline() == "emea inherited start\n"
        process.kill()
        with hearing(rabbitmq.engine(EMEA), "emea") as found:
            found.wait(lambda it: ("emea", "inherited", "start") in it.heard)


def test_a_runner_that_is_told_to_end_does_so_by_its_own_signals_and_prints_nothing_of_celery(
    rabbitmq: Rabbit, driver: CeleryEngine
):
    with hearing_elsewhere(rabbitmq.url(EMEA), PASSWORDS[EMEA], "emea", word="go") as process:
        driver.ring("emea", "last", "start")
        assert process.stdout is not None
        assert process.stdout.readline() == "emea last start\n"
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate("go\n", timeout=60)
    assert (process.returncode, said, complained) == (0, "done\nsignals are ours\n", "")
    assert depth(driver, "emea") == 0


def test_rings_that_are_lost_are_no_error(rabbitmq: Rabbit, driver: CeleryEngine):
    for number in range(5):
        driver.ring("emea", f"lost-{number}", "start")
    eventually(lambda: depth(driver, "emea") == 5)
    rabbitmq.purge("emea")
    assert depth(driver, "emea") == 0
    with hearing(rabbitmq.engine(EMEA), "emea") as found:
        driver.ring("emea", "again", "start")
        found.wait(lambda it: it.heard)
    assert found.heard == [("emea", "again", "start")]


def test_a_ring_for_a_site_without_a_queue_is_told_once(rabbitmq: Rabbit, driver: CeleryEngine):
    with capture_logs() as told:
        for number in range(3):
            driver.ring("antarctica", f"{number}", "start")
        driver.ring("emea", "there", "start")
        eventually(lambda: depth(driver, "emea") == 1)
    rabbitmq.purge("emea")
    (once,) = [entry for entry in told if entry["event"] == "ring for nobody"]
    assert "dmsa.antarctica" in once["why"]
    assert "dmsa cluster definitions" in once["why"]


def test_a_broker_that_goes_and_comes_is_told_once_and_heard_again(rabbitmq: Rabbit, driver: CeleryEngine):
    engine = rabbitmq.engine(EMEA)
    with rabbitmq.there_again(), capture_logs() as told:
        with hearing(engine, "emea") as found:
            driver.ring("emea", "before", "start")
            found.wait(lambda it: it.heard)
            rabbitmq.kill()
            eventually(lambda: any(entry["event"] == "no broker" for entry in told))
        assert [entry["event"] for entry in told if entry["log_level"] == "warning"] == ["no broker"]
        with pytest.raises(EngineUnreachable, match="cannot be asked"):
            driver.health(("emea",))
        driver.ring("emea", "meanwhile", "start")
        told.clear()
        with hearing(rabbitmq.engine(EMEA), "emea") as found:  # begins while there is none
            eventually(lambda: any(entry.get("to") == "hear" for entry in told))
            rabbitmq.start()
            found.wait(lambda it: it.heard)
    assert found.heard == [("emea", "meanwhile", "start")]
    of_hearing = [entry["event"] for entry in told if entry.get("to") == "hear"]
    assert of_hearing == ["no broker", "broker is back"]
    assert not {*PASSWORDS.values()} & {word for entry in told for word in f"{entry}".split()}


# TLS.


def test_tls_is_spoken_with_the_broker_that_the_authority_vouches_for(rabbitmq: Rabbit):
    engine = CeleryEngine(rabbitmq.tls_url(DRIVER), PASSWORDS[DRIVER], name="a test")
    assert set(engine.health(("emea", "apac"))) == {"emea", "apac"}
    site = CeleryEngine(rabbitmq.tls_url(EMEA), PASSWORDS[EMEA], name="a test")
    with hearing(site, "emea") as found:
        engine.ring("emea", "sealed", "start")
        found.wait(lambda it: it.heard == [("emea", "sealed", "start")])
    engine.close()


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_tls_is_not_spoken_with_anybody_else(rabbitmq: Rabbit, tmp_path: Path, wrong: str):
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().pem)
    given = {"authority": {"authority": other}, "name": {"host": "127.0.0.1"}}[wrong]
    engine = CeleryEngine(rabbitmq.tls_url(DRIVER, **given), PASSWORDS[DRIVER], name="a test")
    with pytest.raises(EngineUnreachable, match="certificate verify failed"):
        engine.health(("emea",))
