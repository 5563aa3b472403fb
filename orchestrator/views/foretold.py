"""How a prediction agrees with what was done: the document for programs, and its text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from orchestrator.errors import Exit
from orchestrator.preview.against import Held, Verdict
from orchestrator.views.status import iso
from orchestrator.views.verification import wrapped

_AGAINST = (Verdict.OTHERWISE, Verdict.UNFORESEEN)
_SAID = {
    Verdict.AS_PREDICTED: "as predicted",
    Verdict.NOT_YET: "not done yet",
    Verdict.NOT_TOLD: "sent, and the value told by nothing in the journal",
    Verdict.TAKEN_BACK: "not done, for it went back first",
    Verdict.OTHERWISE: "otherwise than predicted",
    Verdict.UNFORESEEN: "unforeseen",
}


def foretold_document(
    plan: str, digest: str, predicted_at: datetime | None, rows: tuple[int, int], found: Sequence[Held]
) -> dict[str, Any]:
    """Return everything as JSON data; its shape is in :mod:`orchestrator.views.preview_schema`.

    ``share`` is how much of what can be told came as predicted; null where nothing can be told yet.
    """
    counts = Counter(one.verdict for one in found)
    told = counts[Verdict.AS_PREDICTED] + sum(counts[one] for one in _AGAINST)
    return {
        "plan": plan,
        "digest": digest,
        "exit": int(Exit.FAILED if any(counts[one] for one in _AGAINST) else Exit.DONE),
        "predicted_at": iso(predicted_at),
        "journal_rows": dict(zip(("from", "to"), rows, strict=True)),
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "share": counts[Verdict.AS_PREDICTED] / told if told else None,
        "found": [
            {
                "dmsa": one.migration,
                "step": one.step or None,
                "what": one.what,
                "verdict": one.verdict.value,
                "why": one.why,
            }
            for one in found
        ],
    }


def foretold_text(document: Mapping[str, Any], *, everything: bool) -> str:
    """Return the document as text for 80 columns; *everything*: also what came as predicted, or has not come yet."""
    return "\n".join(_lines(document, everything))


def _lines(document: Mapping[str, Any], everything: bool) -> Iterator[str]:
    at = f", predicted at {document['predicted_at']}" if document["predicted_at"] else ""
    yield f"{document['plan']} ({document['digest'][:12]}){at}"
    shown = [one for one in document["found"] if everything or one["verdict"] in {each.value for each in _AGAINST}]
    for dmsa, group in groupby(shown, key=lambda one: one["dmsa"]):
        yield from ("", dmsa)
        for one in group:
            step = f"{one['step']}  " if one["step"] else ""
            yield from wrapped(f"{one['verdict']:<13}{step}{one['what']}", "  ", " " * 15)
            if one["why"]:
                yield from wrapped(one["why"], " " * 15, " " * 17)
    yield ""
    for verdict in Verdict:
        if document["counts"][verdict.value]:
            yield f"{document['counts'][verdict.value]:>6,} {_SAID[verdict]}"
    share = document["share"]
    if share is None:
        yield "Nothing of it was done yet."
    else:
        yield f"{share:.1%} of what the journal tells came as predicted."
