"""The questions that reading alone answers: what becomes of a batch, and of a second hop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.model.call import Call, Read, cmdlet
from orchestrator.model.observation import Outcome, Reply, Unreadable
from orchestrator.probe.judge import Answer, unknown
from orchestrator.probe.look import Asking, Subject, said

_NOBODY = "00000000-0000-4000-8000-000000000000"
"""An objectGUID that no object has: version 4, all of its random bits zero."""


@dataclass(frozen=True)
class Reading:
    """A question whose conversation only reads: it is given the pair and the other writable domain controllers.

    What it cannot read it may raise as :class:`Unreadable`.
    """

    id: str
    asks: str
    ask: Callable[[Subject, tuple[str, ...]], Asking[Answer]]
    switch: bool = False


def read_out(
    reading: Reading, subject: Subject, others: tuple[str, ...]
) -> Asking[tuple[Answer, tuple[dict[str, Any], ...]]]:
    """Hold a reading's conversation, and take down every read with what came back."""
    conversation, evidence = reading.ask(subject, others), []
    try:
        call = next(conversation)
        while True:
            reply = yield call
            evidence.append(_taken_down(call, reply))
            call = conversation.send(reply)
    except StopIteration as end:
        return end.value, tuple(evidence)
    except Unreadable as trouble:
        return unknown(f"{trouble}"), tuple(evidence)


def _taken_down(call: Call, reply: Reply) -> dict[str, Any]:
    assert isinstance(call, Read), "a reading only reads"
    return {
        "act": "; ".join(statement.name for statement in call.statements),
        "went": reply.outcome.value,
        "said": said(reply.errors[-1] if reply.errors else None, reply.fault),
        "records": [record.kind for record in reply.records],
    }


def _read(endpoint: str, server: str) -> Read:
    return Read(endpoint, (cmdlet("Get-ADRootDSE", Properties=("dnsHostName",), Server=server),))


def _batch(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    """Let an identity that nobody has come first, and something that is always there second."""
    missing = cmdlet("Get-ADUser", Identity=_NOBODY, Server=subject.server)
    root = _read(subject.endpoint, subject.server)
    reply = yield Read(subject.endpoint, (missing, *root.statements))
    if not any(error.category == "ObjectNotFound" for error in reply.errors):
        return unknown("an account that does not exist was not reported as missing")
    went_on = any(True for _ in reply.of("ADRootDSE"))
    return Answer(went_on, f"the command after the failed one {'ran' if went_on else 'did not run'}")


def _hop(subject: Subject, others: tuple[str, ...]) -> Asking[Answer]:
    """Ask another domain controller through itself, for the control, and then through the pinned one."""
    if subject.delegates:
        return unknown("the connection delegates, or is a JEA endpoint; the question is about an ordinary one")
    if not others:
        return unknown("the domain has no second writable domain controller")
    control = yield _read(others[0], others[0])
    if control.outcome is not Outcome.SUCCEEDED:
        return unknown(f"{others[0]} does not answer through its own endpoint either")
    reply = yield _read(subject.endpoint, others[0])
    if reply.outcome is Outcome.SUCCEEDED and not reply.errors:
        return Answer(True, f"{subject.endpoint} answered for {others[0]}")
    if not reply.errors:
        return unknown(f"{subject.endpoint} did not answer")
    return Answer(False, f"{subject.endpoint} could not answer for {others[0]}")


BATCH = Reading(
    "batch_goes_on_after_error",
    "Does the rest of a batch of commands run after one of them failed?",
    _batch,
    switch=True,
)
HOP = Reading(
    "second_hop", "Does a domain controller's endpoint answer for another domain controller?", _hop, switch=True
)
