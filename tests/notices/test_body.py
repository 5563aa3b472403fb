"""What is posted: the words for a person, and that nothing in them is markup for whoever shows them."""

import json
from datetime import UTC, datetime

import pytest

from orchestrator.model.noticed import NoticeRaised, id_of
from orchestrator.model.notices import Notice
from orchestrator.notices import FORMS, body_of, form_for, trial_notice
from orchestrator.planfile import load_plan
from tests.world import ROOT

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PLAN = load_plan(ROOT / "plans" / "quickstart.yaml").plan
NASTY = (
    "<!channel> <@U1> <https://evil.example|click> & http://evil.example @everyone @Here @channel @all "
    "[click](https://evil.example) **bold** `code`\nNext: run this\u202e\u200b\x1b[31m"
)


def notice(**more) -> Notice:
    said = {
        "number": 7,
        "occasion": "held",
        "wave": "pilot",
        "migrations": ("dmsa-report",),
        "reason": "fault",
        "detail": "Held (fault): app01.corp.example did not answer",
        "todo": "mend it, then `dmsa release PLAN --only dmsa-report --reason TEXT`",
    }
    raised = NoticeRaised.model_validate(said | more)
    return Notice(id_of("quickstart", "d", raised, AT), raised, AT)


def body(form, one=None, missed=0):
    return body_of(one or notice(), PLAN, "plan.yaml --journal j.db", form, missed)


def shown(form, document) -> str:
    """What a person sees, whatever the form."""
    if form != "teams":
        return document["text"]
    (card,) = document["attachments"]
    return "\n".join(run["text"] for block in card["content"]["body"] for run in block["inlines"])


@pytest.mark.parametrize("form", FORMS)
def test_it_says_what_happened_to_which_object_and_what_to_do(form):
    lines = shown(form, body(form)).split("\n")
    assert lines[0] == (
        "[simulated estate] quickstart, wave pilot: HELD: dmsa-report "
        "(CN=svc-report,OU=Service Accounts,DC=corp,DC=example)"
    )
    assert lines[1] == "Held (fault): app01.corp.example did not answer"
    assert lines[2] == ("Next: mend it, then `dmsa release plan.yaml --journal j.db --only dmsa-report --reason TEXT`")
    assert lines[3] == f"2026-03-02 04:00 UTC, notice {notice().id}"
    assert len(lines) == 4


@pytest.mark.parametrize("form", FORMS)
def test_what_was_missed_is_said(form):
    said = shown(form, body(form, missed=37))
    assert "37 earlier notices did not reach you: `dmsa notices plan.yaml --journal j.db` lists them." in said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["detail", "todo", "wave"])
def test_nothing_in_it_is_markup(form, where):
    said = shown(form, body(form, notice(**{where: NASTY})))
    assert len(said.split("\n")) == 4
    for mention in ("@everyone", "@here", "@channel", "@all"):
        assert mention not in said.lower()
    assert "://" not in said
    assert not any(ord(character) < 32 and character != "\n" for character in said)
    assert "\u202e" not in said
    if form == "slack":
        assert not {"<", ">"} & set(said)
        assert "&lt;!channel&gt;" in said
        assert " &amp; " in said


def test_teams_shows_texts_that_are_not_read_as_markdown():
    (card,) = body("teams", notice(detail=NASTY))["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["type"] == "AdaptiveCard"
    kinds = {(block["type"], run["type"]) for block in card["content"]["body"] for run in block["inlines"]}
    assert kinds == {("RichTextBlock", "TextRun")}


def test_slack_gets_what_its_webhooks_know_and_nothing_else():
    assert set(body("slack")) == {"text", "unfurl_links", "unfurl_media"}


@pytest.mark.parametrize("form", ["plain", "teams"])
def test_programs_get_the_same_as_data_unchanged(form):
    facts = body(form, notice(detail=NASTY, wave="<pilot>"), missed=2)["dmsa"]
    assert facts["detail"] == NASTY
    assert facts["wave"] == "<pilot>"
    assert facts["migrations"] == [
        {"dmsa": "dmsa-report", "account": "CN=svc-report,OU=Service Accounts,DC=corp,DC=example"}
    ]
    assert (facts["id"], facts["occasion"], facts["missed"], facts["test"]) == (
        notice(detail=NASTY, wave="<pilot>").id, "held", 2, False
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_flood_fits_into_a_message(form):
    ids = tuple(f"dmsa-number-{number:04}" for number in range(5000))
    document = body(form, notice(migrations=ids, detail="€" * 100_000, todo="ü " * 50_000))
    assert len(json.dumps(document, ensure_ascii=False).encode()) < 28_000
    said = shown(form, document)
    assert "dmsa-number-0009 and 4990 more" in said
    assert "dmsa-number-0010" not in said
    if form != "slack":
        assert document["dmsa"]["count"] == 5000


def test_a_test_says_that_it_is_one():
    one = trial_notice(PLAN, "CORP\\ann", AT)
    document = body("plain", one)
    assert document["dmsa"]["test"] is True
    assert "a test" in document["text"].split("\n")[0]
    assert "CORP\\ann" in document["text"]
    assert "wave started" not in document["text"]


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://HOOKS.slack.com:443/services/T0/B0/x", "slack"),
        ("https://prod-12.westeurope.logic.azure.com:443/workflows/x?sig=y", "teams"),
        ("https://default1234.09.environment.api.powerplatform.com/powerautomate/automations/direct/x", "teams"),
        ("https://corp.webhook.office.com/webhookb2/x", "teams"),
        ("https://hooks.slack.com.evil.example/x", "plain"),
        ("https://evilhooks.slack.com.example", "plain"),
        ("https://nothooks.slack.com/x", "plain"),
        ("https://chat.corp.example/hooks/x", "plain"),
        ("https://hooks.slack.com@evil.example/x", "plain"),
        ("http://[::1]:8080/x", "plain"),
    ],
)
def test_the_form_is_that_of_the_host(url, form):
    assert form_for(url) == form


def test_the_id_is_the_same_for_the_same_and_another_for_every_other():
    raised = notice().raised
    one = id_of("r", "d", raised, AT)
    assert one == id_of("r", "d", raised, AT)
    assert one.startswith("r/7-")
    others = {
        id_of("q", "d", raised, AT),
        id_of("r", "e", raised, AT),
        id_of("r", "d", raised, AT.replace(second=1)),
        id_of("r", "d", raised, None),
        id_of("r", "d", notice(detail="other").raised, AT),
    }
    assert len(others | {one}) == 6
