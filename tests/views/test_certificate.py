"""The certificate of a drill: what the rows make of it, its page, and that no byte of either can be changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.certified import CertificateRefused, compared
from orchestrator.journal import Entry, MemoryJournal
from orchestrator.model import before as b
from orchestrator.model import drilled as d
from orchestrator.model import event as e
from orchestrator.model.event import VERSION, Event, to_body
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.views.certificate import as_bytes, certificates, drills
from orchestrator.views.certificate_html import as_page, in_page
from orchestrator.views.certificate_schema import certificate_schema, drills_schema
from orchestrator.views.drill_summary import history, summary, table

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOCK = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOST = "app01.corp.example"
ACCOUNT = "CN=svc-app,DC=corp,DC=example"
PLAN = {"waves": [{"migrations": [{"account": ACCOUNT, "dmsa": {"name": "a"}}]}]}
BEFORE = b.HostBefore(computer_name="APP01", key_exists=True, value=None)
SNAPSHOT, NOW = "a" * 64, "b" * 64
Told = list[tuple[Event, int]]
"""Events, and at which second they happened."""


def seen(when: str, *troubles: str) -> d.SteadyStateSeen:
    return d.SteadyStateSeen.model_validate(
        {
            "migration": "a",
            "number": 1,
            "when": when,
            "account": "enabled, unlinked",
            "workloads": {HOST: {"service App": "Running"}},
            "troubles": troubles,
        }
    )


def moved(trigger: Trigger, source: Phase, dest: Phase) -> e.Moved:
    return e.Moved(migration="a", trigger=trigger, source=source, dest=dest)


def compared_as(*differences: b.Difference) -> b.Compared:
    return b.Compared(migration="a", snapshot=SNAPSHOT, now=NOW, equal=7, differences=differences)


def difference(verdict: str, **more: object) -> b.Difference:
    given = {"object": "account", "name": "servicePrincipalName", "before": ["x"], "now": None, "why": "because"}
    return b.Difference.model_validate({**given, "verdict": verdict, **more})


BEGAN = d.DrillBegan(number=1, migrations=("a",), to=Phase.STARTED, by="ann", tool="0.1.0", clock=CLOCK, estate="lab")
TAKEN = b.SnapshotTaken(
    migration="a", account_guid=UUID(int=1), account={}, dmsa=None, hosts={HOST: BEFORE}, sha256=SNAPSHOT
)
ASKED = e.WayBackAsked(migration="a", way=Way.ROLLBACK, by="ann", reason="drill 1")
ENDED = d.DrillEnded(number=1, clock=CLOCK + timedelta(minutes=9))
FORWARD: Told = [
    (e.RunBegan(digest="d" * 64, plan=PLAN, by="ann", tool="0.1.0"), 0),
    (BEGAN, 0),
    (seen("before"), 0),
    (TAKEN, 1),
    (moved(Trigger.PREPARE, Phase.PLANNED, Phase.PREPARED), 5),
    (moved(Trigger.START, Phase.PREPARED, Phase.STARTED), 8),
]


def turned(why: str = "") -> d.DrillTurned:
    return d.DrillTurned(number=1, reached={"a": d.Turned(phase=Phase.STARTED, why=why)})


def back(*differences: b.Difference) -> Told:
    return [
        (ASKED, 10),
        (moved(Trigger.UNDO, Phase.STARTED, Phase.UNLINKED), 30),
        (moved(Trigger.RESTORE, Phase.UNLINKED, Phase.RESTORED), 40),
        (e.SubjectDone(migration="a", step=Trigger.RESTART, subject=HOST), 52),
        (compared_as(*differences), 53),
        (moved(Trigger.RESTART, Phase.RESTORED, Phase.ROLLED_BACK), 55),
    ]


def journal_of(told: Told) -> MemoryJournal:
    journal = MemoryJournal(lambda: CLOCK)
    entries = [Entry("plan", AT + timedelta(seconds=at), one.kind, VERSION, to_body(one)) for one, at in told]
    journal.append(entries, expected=0, lease=None)
    return journal


def whole(*differences: b.Difference, why: str = "", after: tuple[str, ...] = ()) -> MemoryJournal:
    return journal_of([*FORWARD, (turned(why), 10), *back(*differences), (seen("after", *after), 60), (ENDED, 61)])


def made_of(journal: MemoryJournal) -> dict[str, Any]:
    (made,) = certificates(journal.read(), "plan")
    Draft202012Validator(certificate_schema()).validate(made)
    assert in_page(as_page(made)) == made
    return made


def test_it_says_what_happened_and_how_long_it_took():
    journal = whole(difference("declared"))
    made = made_of(journal)
    (one,) = made["migrations"]
    assert (made["verdict"], made["by"], made["tool"], made["digest"]) == ("restored", "ann", "0.1.0", "d" * 64)
    assert made["began"] == {"estate": "2026-03-02T12:00:00Z", "clock": "2026-11-29T12:00:00Z"}
    assert made["ended"] == {"estate": "2026-03-02T12:01:01Z", "clock": "2026-11-29T12:09:00Z"}
    assert made["restore"] == {"seconds": 45, "slowest": {"host": HOST, "dmsa": "a", "seconds": 42}}
    assert one["account"] == ACCOUNT
    assert [(leg["way"], leg["to"], leg["seconds"]) for leg in one["legs"]] == [
        ("forward", "prepared", 5),
        ("forward", "started", 3),
        ("back", "unlinked", 20),
        ("back", "restored", 10),
        ("back", "rolled_back", 15),
    ]
    assert (one["snapshot"]["before"], one["snapshot"]["now"], one["snapshot"]["equal"]) == (SNAPSHOT, NOW, 7)
    assert {key: len(found) for key, found in one["snapshot"]["differences"].items()} == {
        "failed": 0,
        "foreign": 0,
        "declared": 1,
    }
    *_, last = journal.read()
    assert made["head"] == {"seq": last.seq, "hash": last.hash}


@pytest.mark.parametrize(
    ("journal", "verdict"),
    [
        (whole(), "restored"),
        (whole(difference("declared"), difference("foreign", name="pwdLastSet")), "restored"),
        (whole(difference("failed", by_hand="Set-ADUser")), "not-restored"),
        (whole(after=("App is down",)), "not-restored"),
        (whole(why="held (fault): no"), "cut-short"),
        (whole(difference("failed"), why="held (fault): no"), "not-restored"),
        (journal_of([*FORWARD, (turned(), 10), (ASKED, 10), (seen("after"), 60), (ENDED, 61)]), "not-restored"),
        (journal_of([*FORWARD, (turned(), 10), *back(), (ENDED, 61)]), "not-restored"),
        (journal_of([*FORWARD[:3], (turned("held"), 10), (seen("after"), 60), (ENDED, 61)]), "cut-short"),
        (journal_of([*FORWARD[:3], (turned("held"), 10), (seen("after", "no"), 60), (ENDED, 61)]), "not-restored"),
    ],
)
def test_the_verdict_in_one_word(journal, verdict):
    made = made_of(journal)
    assert made["verdict"] == made["migrations"][0]["verdict"] == verdict
    assert verdict.replace("-", " ").upper() in summary(made)


def test_what_was_held_in_the_end_is_named():
    held = e.Held(migration="a", reason="restored-by-hand", detail="An SPN is gone.", release="Set-ADUser")
    cut = [*FORWARD, (turned(), 10), *back(difference("failed"))[:5], (held, 54), (seen("after"), 60), (ENDED, 61)]
    (one,) = made_of(journal_of(cut))["migrations"]
    assert (one["ended"], one["held"]) == ("restored", "held (restored-by-hand): An SPN is gone.")


def test_rows_of_other_runs_and_rows_after_it_change_nothing():
    told = [*FORWARD, (turned(), 10), *back(), (seen("after"), 60), (ENDED, 61)]
    alone = made_of(journal_of(told))
    journal = journal_of(told)
    journal.append(
        [Entry("plan", AT, "runner-left", VERSION, {"reason": "done"}), Entry("other", AT, "unheard-of", 99, {})],
        expected=len(told),
        lease=None,
    )
    assert made_of(journal) == alone


def test_one_that_is_under_way_has_a_line_and_no_certificate():
    journal = journal_of([*FORWARD, (turned(), 10)])
    assert not list(certificates(journal.read(), "plan"))
    shown = history("plan", drills(journal.read(), "plan"))
    Draft202012Validator(drills_schema()).validate(shown)
    assert (shown["drills"][0]["verdict"], shown["drills"][0]["head"]) == (None, None)
    assert "under way" in table(shown)
    assert table(history("plan", [])) == "plan was never drilled."


def test_the_history_has_the_trend():
    shown = history("plan", drills(whole().read(), "plan"))
    Draft202012Validator(drills_schema()).validate(shown)
    head, row = table(shown).splitlines()
    assert head.split("  ")[0] == "drill"
    assert re.split(r"  +", row) == [
        "1", "2026-11-29T12:00:00Z", "ann", "started", "1", "restored", "0:00:45", f"{HOST} 0:00:42",
    ]  # fmt: skip


# The page.


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


NASTY = '"><script>alert(1)</script></pre>&amp;<img src=x onerror=y>\u2028\x1b[2J'


def test_nothing_in_it_becomes_markup():
    journal = whole(difference("foreign", name=NASTY, before=NASTY, why=NASTY), why=NASTY, after=(NASTY,))
    made = made_of(journal) | {"plan": NASTY, "by": NASTY, "tool": NASTY}
    plain = Page(as_page(made_of(whole(difference("foreign"), why="x", after=("x",)))))
    page = Page(as_page(made))
    assert page.tags == plain.tags
    assert not page.open
    assert in_page(as_page(made)) == made


def test_it_needs_nothing_from_elsewhere_and_runs_nothing():
    page = as_page(made_of(whole(difference("failed"))))
    parsed = Page(page)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name in {"src", "href", "style"} or name.startswith("on")]
    assert not re.search(rb"url\(|@import|https?://", page)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in parsed.attributes


def test_it_can_be_read_by_everybody():
    page = as_page(made_of(whole(difference("declared"))))
    parsed = Page(page)
    assert ("lang", "en") in parsed.attributes
    assert parsed.tags.count("table") == parsed.tags.count("caption") == parsed.tags.count("thead")
    assert parsed.tags.count("th") == sum(name == "scope" for name, _ in parsed.attributes)
    assert b"@media print" in page
    for colours in re.findall(rb"background: (#\w+); color: (#\w+)", page):
        light, dark = sorted(map(_luminance, colours), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 7, "WCAG 2.2, 1.4.6: contrast of at least 7 to 1"


def _luminance(colour: bytes) -> float:
    """Return the relative luminance of a colour (WCAG 2.2, definition)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# Tampering.


@pytest.mark.parametrize("form", [as_bytes, as_page])
def test_no_byte_of_it_can_be_changed(form):
    made = made_of(whole(difference("declared")))
    content, file = form(made), Path("certificate")
    assert compared(file, content, lambda _plan: [made], "plan") == made
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ (1, 32)[at % 2]]) + content[at + 1 :]
        with pytest.raises(CertificateRefused):
            compared(file, changed, lambda plan: [made] if plan == "plan" else [], None)


@pytest.mark.parametrize("form", [as_bytes, as_page])
@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: content[:0],
        lambda content: content + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.replace(b'"restored"', b'"restored" '),
        lambda content: b"\xef\xbb\xbf" + content,
    ],
)
def test_nothing_can_be_cut_off_or_added(form, change):
    made = made_of(whole())
    with pytest.raises(CertificateRefused):
        compared(Path("certificate"), change(form(made)), lambda _plan: [made])


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"{}", "it is no certificate"),
        (b"[]", "it is no certificate"),
        (b"null", "it is no certificate"),
        (b"\xff", "it is no certificate"),
        (b"[" * 100_000, "it is no certificate"),
        (b"<!DOCTYPE html>", "no certificate is in it"),
        (b'<!><pre id="certificate">[]</pre>', "no certificate is in it"),
        (b'{"plan":"plan","head":{"seq":99}}', "no drill of 'plan' ends at row 99"),
        (b'{"plan":"plan","head":7}', "it is no certificate"),
        (b'{"plan":7,"head":{"seq":17}}', "it is no certificate"),
    ],
)
def test_what_is_no_certificate_says_so(held, said):
    made = made_of(whole())
    with pytest.raises(CertificateRefused, match=re.escape(said)):
        compared(Path("certificate"), held, lambda plan: [made] if plan == "plan" else [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "cut-short"}, "verdict says 'cut-short', and the journal says 'restored'"),
        ({"by": "bob"}, "by says 'bob', and the journal says 'ann'"),
        ({"drill": True}, "drill says True, and the journal says 1"),
        ({"more": 1}, "more is too many"),
        ({"migrations": []}, "migrations says []"),
    ],
)
def test_it_says_which_part_differs(change, said):
    made = made_of(whole())
    for form in (as_bytes, as_page):
        with pytest.raises(CertificateRefused, match=re.escape(said)):
            compared(Path("certificate"), form({**made, **change}), lambda _plan: [made])


def test_of_another_plan_it_is_refused():
    made = made_of(whole())
    with pytest.raises(CertificateRefused, match="it is a certificate of 'plan', not of other"):
        compared(Path("certificate"), as_bytes(made), lambda _plan: [made], "other")
