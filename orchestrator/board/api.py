"""What programs are given: the documents that ``--json`` prints, as the board sees them now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator import __version__
from orchestrator.board.follower import Stands
from orchestrator.board.further_back import PAGE
from orchestrator.board.hub import Hub
from orchestrator.board.openapi import FURTHEST_ROW, MOST_ROWS, described
from orchestrator.board.sight import Seen
from orchestrator.views.journal_rows import row_document
from orchestrator.views.metrics import CONTENT_TYPE, JournalSeen, metrics_text
from orchestrator.views.runs import runs_document

_NUMBER = re.compile(r"[1-9][0-9]{0,14}")


class Api:
    """The documents, each at its address."""

    def __init__(self, hub: Hub, *, locked: bool) -> None:
        """Tell what *hub* sees; *locked* says whether a token is asked for."""
        self._hub, self._described = hub, described(locked=locked)

    @property
    def routes(self) -> list[Route]:
        """What is where."""
        return [
            Route("/metrics", self._metrics),
            Route("/api/openapi.json", self._openapi),
            Route("/api/board", self._board),
            Route("/api/runs", self._runs),
            Route("/api/plans/{plan}/status", self._status),
            Route("/api/plans/{plan}/journal", self._journal),
        ]

    async def _openapi(self, request: Request) -> Response:
        _parameters(request)
        return JSONResponse(self._described)

    async def _board(self, request: Request) -> Response:
        _parameters(request)
        sight = self._hub.sight
        return JSONResponse(
            {
                "version": __version__,
                "journal": sight.journal,
                "rows": sight.rows,
                "trouble": sight.trouble,
                "driver": sight.driver,
                "plans": [seen.name for seen in sight.runs],
                "pages": self._hub.pages,
            }
        )

    async def _runs(self, request: Request) -> Response:
        _parameters(request)
        runs = await self._hub.runs(lambda states: runs_document(states, self._hub.sight.driver))
        return JSONResponse(runs)

    async def _metrics(self, request: Request) -> Response:
        del request  # Prometheus may be told to add parameters of its own
        text = await self._hub.runs(self._measured)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    def _measured(self, states: Iterable[Stands]) -> str:
        runs = list(states)
        known = [(state, plan) for state, plan, _ in runs if plan is not None]
        sight = self._hub.sight
        seen = JournalSeen(sight.rows, sight.driver is not None, sum(unread is not None for *_, unread in runs))
        return metrics_text(known, None, journal=seen)

    async def _status(self, request: Request) -> Response:
        _parameters(request)
        seen = self._seen(request)
        if seen.status is None:
            raise HTTPException(409, seen.unread)
        return JSONResponse(seen.status)

    async def _journal(self, request: Request) -> Response:
        given = _parameters(request, "migration", "before", "limit")
        before, limit = _number(given, "before", FURTHEST_ROW), _number(given, "limit", MOST_ROWS)
        if given.get("migration") == "":
            raise HTTPException(400, "migration is the name of a dMSA.")
        seen = self._seen(request)
        found = await self._hub.rows(seen.name, given.get("migration", ""), before, limit or PAGE)
        rows = [row_document(row) for row in found.rows]
        return JSONResponse({"plan": seen.name, "rows": rows, "older": found.older})

    def _seen(self, request: Request) -> Seen:
        seen = self._hub.sight.run(request.path_params["plan"])
        if seen is None:
            raise HTTPException(404, "There is no such plan on this board.")
        return seen


def _parameters(request: Request, *known: str) -> Mapping[str, str]:
    """Return the parameters of a query; one that is not known, or stands there twice, is refused, not passed over."""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    for name in names:
        if name not in known or names.count(name) > 1:
            raise HTTPException(400, f"The query takes {', '.join(known) or 'nothing'}, each once.")
    return dict(given)


def _number(given: Mapping[str, str], name: str, most: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise HTTPException(400, f"{name} is a number from 1 to {most}.")
    return int(text)
