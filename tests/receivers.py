"""Receivers of notices on loopback: real HTTP servers, good and bad, that keep what reached them."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import PATIENCE


@dataclass(frozen=True)
class Posted:
    """One request as it arrived."""

    path: str
    notice: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Receiver:
    """What a server does with each request, and what it got. ``behave`` is asked with the number of the request."""

    behave: Callable[[int], Any] = lambda _number: 200
    got: list[Posted] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    arrived: threading.Condition = field(default_factory=threading.Condition)
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """A URL with something secret in it."""
        return f"{self.scheme}://127.0.0.1:{self.port}/services/T0/{SECRET}"

    def wait_for(self, count: int) -> list[Posted]:
        """Wait until so many requests have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, PATIENCE), self.got
            return list(self.got)

    def occasions(self) -> list[str]:
        return [one.body["dmsa"]["occasion"] for one in self.got]

    def ids(self) -> list[str]:
        return [one.notice for one in self.got]


SECRET = "B0-very-secret-token"
HANG, DROP = "hang", "drop"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with receiver.arrived:
            number = len(receiver.got) + 1
            receiver.got.append(
                Posted(self.path, self.headers["X-Dmsa-Notice"], json.loads(content), dict(self.headers))
            )
            receiver.arrived.notify_all()
        answer = receiver.behave(number)
        if answer == HANG:
            receiver.let_go.wait(PATIENCE)
        if answer in (HANG, DROP):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status, headers, said = answer if isinstance(answer, tuple) else (answer, {}, b"ok")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: Any) -> None:
        """Say nothing: clients that break off are the point."""


@contextlib.contextmanager
def receiving(
    behave: Callable[[int], Any] = lambda _number: 200, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """Serve a receiver; by TLS, if there is a context for it."""
    receiver = Receiver(behave)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.receiver = receiver  # type: ignore[attr-defined]
    receiver.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def dead_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
