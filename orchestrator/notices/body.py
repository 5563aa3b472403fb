"""What is posted: one JSON document a notice, in the form that its receiver understands.

- ``slack``: ``text`` in Slack's markup, in which ``&``, ``<`` and ``>`` are escaped, so that no name or message becomes
  a mention, a command or a link (Slack, "Formatting message text", Escaping text). Nothing is unfurled.
- ``teams``: a message with one Adaptive Card, which is what Workflows ("When a Teams webhook request is received")
  take; message cards of the retired connectors they do not (Microsoft Learn, "Create and send messages", Known
  issues). Every text is a TextRun, in which Markdown is not interpreted (Microsoft Learn, "Text features").
- ``plain``: ``text`` and ``dmsa``, for whatever else there is; so do Mattermost and Rocket.Chat take it.

No notice has a link: what looks like one in a message of a host is broken by an invisible character, and so are the
mentions that servers find in plain text (``@channel``, ``@here``, ``@all``, ``@everyone``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from orchestrator.model.noticed import NoticeRaised
from orchestrator.model.notices import Notice
from orchestrator.model.plan import Plan
from orchestrator.model.receiver import host_of
from orchestrator.notices.words import LONGEST, TEST, account_of, advice, paragraphs, text_of

Form: TypeAlias = Literal["plain", "slack", "teams"]
FORMS: tuple[Form, ...] = get_args(Form)
MIGRATIONS = 20
"""How many migrations are listed with their accounts: a Teams message may have 28 KB."""
_HOSTS: Mapping[str, Form] = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "api.powerplatform.com": "teams",
    "api.powerautomate.com": "teams",
    "flow.microsoft.com": "teams",
    "logic.azure.com": "teams",
    "logic.azure.us": "teams",
    "webhook.office.com": "teams",
}
"""Hosts, and domains of hosts, that are known to take one form."""
_LINK = re.compile(r"(?<=[A-Za-z])://")
_MENTION = re.compile(r"@(?=(?:channel|here|all|everyone)\b)", re.IGNORECASE)
_ZERO_WIDTH = "\u200b"


def form_for(url: str) -> Form:
    """Return the form that the receiver behind a URL takes, by its host."""
    host = host_of(url)
    return next((form for known, form in _HOSTS.items() if host == known or host.endswith(f".{known}")), "plain")


def body_of(notice: Notice, plan: Plan, typed: str, form: Form, missed: int = 0) -> dict[str, Any]:
    """Return the document that is posted; *typed*, *missed* as in :func:`~.words.paragraphs`."""
    if form == "slack":
        text = text_of(notice, plan, typed, missed, _for_slack)
        return {"text": text, "unfurl_links": False, "unfurl_media": False}
    facts = _facts(notice, plan, typed, missed)
    if form == "teams":
        card = _card([unlinked(one) for one in paragraphs(notice, plan, typed, missed)])
        return {"type": "message", "attachments": [card], "dmsa": facts}
    return {"text": text_of(notice, plan, typed, missed, unlinked), "dmsa": facts}


def trial_notice(plan: Plan, name: str, at: datetime) -> Notice:
    """Return a notice that says that it is none: to see that it arrives."""
    detail = f"A test by {name}: notices of {plan.name} arrive here. Nothing happened, and nothing is to be done."
    raised = NoticeRaised(number=1, occasion="wave-started", wave="", reason=TEST, detail=detail)
    return Notice(f"{plan.name}/test-{int(at.timestamp())}", raised, at)


def unlinked(text: str) -> str:
    """Return a text in which nothing is a link, or mentions everybody."""
    return _MENTION.sub(f"@{_ZERO_WIDTH}", _LINK.sub(f":{_ZERO_WIDTH}//", text))


def _for_slack(text: str) -> str:
    return unlinked(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card(lines: list[str]) -> dict[str, Any]:
    runs: list[dict[str, Any]] = [{"type": "TextRun", "text": line} for line in lines]
    runs[0] |= {"weight": "Bolder", "size": "Medium"}
    runs[-1] |= {"isSubtle": True, "size": "Small"}
    blocks = [{"type": "RichTextBlock", "inlines": [run]} for run in runs]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": blocks,
    }
    return {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}


def _facts(notice: Notice, plan: Plan, typed: str, missed: int) -> dict[str, Any]:
    """Return the same for programs: nothing is escaped here but by JSON itself."""
    raised = notice.raised
    return {
        "id": notice.id,
        "occasion": raised.occasion,
        "test": raised.reason == TEST,
        "plan": plan.name,
        "change": plan.change,
        "simulated": plan.is_lab,
        "wave": raised.wave or None,
        "reason": raised.reason or None,
        "migrations": [{"dmsa": one, "account": account_of(plan, one)} for one in raised.migrations[:MIGRATIONS]],
        "count": len(raised.migrations),
        "at": notice.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if notice.at else None,
        "detail": raised.detail[:LONGEST],
        "next": advice(raised.todo, typed)[:LONGEST],
        "missed": missed,
    }
