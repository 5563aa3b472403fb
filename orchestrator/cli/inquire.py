"""Carrying an inquiry out: each call through the transport, each unknown settled before anything more is sent.

What is on disk before every write says how the pair was found, so that a crash takes nothing of the way back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.cli.result_file import keep
from orchestrator.clock import EstateClock
from orchestrator.engine.backoff import again_at
from orchestrator.errors import PersonNeeded
from orchestrator.model.call import Call, Ticket, Write
from orchestrator.model.observation import FaultKind, Outcome, Reply, Unreadable
from orchestrator.model.plan import Policy, Retry
from orchestrator.probe import Inquiry, Stopped
from orchestrator.remote.transport import Transport
from orchestrator.views.output import say, say_document
from orchestrator.views.probe import exit_of_probe, probe_document, probe_text, state_of
from orchestrator.views.status import iso

_ENDING = Retry(attempts=5, first_wait=timedelta(seconds=2), longest_wait=timedelta(seconds=30))
"""How often the end of a shell is asked for, whose call may still run."""


class Adrift(PersonNeeded):
    """A write may still be running and nobody could end it: nothing more was sent."""


class Carrier:
    """Carries calls, one after the other, in estate time."""

    def __init__(self, transport: Transport, clock: EstateClock, policy: Policy, stopped: Callable[[], bool]) -> None:
        self._transport, self._clock, self._policy, self._stopped = transport, clock, policy, stopped

    def carry(self, call: Call) -> Reply:
        """Carry one call out. What certainly did not run, and may work later, is tried again as the policy says.

        Raises:
            Refused: the gate did not let it through.
            Adrift: its outcome is unknown, and it could not be ended.
        """
        tries = 0
        while True:
            ticket = self._ticket(call.endpoint)
            reply = self._transport.run(call, ticket)
            if reply.again:
                reply = self._transport.run(call, self._ticket(call.endpoint))
            if reply.outcome is Outcome.UNKNOWN:
                self._settle(ticket)
            if not _worth_repeating(reply):
                return reply
            tries += 1
            at = self._clock.now()
            due = again_at(self._policy.retry, tries, at) if at else None
            if due is None or self._stopped():
                return reply
            self._clock.wait_until(due, self._stopped)

    def _ticket(self, endpoint: str) -> Ticket:
        ticket = self._transport.ticket(endpoint)
        if ticket is None:
            raise RuntimeError(f"one call at a time, and no session with {endpoint} is free")
        return ticket

    def _settle(self, ticket: Ticket) -> None:
        """End the shell of a call that may still be running, then give the directory time to settle."""
        for tries in range(1, _ENDING.attempts + 1):
            if self._transport.discard(ticket.endpoint, ticket.shell):
                at = self._clock.ask()
                if at is None:
                    raise Adrift(f"{ticket.endpoint} does not say what time it is, so nobody knows when it has settled")
                self._clock.wait_until(at + self._policy.settle, lambda: False)
                return
            at = self._clock.now()
            due = again_at(_ENDING, tries, at) if at else None
            if due is not None:
                self._clock.wait_until(due, lambda: False)
        raise Adrift(
            f"what was sent to {ticket.endpoint} last may still be running, and its session cannot be ended. Nothing "
            "more was sent"
        )


def _worth_repeating(reply: Reply) -> bool:
    fault = reply.fault
    return (
        reply.outcome is Outcome.FAILED and not reply.errors and fault is not None and fault.kind is FaultKind.TRANSIENT
    )


def hold(inquiry: Inquiry, carrier: Carrier, stopped: Callable[[], bool], before: Callable[[Call], None]) -> None:
    """Hold the conversation to its end. *before* hears of every call before it is carried out.

    Once *stopped* says so, nothing more is asked; the way back is carried out all the same.

    Raises:
        Stopped: nothing had been changed yet.
        OrchestratorError, Unreadable: as the conversation or the carrier does.
    """
    course, told = inquiry.course(), False
    try:
        call = next(course)
        while True:
            if stopped() and not told and not inquiry.leaving:
                told = True
                call = course.throw(Stopped())
                continue
            before(call)
            call = course.send(carrier.carry(call))
    except StopIteration:
        return


class Record:
    """An inquiry, and the result file that it fills."""

    def __init__(
        self, inquiry: Inquiry, digest: str, file: Path, again: str, clock: EstateClock, *, quiet: bool
    ) -> None:
        self.inquiry, self.file, self.again = inquiry, file, again
        self._digest, self._clock, self._quiet = digest, clock, quiet
        self._began: datetime | None = None
        self._ended: datetime | None = None

    def fill(self, transport: Transport, policy: Policy, stopped: Callable[[], bool]) -> None:
        """Hold the conversation, keeping the file ahead of it.

        Raises:
            PersonNeeded: the pair may not be asked, or cannot be read; nothing was changed.
            OrchestratorError: what ended it in the middle; it was said where it stands.
        """
        self._began, ended = self._clock.ask(), False
        try:
            hold(self.inquiry, Carrier(transport, self._clock, policy, stopped), stopped, self._before)
            ended = True
        except Stopped:
            self.inquiry.ended_early = "it was stopped before anything was changed"
        except Unreadable as trouble:
            raise PersonNeeded(f"{trouble}. Nothing was changed.") from trouble
        finally:
            if self.inquiry.doing and not ended:
                sys.stderr.write(f"dmsa: {self._standing()}\n")
        self._ended = self._clock.now()

    def document(self, exit_code: int) -> dict[str, Any]:
        """Return the finished document."""
        times = (self._began, self._ended)
        return probe_document(self.inquiry, self._digest, times, state=state_of(self.inquiry), exit_code=exit_code)

    def _before(self, call: Call) -> None:
        if not isinstance(call, Write):
            return
        at = self._clock.now()
        keep(self.file, probe_document(self.inquiry, self._digest, (self._began, at), state="under-way"))
        if not self._quiet:
            say(f"{iso(at) or '-':<20}  {self.inquiry.subject.dmsa:<15}  {self.inquiry.doing}: {call.statement.name}")

    def _standing(self) -> str:
        last = self.inquiry.last
        return (
            f"it ended while it was to {self.inquiry.doing}; the pair was last seen so: "
            f"{last.seen if last else 'not at all'}. "
            f"{self.file} says how it was found: `{self.again}` begins with the way back"
        )


def conclude(record: Record, signalled: int, *, as_json: bool) -> int:
    """Keep and print what was found; return what the verb ends with."""
    inquiry = record.inquiry
    code = 128 + signalled if signalled else int(exit_of_probe(inquiry))
    document = record.document(code)
    if inquiry.last is not None and inquiry.findings:
        keep(record.file, document)
    if as_json:
        say_document(document)
    else:
        say(probe_text(document, str(record.file), record.again))
    return code
