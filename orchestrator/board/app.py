"""The application: which address answers with what. Every answer is made of what the hub has seen."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from orchestrator.board.api import Api
from orchestrator.board.door import COOKIE, LASTS, LOGIN, Door, Key
from orchestrator.board.follower import line_of
from orchestrator.board.hub import Hub, Mark
from orchestrator.board.ink import Ink
from orchestrator.board.page import Address
from orchestrator.board.pages import history

ASSETS = {"board.css": "text/css", "board.js": "text/javascript", "icon.svg": "image/svg+xml"}
MOST_PAGES = 500
"""How many pages may be open at the same time; one more is told to come back later."""
LONGEST_FORM = 4096
_HERE = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""Where a log-in may lead: to a path of this board."""


@dataclass(frozen=True)
class Board:
    """Everything that answers."""

    hub: Hub
    key: Key | None
    ink: Ink

    async def page(self, request: Request) -> Response:
        """Answer with a page."""
        address = Address.of(request.scope["path"], _query(request.scope))
        if address is None:
            raise HTTPException(404)
        showing = self.hub.showing(address)
        if showing is None:
            return await self._further_back(address)
        live = f"/live?{urlencode({'of': address.url, 'since': str(self.hub.mark(showing))})}"
        return HTMLResponse(showing.whole({"live": live}))

    async def _further_back(self, address: Address) -> Response:
        seen = self.hub.sight.run(address.plan)
        if seen is None or address.kind != "journal":
            raise HTTPException(404)
        found = await self.hub.rows(address.plan, address.name, address.before)
        page = history(self.hub.sight, seen, address, [line_of(row) for row in found.rows], found.older)
        parts = {part.id: self.ink.draw(part.template, {**part.data, "id": part.id}) for part in page.parts}
        frame = {**page.frame, "title": page.title, "parts": parts, "live": None}
        return HTMLResponse(self.ink.draw(page.template, frame))

    async def live(self, request: Request) -> Response:
        """Answer with what changes on a page, as server-sent events, until the page is closed."""
        path, _, query = request.query_params.get("of", "").partition("?")
        address = Address.of(path, query)
        told = request.headers.get("last-event-id") or request.query_params.get("since", "")
        mark = Mark.of(told)
        if address is None or mark is None or self.hub.showing(address) is None:
            raise HTTPException(404)
        if self.hub.pages >= MOST_PAGES:
            raise HTTPException(429, headers={"retry-after": "60"})
        headers = {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers)
        return StreamingResponse(_events(self.hub, address, mark), headers=headers)

    async def asset(self, request: Request) -> Response:
        """Answer with a style sheet, a script or an icon."""
        name = request.path_params["name"]
        if name not in ASSETS:
            raise HTTPException(404)
        return Response(files("orchestrator.board").joinpath("assets", name).read_bytes(), media_type=ASSETS[name])

    async def login(self, request: Request) -> Response:
        """Ask for the token, or exchange it for a cookie."""
        if self.key is None:
            return RedirectResponse("/", 303)
        if request.method != "POST":
            return self._form(_here(request.query_params.get("next", "")), wrong=False)
        given = await _form_of(request)
        after = _here(given.get("next", ""))
        if not self.key.opens(given.get("token", "")):
            return self._form(after, wrong=True)
        answer = RedirectResponse(after, 303)
        now = time.time()
        answer.set_cookie(
            COOKIE, self.key.cookie(now), max_age=LASTS, path="/", secure=True, httponly=True, samesite="strict"
        )
        return answer

    def ask(self, scope: Scope) -> Response:
        """Answer a request that does not bring the token: with the form to a browser that wants a page."""
        request = Request(scope)
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": _SAID[401]}, 401)
        wanted = f"{scope['raw_path'].decode('latin-1')}?{_query(scope)}".removesuffix("?")
        return self._form(_here(wanted), wrong=None)

    def _form(self, after: str, *, wrong: bool | None) -> Response:
        """Return the form; *wrong* is None where something else was asked for."""
        data = {"title": "Token", "live": None, "plan": "", "section": "", "next": after, "wrong": bool(wrong)}
        return HTMLResponse(self.ink.draw("login.html", data), 200 if wrong is False else 401)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer where there is nothing, or where something is refused."""
        assert isinstance(error, HTTPException)
        own = error.detail != HTTPStatus(error.status_code).phrase
        said = error.detail if own else _SAID.get(error.status_code, error.detail)
        if request.scope["path"].startswith("/api/") or "text/html" not in request.headers.get("accept", "text/html"):
            return JSONResponse({"error": said}, error.status_code, error.headers)
        data = {"title": f"{error.status_code}", "message": said, "live": None, "plan": "", "section": ""}
        return HTMLResponse(self.ink.draw("message.html", data), error.status_code, error.headers)


_SAID = {
    401: "The token of this board is missing, or is not this one. A person logs in at /login.",
    404: "There is no such page on this board.",
    429: "Too many pages are open on this board.",
}


def application(hub: Hub, hosts: frozenset[str], key: Key | None) -> ASGIApp:
    """Return the whole board.

    Args:
        hub: what looks; whoever serves the application lets it run.
        hosts: the values of the Host header that mean this board.
        key: what a request must bring; None where whoever reaches the board may look.
    """
    board = Board(hub, key, Ink())
    routes = [
        *Api(hub, locked=key is not None).routes,
        Route("/live", board.live),
        Route(LOGIN, board.login, methods=["GET", "POST"]),
        Route("/assets/{name}", board.asset),
        Route("/{path:path}", board.page),
    ]
    handlers: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {HTTPException: board.refused}
    return Door(Starlette(routes=routes, exception_handlers=handlers), hosts, key, board.ask)


async def _events(hub: Hub, address: Address, mark: Mark) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    async for now, change in hub.changes(address, mark):
        if change is None:
            yield "event: beat\ndata: {}\n\n"
        else:  # JSON in ASCII: no line of it can end early, and no name of a field can be slipped in
            yield f"id: {now}\nevent: change\ndata: {json.dumps(change.document)}\n\n"


def _query(scope: Scope) -> str:
    """Return a query as it came; a URL made of the decoded path would be taken apart at other places."""
    return str(scope["query_string"].decode("latin-1"))


def _here(text: str) -> str:
    return text if _HERE.fullmatch(text) else "/"


async def _form_of(request: Request) -> dict[str, str]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            raise HTTPException(413, "That is no token.")
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=10, errors="replace"))
    except ValueError as error:
        raise HTTPException(400, "That is no form of this board.") from error
