"""Celery on RabbitMQ as the engine that rings: a queue for each site, and workers that hear it.

What of Celery is used, and what is not. A ring is acknowledged after it was handled (``acks_late``), so that the ring
of a runner that dies goes to another one; each runner is given as many rings as it has slots. No results, no retries,
no times (``eta``), no remote control, no events: the journal has all that. Nothing is declared by anyone who rings or
hears: queues are there, or there is a message (:mod:`orchestrator.cluster.definitions`).

A ring must be handled within RabbitMQ's ``consumer_timeout``, 30 minutes unless the broker says otherwise (RabbitMQ,
"Consumers", Delivery Acknowledgement Timeout): after it, the broker closes the channel and rings another runner, who
finds nothing. The longest step is far below it: 15 minutes, for a host that restarts.

Celery keeps a worker's state in globals of its modules: one :meth:`CeleryEngine.run` at a time in a process.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from amqp.exceptions import AccessRefused, NotFound
from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.exceptions import Reject, WorkerShutdown
from celery.worker.consumer import Consumer
from celery.worker.state import reserved_requests
from kombu import Connection, Exchange, Queue
from kombu.asynchronous import Hub, set_event_loop
from kombu.exceptions import OperationalError

from orchestrator.cluster.address import BrokerAddress, broker_address
from orchestrator.cluster.message import KEPT_FOR, RING, queue_of, why_turned_away
from orchestrator.cluster.outage import Outage
from orchestrator.cluster.publisher import Publisher, Send, Words
from orchestrator.remote.engine import EngineUnreachable, Handle, SiteHealth

HEARTBEAT = 10
"""Seconds. A peer that has given no sign for twice as long counts as gone (RabbitMQ, "Heartbeats")."""
_CONNECT_WITHIN = 3.0
_CONFIRM_WITHIN = 5.0
_TRY_AGAIN_AFTER = 2.0
_LOOK_EVERY = 0.2
"""Seconds between two questions whether to stop."""
_ERRORS = (*Connection("pyamqp://").connection_errors, *Connection("pyamqp://").channel_errors, OperationalError)
_SERVING = threading.Lock()

_log = structlog.get_logger()


class CeleryEngine:
    """The engine of a cluster. *name*: who this is, as the broker's list of connections shows it."""

    def __init__(self, url: str, password: str, *, name: str) -> None:
        """Take a broker's URL, which has no password; nothing is connected yet.

        Raises:
            InputInvalid: the URL cannot be used.
        """
        self._address = broker_address(url)
        self._password = password
        self._name = name
        self._app = self._celery(())
        self._missing: set[str] = set()
        self._publisher = Publisher(self._line, _ERRORS, self._outage("ring"))

    def ring(self, site: str, migration: str, step: str) -> None:
        """Tell one of those who serve a site. It returns at once: a thread of its own does the telling."""
        self._publisher.tell((site, migration, step))

    def run(self, sites: Sequence[str], slots: int, handle: Handle, until: Callable[[], bool]) -> None:
        """Serve sites; see :class:`orchestrator.remote.engine.Engine`. Signals are left as they are.

        Raises:
            RuntimeError: this process serves already.
        """
        if not _SERVING.acquire(blocking=False):
            raise RuntimeError("Celery serves once in a process, and this one serves already")
        try:
            with _logged_by_us():
                self._serve(sites, slots, handle, until)
        finally:
            _SERVING.release()

    def health(self, sites: Sequence[str]) -> Mapping[str, SiteHealth]:
        """Return how many rings wait for each site and how many runners listen; a site without a queue is left out.

        Raises:
            EngineUnreachable: the broker does not answer, or refuses this user.
        """
        try:
            with self._app.connection_for_write() as connection:
                connection.connect()
                found = {site: _health_of(connection, queue_of(site)) for site in sites}
        except _ERRORS as error:
            raise EngineUnreachable(f"the broker {self._address} cannot be asked: {why(error)}") from None
        return {site: health for site, health in found.items() if health is not None}

    def close(self) -> None:
        """Send what waits to be sent, if the broker answers, and send nothing more."""
        self._publisher.close()

    def _outage(self, what_for: str) -> Outage:
        return Outage(str(self._address), what_for, why, (AccessRefused, NotFound))

    def _celery(self, sites: Sequence[str]) -> _Rings:
        return _Rings(self._address, self._password, self._name, sites)

    @contextlib.contextmanager
    def _line(self) -> Iterator[Send]:
        """Connect to the broker, to send over the connection."""
        with self._app.connection_for_write() as connection:
            connection.connect()
            producer = self._app.amqp.Producer(connection, auto_declare=False, on_return=self._came_back)

            def send(words: Words) -> None:
                self._app.send_task(
                    RING,
                    words,
                    queue=_queue(words[0]),
                    producer=producer,
                    ignore_result=True,
                    retry=False,
                    delivery_mode="transient",
                    expiration=KEPT_FOR,
                    mandatory=True,
                    confirm_timeout=_CONFIRM_WITHIN,
                )

            yield send

    def _came_back(self, _error: Exception, _exchange: str, queue: str, _message: object) -> None:
        if queue not in self._missing:
            self._missing.add(queue)
            _log.warning("ring for nobody", broker=str(self._address), why=_no_queue(queue))

    def _serve(self, sites: Sequence[str], slots: int, handle: Handle, until: Callable[[], bool]) -> None:
        app, ending = self._celery(sites), threading.Event()

        def hear(*words: str) -> None:
            if ending.is_set():
                raise Reject("this runner ends", requeue=True)
            handle(*words)

        app.task(name=RING, shared=False, typing=False, ignore_result=True, acks_late=True)(hear)
        setup_worker_optimizations(app, self._name)
        set_event_loop(None)
        worker = app.WorkController(
            hostname=self._name,
            pool="threads",
            concurrency=slots,
            consumer_cls=partial(_Listener, until=until, ending=ending, outage=self._outage("hear")),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,  # of Celery's own events; that of AMQP is broker_heartbeat
        )
        try:
            worker.blueprint.start(worker)
        except WorkerShutdown:
            pass
        finally:
            worker.stop()


class _Rings(Celery):
    """Celery, told what it is used for. Where the broker is, it hears from here only, not from its environment."""

    def __init__(self, address: BrokerAddress, password: str, name: str, sites: Sequence[str]) -> None:
        super().__init__("dmsa", set_as_current=False)
        self._address, self._password, self._name = address, password, name
        self.conf.update(
            accept_content=["json"],
            task_serializer="json",
            task_queues=[_queue(site) for site in sites],
            task_create_missing_queues=False,
            task_ignore_result=True,
            task_reject_on_worker_lost=True,
            worker_prefetch_multiplier=1,
            worker_enable_remote_control=False,
            worker_send_task_events=False,
            worker_disable_rate_limits=True,
            worker_enable_prefetch_count_reduction=False,
            worker_cancel_long_running_tasks_on_connection_loss=False,
            broker_heartbeat=HEARTBEAT,
            broker_connection_retry_on_startup=True,
            broker_channel_error_retry=True,
        )

    def connection_for_read(self, url: Any = None, **options: Any) -> Connection:  # noqa: ARG002 - so Celery calls it
        return Connection(
            transport="pyamqp",
            hostname=self._address.host,
            port=self._address.port,
            userid=self._address.user,
            password=self._password,
            virtual_host=self._address.vhost,
            login_method="PLAIN",
            ssl=self._address.tls_options(),
            heartbeat=options.get("heartbeat") or 0,
            connect_timeout=_CONNECT_WITHIN,
            transport_options={"confirm_publish": True, "client_properties": {"connection_name": self._name}},
        )

    def connection_for_write(self, url: Any = None, **options: Any) -> Connection:
        return self.connection_for_read(url, **options)


class _Listener(Consumer):
    """Celery's consumer: turns away what is no ring, says once that the broker is away, and ends when it is told."""

    task_consumer: Any

    def __init__(
        self, *args: Any, until: Callable[[], bool], ending: threading.Event, outage: Outage, **options: Any
    ) -> None:
        self._until, self._ending, self._outage = until, ending, outage
        super().__init__(*args, **options)

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        hear = super().create_task_handler(*args, **options)

        def at_the_door(message: Any) -> None:
            reason = why_turned_away(message.headers, message.content_type, message.content_encoding, message.body)
            if reason is None:
                hear(message)
            else:
                self._turn_away(message, reason)

        return at_the_door

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ARG002 - so Celery calls it
        """Turn away what kombu cannot unpack, which it finds before the door."""
        self._turn_away(message, "it cannot be unpacked")

    def _turn_away(self, message: Any, reason: str) -> None:
        _log.warning("message turned away", queue=message.delivery_info.get("routing_key"), why=reason)
        message.reject_log_error(logging.getLogger("celery"), self.connection_errors)

    def register_with_event_loop(self, hub: Hub) -> None:
        super().register_with_event_loop(hub)
        hub.timer.call_repeatedly(_LOOK_EVERY, self._end_in_good_order)

    def on_ready(self) -> None:
        self._outage.over()
        super().on_ready()

    def ensure_connected(self, connection: Connection) -> Connection:
        connection.ensure_connection(
            lambda error, _interval: self._outage.begins(error),
            interval_start=_TRY_AGAIN_AFTER,
            interval_step=0,
            interval_max=_TRY_AGAIN_AFTER,
            callback=self._end_if_told,
        )
        return connection

    def on_connection_error_before_connected(self, error: Exception) -> None:
        self._outage.begins(error)
        self._wait()

    def on_connection_error_after_connected(self, error: Exception) -> None:
        self._outage.begins(error)
        with warnings.catch_warnings():
            # What is being handled goes on: its claim is the journal's, not the broker's. Celery warns that it will
            # do otherwise one day unless it is told, as it is (worker_cancel_long_running_tasks_on_connection_loss).
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            super().on_connection_error_after_connected(error)
        if isinstance(error, AccessRefused | NotFound):
            self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + _TRY_AGAIN_AFTER
        while time.monotonic() < until:
            self._end_if_told()
            time.sleep(_LOOK_EVERY)

    def _end_in_good_order(self) -> None:
        """Hear nothing new when it is told to end, and end when what is being handled is done."""
        if not self._ending.is_set() and self._until():
            self._ending.set()
            self.task_consumer.cancel()
        if self._ending.is_set() and not reserved_requests:
            raise WorkerShutdown(0)

    def _end_if_told(self) -> None:
        if self._ending.is_set() or self._until():
            self._ending.set()
            raise WorkerShutdown(0)


def why(error: BaseException) -> str:
    """Put an error of the broker, or of the way there, into words; no password is in any of them."""
    if isinstance(error, AccessRefused):
        return f"it refuses this user ({error.reply_text})"
    if isinstance(error, NotFound):
        return _no_queue(str(error.reply_text))
    return f"{error}" or type(error).__name__


def _no_queue(which: str) -> str:
    return f"a queue is missing there ({which}); `dmsa cluster definitions PLAN` prints what its administrator imports"


def _queue(site: str) -> Queue:
    """Return a site's queue, which is there and is not declared."""
    return Queue(queue_of(site), Exchange(""), routing_key=queue_of(site), no_declare=True)


def _health_of(connection: Connection, queue: str) -> SiteHealth | None:
    with connection.channel() as channel:
        try:
            _, waiting, listening = channel.queue_declare(queue, passive=True)
        except NotFound:
            return None
    return SiteHealth(waiting, listening)


class _Forward(logging.Handler):
    """Says by structlog what Celery says by logging: errors as such, the rest for who wants every event."""

    def emit(self, record: logging.LogRecord) -> None:
        tell = _log.error if record.levelno >= logging.ERROR else _log.debug
        tell("celery says", text=record.getMessage(), exc_info=record.exc_info or None)


@contextlib.contextmanager
def _logged_by_us() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("celery", "kombu", "amqp")]
    before = [logger.propagate for logger in loggers]
    forward = _Forward()
    for logger in loggers:
        logger.addHandler(forward)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(forward)
            logger.propagate = propagate
