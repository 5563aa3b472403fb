"""Carries pipelines out in threads, so that a slow command keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

from psrpcore.types import PSInvocationState, PSRPMessageType

from orchestrator.lab.command import LabError, Request, Result
from orchestrator.lab.wire import clixml, records
from orchestrator.lab.wire.engine import Engine
from orchestrator.lab.wire.shell import Message, state_message

_log = logging.getLogger(__name__)
_THREADS = 64

Finish = Callable[[list[Message]], None]
"""Takes the last messages of a pipeline."""
Boots = Mapping[str, datetime | None]
"""Which hosts answer, and since when."""
Hook = Callable[[Boots], Awaitable[None]]
"""Lets the ports follow their hosts."""


class Work:
    """Where commands run. *before* and *after* are awaited around the moment at which an outcome is known."""

    def __init__(self, engine: Engine, before: Hook, after: Hook) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lab")
        self._running: set[asyncio.Task[None]] = set()
        self._before = before
        self._after = after

    def start(self, request: Request, delay: float, finish: Finish) -> asyncio.Task[None]:
        """Carry *request* out; *finish* gets its messages, *delay* seconds later. The task ends after that.

        The call counts as open from now on, not from when a thread is free.
        """
        opened = ExitStack()
        opened.enter_context(self._engine.open_call())
        task = asyncio.create_task(self._run(request, delay, finish, opened))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _run(self, request: Request, delay: float, finish: Finish, opened: ExitStack) -> None:
        with opened:
            loop = asyncio.get_running_loop()
            messages, boots = await loop.run_in_executor(self._threads, self._carry_out, request)
            await asyncio.sleep(delay)
        await self._before(boots)
        finish(messages)
        await self._after(boots)

    def _carry_out(self, request: Request) -> tuple[list[Message], Boots]:
        """Run in a thread, the writing of CLIXML included: thousands of objects take a while."""
        try:
            return _messages(self._engine.execute(request)), self._engine.boots()
        except Exception as error:  # noqa: BLE001 - the client must hear of it, whatever the estate's defect is
            _log.exception("the estate failed on %s", request)
            defect = LabError("LabDefect", "NotSpecified", "System.Exception", f"defect in the lab: {error!r}")
            return [state_message(PSInvocationState.Failed, defect)], self._engine.boots()

    async def stop(self) -> None:
        """Wait for what is running, so that its effects are recorded."""
        await asyncio.gather(*self._running, return_exceptions=True)
        self._threads.shutdown()


def _messages(result: Result) -> list[Message]:
    said = [(PSRPMessageType.PipelineOutput, clixml.write(each)) for each in result.output]
    streamed = (records.error_record(error, streamed=True) for error in result.errors)
    said += [(PSRPMessageType.ErrorRecord, clixml.write(each)) for each in streamed]
    ended = PSInvocationState.Completed if result.failure is None else PSInvocationState.Failed
    return [*said, state_message(ended, result.failure)]
