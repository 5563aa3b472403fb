"""What an inquiry into Windows found: the document that is kept and printed with --json, and its text for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from orchestrator.errors import Exit
from orchestrator.model.plan import Plan
from orchestrator.probe import QUESTIONS, SWITCHES, Inquiry
from orchestrator.views.status import iso

State: TypeAlias = Literal["under-way", "done", "ended-early", "astray"]
"""``astray``: the way back failed. Of that, and of ``under-way``, the next run begins with the way back."""


def probe_document(
    inquiry: Inquiry,
    digest: str,
    times: tuple[datetime | None, datetime | None],
    *,
    state: State,
    exit_code: int | None = None,
) -> dict[str, Any]:
    """Return what is known by now.

    Args:
        inquiry: the conversation.
        digest: the plan's digest.
        times: estate time at its beginning and its end.
        state: how it stands. While it is under way only the way back matters, so no answers are listed.
        exit_code: what the verb ends with; None while it is under way.
    """
    subject, controller = inquiry.subject, inquiry.controller
    finished = state != "under-way"
    acts: dict[int, tuple[int, dict[str, Any]]] = {}
    questions = [_question(id_, inquiry, acts) for id_ in QUESTIONS if finished and id_ in inquiry.findings]
    return {
        "plan": subject.plan,
        "digest": digest,
        "account": subject.account,
        "dmsa": subject.dmsa,
        "state": state,
        "exit": exit_code,
        "estate_time": {"began": iso(times[0]), "ended": iso(times[1])},
        "controller": vars(controller).copy() if controller else None,
        "doing": inquiry.doing,
        "why": inquiry.astray or inquiry.ended_early,
        "left": list(inquiry.left),
        "switches": inquiry.switches if finished else {},
        "questions": questions,
        "acts": [{"number": number, **act} for number, act in acts.values()],
        "found": inquiry.found.document() if inquiry.found else None,
    }


def _question(id_: str, inquiry: Inquiry, acts: dict[int, tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    finding = inquiry.findings[id_]
    numbers = [acts.setdefault(id(act), (len(acts) + 1, act))[0] for act in finding.evidence]
    value = finding.answer.value
    return {
        "id": id_,
        "asks": QUESTIONS[id_],
        "answer": "unknown" if value is None else value,
        "why": finding.answer.why,
        "switch": id_ in SWITCHES,
        "evidence": numbers,
    }


def state_of(inquiry: Inquiry) -> State:
    """Say how an inquiry ended."""
    if inquiry.astray:
        return "astray"
    return "ended-early" if inquiry.ended_early else "done"


def exit_of_probe(inquiry: Inquiry) -> Exit:
    """Return 4 where the pair or the account is not as it was found, 5 where not everything was asked, else 0."""
    if inquiry.astray or inquiry.account_differs:
        return Exit.HELD
    return Exit.FAILED if inquiry.ended_early else Exit.DONE


def intention(plan: Plan, id_: str) -> str:
    """Say what is about to be done, before anything is."""
    migration, directory = plan.migration(id_), plan.estate.directory
    return (
        f"{len(QUESTIONS)} questions are to be asked of a disposable pair, by trying:\n"
        f"  account  {migration.account}\n"
        f"  dMSA     {id_} (created if it is not there; nothing here can delete it)\n"
        f"  on       {directory.server if directory else 'a simulated estate'}\n"
        "Start, Complete, Undo and Reset are sent again and again; the account is disabled in between, and whatever "
        "uses it\nfails. At the end the pair is unlinked and the account as it was found; what could not be put back "
        "is named.\nOnly for a test forest."
    )


def probe_text(document: dict[str, Any], file: str, again: str) -> str:
    """Return a finished document for people; *again* is the command as it was typed."""
    if not document["questions"]:
        return _end(document, again)
    width = max((len(one["id"]) for one in document["questions"]), default=0)
    lines = [f"{one['id']:<{width}}  {_word(one['answer'])}: {one['why']}" for one in document["questions"]]
    lines += ["", "switches:", *(f"  {name}: {_word(value)}" for name, value in document["switches"].items()), ""]
    lines += [f"left: {one}" for one in document["left"]]
    controller = document["controller"] or {"name": "?", "build": "?", "ubr": "?"}
    answered = sum(one["answer"] != "unknown" for one in document["questions"])
    lines.append(
        f"{answered} of {len(document['questions'])} answered by {controller['name']}, build {controller['build']}."
        f"{controller['ubr']}; in {file}."
    )
    lines.append(_end(document, again))
    return "\n".join(lines)


def _word(value: bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _end(document: dict[str, Any], again: str) -> str:
    account = document["account"]
    if not document["questions"]:
        return f"Nothing was changed: {document['why']}."
    if document["state"] == "astray":
        return (
            f"The pair could not be brought back: {document['why']}. `{again}` begins with the way back, and "
            "needs the result file for it."
        )
    ended = f"Not everything was asked: {document['why']}. " if document["why"] else ""
    if document["exit"] == Exit.HELD:
        return f"{ended}The pair is unlinked, but {account} is not as it was found: see what is left."
    return f"{ended}The pair is unlinked, and {account} is as it was found."
