"""Servers that a page of the runbooks needs: one of each kind for one page, on loopback, fresh."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from orchestrator.cluster.rabbitmq import SCRIPTS, LocalRabbitMQ
from tests import warm
from tests.postgres import OWNER, running
from tests.rabbit import needed


@contextlib.contextmanager
def _postgresql() -> Iterator[dict[str, str]]:
    """A server with an empty database ``dmsa``; a URL without a host leads there, as the database's owner."""
    with running() as server:
        server.database("dmsa")
        yield {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": OWNER}


@contextlib.contextmanager
def _rabbitmq() -> Iterator[dict[str, str]]:
    """A broker without users; ``rabbitmqctl`` means that one."""
    needed()
    with tempfile.TemporaryDirectory(prefix="dmsa-rabbitmq-") as folder, LocalRabbitMQ(Path(folder), (), {}) as broker:
        own = broker.environment()
        ours = {name: value for name, value in own.items() if name.startswith(("RABBITMQ_", "ERL_"))}
        yield {**ours, "HOME": own["HOME"], "PATH": f"{warm.shared().bin}:{SCRIPTS}:{os.environ['PATH']}"}


SERVERS: dict[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {
    "postgresql": _postgresql,
    "rabbitmq": _rabbitmq,
}
"""By the word in ``<!-- needs: WORD -->``: starts it, and gives what a reader's environment has then."""


@contextlib.contextmanager
def served(words: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Run the servers that are named; yield the environment in which they are found."""
    with contextlib.ExitStack() as stack:
        environment: dict[str, str] = {}
        for word in words:
            environment |= stack.enter_context(SERVERS[word]())
        yield environment
