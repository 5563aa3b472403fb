"""Who is let in: in front of everything else, for every request.

A request must be meant for this board (its Host header names it, or a name that somebody made lead here is being tried
on whoever sits at this machine: DNS rebinding), must only want to look, and must bring the token where there is one.
Every answer, a refusal included, says that nothing but what the board itself serves may run on a page, or be asked from
it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
COOKIE = "__Host-dmsa-board"
"""A browser takes a cookie of this name only over TLS, for this host alone and every path (RFC 6265bis, 4.1.3.2)."""
LASTS = 12 * 3600
"""Seconds for which a log-in counts."""
LOGIN = "/login"
OPEN = re.compile(r"/login|/assets/[a-z.]+")
"""What is served without a token: the form that asks for it, and how that looks."""


def hosts(names: Iterable[str], port: int) -> frozenset[str]:
    """Return the values of the Host header that mean a board on *port* under *names*.

    A name may come with a port of its own (that of a proxy); an address of IPv6 stands in brackets.
    """
    found = set()
    for name in names:
        given = name.lower()
        has_port = re.search(r":\d+$", given) and (given.startswith("[") or given.count(":") == 1)
        found.add(given if has_port else f"{given}:{port}")
        if not has_port and port in {80, 443}:
            found.add(given)
        if has_port and given.endswith((":443", ":80")):
            found.add(given.rpartition(":")[0])
    return frozenset(found)


@dataclass(frozen=True)
class Key:
    """The token, and what a browser is given instead of it once it has shown it. Neither is ever shown."""

    token: str = field(repr=False)
    _seal: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def opens(self, token: str) -> bool:
        """Return whether this is the token; how long that takes says nothing of where two differ, or how long it is."""
        return hmac.compare_digest(_digest(token), _digest(self.token))

    def cookie(self, now: float) -> str:
        """Return what a browser shows from now on."""
        until = str(int(now) + LASTS)
        return f"{until}.{self._sealed(until)}"

    def accepts(self, cookie: str, now: float) -> bool:
        """Return whether a cookie is one of ours, and still counts."""
        until, _, seal = cookie.partition(".")
        if not hmac.compare_digest(_digest(self._sealed(until)), _digest(seal)):
            return False
        return int(until) > now

    def _sealed(self, until: str) -> str:
        return hmac.new(self._seal, until.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class Door:
    """Lets in what may come in."""

    def __init__(
        self, inside: ASGIApp, hosts: frozenset[str], key: Key | None, ask: Callable[[Scope], Response]
    ) -> None:
        """Stand in front of *inside*.

        Args:
            inside: the application.
            hosts: the values of the Host header that mean this board.
            key: what a request must bring; None where whoever reaches the board may look.
            ask: makes the answer to a request that does not bring it.
        """
        self._inside, self._hosts, self._key, self._ask = inside, hosts, key, ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request in."""
        if scope["type"] == "lifespan":
            await self._inside(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _HEADERS if name not in own),
                ]
            await send(message)

        answer = self._refusal(scope) or self._inside
        await answer(scope, receive, told)

    def _refusal(self, scope: Scope) -> Response | None:
        given = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1 or given[0] not in self._hosts:
            return PlainTextResponse("This board is not what the Host header names.\n", 421)
        path, method = scope["path"], scope["method"]
        if method not in ({"GET", "HEAD", "POST"} if path == LOGIN and self._key else {"GET", "HEAD"}):
            return PlainTextResponse("This board is only for looking.\n", 405, {"allow": "GET, HEAD"})
        if self._key is None or OPEN.fullmatch(path) or self._shown(scope):
            return None
        answer = self._ask(scope)
        answer.headers["www-authenticate"] = 'Bearer realm="dmsa board"'
        return answer

    def _shown(self, scope: Scope) -> bool:
        key = cast("Key", self._key)
        kind, _, token = _header(scope, b"authorization").partition(" ")
        if kind.lower() == "bearer" and key.opens(token.strip()):
            return True
        cookies = cookies_of(_header(scope, b"cookie"))
        return COOKIE in cookies and key.accepts(cookies[COOKIE], time.time())


_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for one, value in scope["headers"] if one == name), "")


def cookies_of(header: str) -> Mapping[str, str]:
    """Return the cookies of a header, as they are."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return {name: value for name, _, value in pairs if name}
