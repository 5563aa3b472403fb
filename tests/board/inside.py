"""The application in this process, and a browser without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp

from orchestrator.board.app import application
from orchestrator.board.door import Key, hosts
from orchestrator.board.hub import Hub
from tests.board.stage import follower, journal_of, rows, wanted

TOKEN = "0123456789abcdef" * 4
LOOPBACK = "http://127.0.0.1:8443"
ELSEWHERE = "https://board.corp.example:8443"


class Browser:
    """Asks an application; follows no redirect, and keeps no cookie."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self.app, self._base = app, base

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask once. A path is taken as it stands, with whatever dots it has."""

        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), timeout=30, trust_env=False
            ) as client:
                return await client.request(method, self._base + path, **more)

        return asyncio.run(asked())

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Ask for a page."""
        return self.request("GET", path, **more)

    def head(self, path: str, **more: Any) -> httpx.Response:
        """Ask for the head of an answer."""
        return self.request("HEAD", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """Send a form."""
        return self.request("POST", path, **more)


def hub_of(journal: Any = None) -> Hub:
    """Return a hub that has looked once."""
    hub = Hub(follower(journal if journal is not None else journal_of(rows()), wanted()))
    asyncio.run(hub.look())
    return hub


def on_loopback(hub: Hub | None = None) -> Browser:
    """Return a browser on the machine of a board without a token."""
    return Browser(application(hub or hub_of(), hosts(("localhost", "127.0.0.1", "[::1]"), 8443), None), LOOPBACK)


def elsewhere(hub: Hub | None = None) -> Browser:
    """Return a browser on another machine, in front of a board with a token."""
    return Browser(application(hub or hub_of(), hosts(("board.corp.example",), 8443), Key(TOKEN)), ELSEWHERE)
