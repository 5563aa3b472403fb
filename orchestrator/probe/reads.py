"""The questions that reading alone answers: what becomes of a batch, and of a second hop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.model.call import Read, cmdlet
from orchestrator.model.observation import Outcome, Reply
from orchestrator.probe.judge import Answer, unknown
from orchestrator.probe.look import Asking, Subject, said

_NOBODY = "00000000-0000-4000-8000-000000000000"
"""An objectGUID that no object has: version 4, all of its random bits zero."""


@dataclass(frozen=True)
class Reading:
    """A question whose conversation only reads: it is given the pair and the other writable domain controllers."""

    id: str
    ask: Callable[[Subject, tuple[str, ...]], Asking[tuple[Answer, list[dict[str, Any]]]]]


def _read(endpoint: str, server: str) -> Read:
    return Read(endpoint, (cmdlet("Get-ADRootDSE", Properties=("dnsHostName",), Server=server),))


def _evidence(read: Read, reply: Reply) -> dict[str, Any]:
    return {
        "act": "; ".join(statement.name for statement in read.statements),
        "went": reply.outcome.value,
        "said": said(reply.errors[-1] if reply.errors else None, reply.fault),
        "records": [record.kind for record in reply.records],
    }


def _batch(subject: Subject, _others: tuple[str, ...]) -> Asking[tuple[Answer, list[dict[str, Any]]]]:
    """Let an identity that nobody has come first, and something that is always there second."""
    missing = cmdlet("Get-ADUser", Identity=_NOBODY, Server=subject.server)
    root = _read(subject.endpoint, subject.server)
    read = Read(subject.endpoint, (missing, *root.statements))
    reply = yield read
    evidence = [_evidence(read, reply)]
    if not any(error.category == "ObjectNotFound" for error in reply.errors):
        return unknown("an account that does not exist was not reported as missing"), evidence
    went_on = any(True for _ in reply.of("ADRootDSE"))
    return Answer(went_on, f"the command after the failed one {'ran' if went_on else 'did not run'}"), evidence


def _hop(subject: Subject, others: tuple[str, ...]) -> Asking[tuple[Answer, list[dict[str, Any]]]]:
    """Ask another domain controller through itself, for the control, and then through the pinned one."""
    if subject.delegates:
        why = "the connection delegates, or is a JEA endpoint; the question is about an ordinary one"
        return unknown(why), []
    if not others:
        return unknown("the domain has no second writable domain controller"), []
    own, far = _read(others[0], others[0]), _read(subject.endpoint, others[0])
    control = yield own
    if control.outcome is not Outcome.SUCCEEDED:
        return unknown(f"{others[0]} does not answer through its own endpoint either"), [_evidence(own, control)]
    reply = yield far
    evidence = [_evidence(own, control), _evidence(far, reply)]
    if reply.outcome is Outcome.SUCCEEDED and not reply.errors:
        return Answer(True, f"{subject.endpoint} answered for {others[0]}"), evidence
    if not reply.errors:
        return unknown(f"{subject.endpoint} did not answer"), evidence
    return Answer(False, f"{subject.endpoint} could not answer for {others[0]}"), evidence


BATCH = Reading("batch_goes_on_after_error", _batch)
HOP = Reading("second_hop", _hop)
