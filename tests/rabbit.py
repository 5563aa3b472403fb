"""A real RabbitMQ on loopback, its users, and what a test does to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu import Connection

from orchestrator.cluster.broker import CeleryEngine
from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.cluster.message import queue_of
from orchestrator.cluster.rabbitmq import VHOST, LocalRabbitMQ
from orchestrator.lab.wire.certificates import Authority
from tests.services import require

PASSWORDS = {DRIVER: "rings-1", user_of("emea"): "hears-2", user_of("apac"): "hears-3"}


def needed() -> None:
    """Skip, or fail, where RabbitMQ or Celery is missing."""
    require("rabbitmq-server", "epmd", modules=("celery",))


class Rabbit(LocalRabbitMQ):
    """The broker of the tests: sites emea and apac, and the three users of a cluster. It has TLS, too."""

    def __init__(self, folder: Path) -> None:
        self.certificates = certificates_in(folder)
        super().__init__(folder, ("emea", "apac"), PASSWORDS, certificates=self.certificates)

    def tls_url(self, user: str, authority: Path | None = None, host: str = "localhost") -> str:
        return f"amqps://{user}@{host}:{self.tls_port}/{VHOST}?cacertfile={authority or self.certificates[0]}"

    def engine(self, user: str, name: str = "a test") -> CeleryEngine:
        return CeleryEngine(self.url(user), PASSWORDS[user], name=name)

    @contextmanager
    def connection(self, user: str) -> Iterator[Connection]:
        """Connect as somebody who speaks AMQP without the program."""
        with Connection(
            transport="pyamqp",
            hostname="localhost",
            port=self.port,
            userid=user,
            password=PASSWORDS[user],
            virtual_host=VHOST,
            connect_timeout=5,
        ) as connection:
            yield connection

    @contextmanager
    def there_again(self) -> Iterator[None]:
        """Let whatever happens in the context leave a broker that runs, for the tests after it."""
        try:
            yield
        finally:
            if not self.runs:
                self.start()

    def purge(self, site: str) -> None:
        """Empty a site's queue, as an administrator may."""
        self.control("purge_queue", "--vhost", VHOST, queue_of(site))


def certificates_in(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate for ``localhost``, by name only; return authority, certificate and key."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority()
    chain, key = authority.server("localhost", "127.0.0.9")
    written = (authority.pem, chain, key)
    files = tuple(folder / name for name in ("authority.pem", "certificate.pem", "key.pem"))
    for file, content in zip(files, written, strict=True):
        file.write_bytes(content)
    return files[0], files[1], files[2]
