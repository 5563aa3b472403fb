"""What people were told of a run: each notice, and whom it reached; for people, and as a document with its schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from orchestrator.model.event import Event
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent
from orchestrator.model.notices import Notice, Receiver
from orchestrator.model.plan import Occasion, Plan
from orchestrator.model.run import RunState
from orchestrator.notices import account_of, text_of
from orchestrator.notices.words import advice
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, TEXT, closed, list_of, one_of, or_null
from orchestrator.views.status import iso, receiver_document
from orchestrator.views.status_schema import TIME, receiver_schema

STATES = ("sent", "unsent", "refused", "dropped")
OUTCOMES = ("taken", "later", "refused")


@dataclass
class Raised:
    """A notice, whom it was for, and what became of it there so far."""

    notice: Notice
    receivers: dict[str, tuple[str, datetime | None]] = field(default_factory=dict)


@dataclass
class Told:
    """Every notice of a run, collected while its rows are folded."""

    notices: dict[str, Raised] = field(default_factory=dict)

    def take_in(self, event: Event | None, at: datetime | None, run: RunState) -> None:
        """Take in a row that was just folded into *run*."""
        match event:
            case NoticeRaised():
                for receiver in run.notices.receivers.values():
                    for notice in receiver.unsent[-1:]:
                        if notice.raised is event:
                            known = self.notices.setdefault(notice.id, Raised(notice))
                            known.receivers[receiver.name] = ("unsent", None)
            case NoticeSent() if event.notice in self.notices:
                self.notices[event.notice].receivers[event.receiver] = ("sent", at)
            case NoticeUnsent() if event.for_good and event.notice in self.notices:
                self.notices[event.notice].receivers[event.receiver] = ("refused", at)
            case _:
                pass

    def end(self, run: RunState) -> None:
        """Tell what still waits from what was dropped: because too much waited, or a plan no longer names who."""
        waiting = {(name, one.id) for name, receiver in run.notices.receivers.items() for one in receiver.unsent}
        for id_, raised in self.notices.items():
            for name, (state, at) in raised.receivers.items():
                if state == "unsent" and (name, id_) not in waiting:
                    raised.receivers[name] = ("dropped", at)


def notices_document(plan: Plan, digest: str, told: Told, receivers: Iterable[Receiver], typed: str) -> dict[str, Any]:
    """Return what was told, and who has yet to take it.

    Args:
        plan: the plan.
        digest: its digest.
        told: the notices of its run.
        receivers: as the journal or, before a run, the plan has them.
        typed: the plan (and journal) as a person would give them to the next command.
    """
    return {
        "plan": plan.name,
        "digest": digest,
        "receivers": [receiver_document(one) for one in receivers],
        "notices": [_notice(one, plan, typed) for one in told.notices.values()],
        "test": None,
    }


def _notice(one: Raised, plan: Plan, typed: str) -> dict[str, Any]:
    raised = one.notice.raised
    return {
        "id": one.notice.id,
        "occasion": raised.occasion,
        "wave": raised.wave or None,
        "reason": raised.reason or None,
        "migrations": [{"dmsa": id_, "account": account_of(plan, id_)} for id_ in raised.migrations],
        "at": iso(one.notice.at),
        "detail": raised.detail,
        "next": advice(raised.todo, typed),
        "text": text_of(one.notice, plan, typed),
        "receivers": [{"receiver": name, "state": state, "at": iso(at)} for name, (state, at) in one.receivers.items()],
    }


def notices_text(document: dict[str, Any], typed: str) -> str:
    """Return the document for people."""
    return "\n".join(_lines(document, typed))


def _lines(document: dict[str, Any], typed: str) -> Iterator[str]:
    if not document["receivers"]:
        yield f"{document['plan']} names nobody under `notify`: nobody is told anything."
        return
    for one in document["notices"]:
        about = f", wave {one['wave']}" if one["wave"] else ""
        yield f"{one['at'] or '-':<20}  {one['occasion']}{about}  {one['id']}"
        yield f"    {one['detail']}"
        yield f"    {'; '.join(_reached(receiver) for receiver in one['receivers']) or 'for nobody'}"
    if not document["notices"]:
        yield "Nothing was to be told yet."
    yield ""
    yield from (_receiver(one) for one in document["receivers"])
    if document["test"] is None:
        yield f"`dmsa notices {typed} --test` sends each of them a test."
    for one in document["test"] or ():
        yield f"test to {one['receiver']}: {one['outcome']}" + (f", {one['why']}" if one["why"] else "")


def _reached(receiver: dict[str, Any]) -> str:
    return f"{receiver['receiver']}: {receiver['state']}" + (f" {receiver['at']}" if receiver["at"] else "")


def _receiver(one: dict[str, Any]) -> str:
    on = "everything" if len(one["on"]) == len(get_args(Occasion)) else ", ".join(one["on"])
    said = f"receiver {one['receiver']} ({on}): {one['unsent']} unsent"
    if one["missed"]:
        said += f", {one['missed']} dropped"
    silent = one["silent"]
    return said + (f"; has taken nothing since {silent['since'] or '-'}: {silent['why']}" if silent else "")


def notices_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document that ``notices --json`` prints."""
    reached = closed(receiver=TEXT, state=one_of(STATES), at=TIME)
    notice = closed(
        id=TEXT,
        occasion=one_of(get_args(Occasion)),
        wave=or_null(TEXT),
        reason=or_null(TEXT),
        migrations=list_of(closed(dmsa=TEXT, account=TEXT)),
        at=TIME,
        detail=TEXT,
        next=TEXT,
        text=TEXT,
        receivers=list_of(reached),
    )
    tried = closed(receiver=TEXT, outcome=one_of(OUTCOMES), status=COUNT, why=TEXT)
    return {
        "$schema": DIALECT,
        **closed(
            plan=TEXT,
            digest=DIGEST,
            receivers=list_of(receiver_schema()),
            notices=list_of(notice),
            test=or_null(list_of(tried)),
        ),
    }
