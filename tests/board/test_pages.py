"""Pages: each state with its own mark, what needs a person with its command, and nothing that a name could add."""

from __future__ import annotations

import copy
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest

from orchestrator.board.ink import said, visible
from orchestrator.board.marks import mark_of, mark_of_exit, mark_of_need, mark_of_wave
from orchestrator.board.needs import needed
from orchestrator.board.page import Address
from orchestrator.board.pages import every_address, history, page_of
from orchestrator.board.sight import Sight
from orchestrator.engine.outcome import WaveState
from orchestrator.errors import Exit
from tests.board.markup import Elements
from tests.board.stage import BACK, FAILED, HOST, INK, NAME, WAITS, drawn, follower, journal_of, sight
from tests.histories import rows_of

ADDRESSES = list(every_address(sight()))
HISTORIES = ("seed-1", "seed-31", "plan-5", "shared-in-three-plans")
every_page = pytest.mark.parametrize("address", ADDRESSES, ids=lambda one: one.url)


def page(kind="overview", name="", seen=None):
    found = page_of(Address(kind, NAME if kind != "overview" else "", name), seen or sight())
    assert found is not None
    return drawn(found)


# What is shown.


@every_page
def test_every_page_is_whole_and_leads_only_to_pages_that_there_are(address):
    elements = Elements(page(address.kind, address.name))
    ids = elements.named("id")
    assert len(ids) == len(set(ids))
    assert elements.shape.count(("h1", ())) == 1
    known = {one.url for one in ADDRESSES}
    for link in elements.named("href"):
        assert link in known or link.startswith(("/assets/", "#main", f"/plans/{NAME}/journal?")), link
    for labels in elements.named("aria-labelledby"):
        assert {*labels.split()} <= {*ids}


@pytest.mark.parametrize("name", HISTORIES)
def test_every_page_of_other_runs_is_whole_too(name):
    found = follower(journal_of(rows_of(name))).look()
    for address in every_address(found):
        Elements(drawn(page_of(address, found)))


def test_what_needs_a_person_stands_on_top_with_the_exact_command():
    text = unescape(page("plan"))
    top = text.partition("</section>\n")[2].partition('class="about"')[0]
    assert "A person is needed: 4" in top
    for word in ("FAILED", "HELD", "approve", "rolled back"):
        assert f"> {word}</span>" in top
    for command in (
        "dmsa release plans/quickstart.yaml",
        "dmsa release plans/quickstart.yaml --only x",
        "dmsa approve plans/quickstart.yaml --wave main --gate start",
        f"dmsa release plans/quickstart.yaml --only {BACK} --forward --reason TEXT",
    ):
        assert f'<code class="command">{command}</code>' in top
    assert "PLAN" not in top
    assert top.index("FAILED") < top.index("HELD") < top.index("approve")


def test_a_waiver_that_nobody_has_approved_yet_needs_a_person_until_it_is_over():
    status = copy.deepcopy(sight().runs[0].status)
    migration = next(m for wave in status["waves"] for m in wave["migrations"] if m["dmsa"] == WAITS)
    waiver = {"guard": "dwell-minimum", "counts": False, "given": [], "missing": ["ad-lead"], "withdrawn": []}
    migration["waivers"] = [{**waiver, "next": f"dmsa approve PLAN --waivers --only {WAITS}"}]
    (need,) = (one for one in needed(status, "p.yaml") if one.reason == "waiver of dwell-minimum")
    assert need.todo == f"`dmsa approve p.yaml --waivers --only {WAITS}`"
    assert need.lines == ("waiver of dwell-minimum: does not count yet", "must still approve: ad-lead:")
    migration["phase"] = "completed"
    assert not [one for one in needed(status, "p.yaml") if one.reason == "waiver of dwell-minimum"]


def test_the_page_of_a_migration_shows_what_it_is_needed_for_and_no_other():
    assert "A person is needed: 1" in page("migration", FAILED)
    assert "--gate start" in page("migration", WAITS)
    assert "--only x" not in page("migration", WAITS)
    assert "app99.corp.example" in page("migration", FAILED)
    assert "not in the plan" in page("migration", FAILED)


def test_the_windows_of_a_wave_are_told_in_its_zone_and_in_utc():
    assert "Europe/Berlin (2026-" in page("wave", "main")


def test_a_host_shows_every_migration_there():
    assert FAILED in page("host", HOST)
    assert "Nobody is needed" not in page("host", HOST)


def test_what_is_not_there_has_no_page():
    for address in (
        Address("plan", "nobody"),
        Address("wave", NAME, "nobody"),
        Address("migration", NAME, "nobody"),
        Address("host", NAME, "nobody"),
        Address("journal", NAME, before=5),
    ):
        assert page_of(address, sight()) is None


def test_of_a_run_that_cannot_be_read_it_says_why():
    seen = replace(sight().runs[0], status=None, plan=None, unread="row 7 is of a newer version")
    other = Sight("j.db", (seen,))
    assert "row 7 is of a newer version" in page("plan", seen=other)
    assert "cannot be told" in page(seen=other)
    assert page_of(Address("ledger", NAME), other) is None
    for address in every_address(other):
        assert page_of(address, other)


def test_trouble_with_the_journal_stands_on_every_page():
    troubled = replace(sight(), trouble="the disk failed")
    assert all("the disk failed" in drawn(page_of(one, troubled)) for one in every_address(troubled))


def test_an_empty_journal_says_how_a_run_begins():
    assert "dmsa run PLAN" in page(seen=Sight("j.db"))


def test_rows_that_lie_further_back():
    seen = sight().runs[0]
    address = Address("journal", NAME, FAILED, 50)
    text = drawn(history(sight(), seen, address, list(seen.rows[:3])[::-1], 17))
    assert f'href="{Address("journal", NAME, FAILED, 17).url.replace("&", "&amp;")}"' in text
    assert "No rows" in drawn(history(sight(), seen, address, [], None))


# Marks.


def _migration(**more: Any) -> dict[str, Any]:
    calm = {"phase": "started", "intention": "forward", "failure": None, "held": None, "waiting": None}
    return {**calm, **more}


def test_waiting_held_and_failed_have_each_their_own_word_and_shape():
    marks = [
        mark_of(_migration()),
        mark_of(_migration(waiting={"for": "dwell"})),
        mark_of(_migration(held={"reason": "operator"})),
        mark_of(_migration(held={"reason": "fault"}, failure="failed")),
        mark_of(_migration(phase="completed")),
        mark_of(_migration(phase="planned")),
        mark_of(_migration(intention="back")),
    ]
    assert [one["word"] for one in marks] == [
        "moving", "waits", "HELD", "FAILED", "completed", "planned", "going back",
    ]  # fmt: skip
    assert len({one["kind"] for one in marks}) == len(marks)
    shapes = {INK.draw("about.html", _about(one)).partition("<svg")[2] for one in marks}
    assert len(shapes) == len(marks)


def _about(mark):
    return {"id": "x", "mark": {**mark, "word": ""}, "description": "", "about": []}


def test_every_state_has_a_mark():
    for state in WaveState.__args__:
        assert mark_of_wave(state)["kind"]
    for code in Exit:
        assert mark_of_exit(int(code))["word"]
    assert mark_of_exit(None)["word"] == "cannot be told"
    for word in ("FAILED", "HELD", "approve", "rolled back"):
        assert mark_of_need(word)["word"] == word


# Hostile text.

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title></section></main><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]>",
    "javascript:alert(1)",
    "&lt;b&gt;",
    'x" autofocus onfocus="alert(1)',
    "../../../etc/passwd",
    "a/b?c#d&e=f",
    "\r\nSet-Cookie: a=b",
    "\u202eevil\u2066\x00\x1b[2J\udc80",
)
KEPT = {
    "phase",
    "intention",
    "failure",
    "registry",
    "gate",
    "exit",
    "kind",
    "zone",
    "opens",
    "closes",
    "first_seen",
    "read",
}
"""What no plan, directory or person may write freely: words of the program, and what its check has parsed."""


def poisoned(value: Any, with_: str, key: str = "", path: tuple[str, ...] = ()) -> Any:
    """Return a document in which every text that somebody else may have written has something behind it."""
    if isinstance(value, dict):
        return {name: poisoned(one, with_, name, (*path, name)) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(poisoned(one, with_, key, path) for one in value)
    wave_state = key == "state" and "workloads" not in path
    waited_for = key == "for" and path[-2:] == ("waiting", "for")
    if not isinstance(value, str) or key in KEPT or wave_state or waited_for:
        return value
    return f"{value}{with_}"


def seen_with(text: str) -> Sight:
    run = sight().runs[0]
    changed = replace(
        run,
        command=f"{run.command}{text}",
        status=poisoned(run.status, text),
        plan=run.plan.model_copy(update={"description": text, "change": text, "owner": text}),
        rows=tuple({**line, "migration": f"{line['migration']}{text}", "said": text} for line in run.rows),
        note=f"note {text}",
    )
    return Sight("j.db", (changed,), f"ann{text}", f"trouble {text}")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_adds_no_element_and_no_attribute_to_any_page(text):
    calm, hostile = seen_with(" plain"), seen_with(text)
    for one, two in zip(every_address(calm), every_address(hostile), strict=True):
        before, after = Elements(drawn(page_of(one, calm))), Elements(drawn(page_of(two, hostile)))
        assert after.shape == before.shape, two.url
        for tag, name, value in after.attributes:
            if name in {"href", "src"}:
                assert urlsplit(value).scheme == urlsplit(value).netloc == "", (tag, name, value)
                assert value.startswith(("/plans/", "/assets/", "#main")) or value == "/"
            assert name in {"href", "aria-label", "datetime"} or text not in value, (tag, name)
        assert all(one.isprintable() or one == "\n" for one in "".join(after.text))
        drawn(page_of(two, hostile)).encode()


def test_backticks_make_code_and_nothing_else():
    text = "`dmsa run x` and `<b>` and `"
    assert said(text) == '<code class="command">dmsa run x</code> and <code class="word">&lt;b&gt;</code> and `'


def test_what_cannot_be_printed_is_shown_as_its_escape():
    assert visible("a\u202eb\x00\n\udc80\u200b") == "a\\u202eb\\x00\n\\udc80\\u200b"
    assert visible(None) == ""
    assert visible(7) == 7


# Addresses.


@pytest.mark.parametrize("name", [*HOSTILE, "..", ".", "a+b c%41", "ü", "%2e%2e%2f"])
@pytest.mark.parametrize("kind", ["wave", "migration", "host", "journal"])
def test_an_address_leads_back_to_itself(kind, name):
    address = Address(kind, "p", name, 7 if kind == "journal" else None)
    path, _, query = address.url.partition("?")
    assert path == f"/plans/p/{kind}"
    found = Address.of(path, query)
    assert found is not None
    assert found.url == address.url
    assert found.name == name.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", ""),
        ("//", ""),
        ("/plans", ""),
        ("/plans/", ""),
        ("/plans/p/", ""),
        ("/plans/p/overview", ""),
        ("/plans/p/wave", ""),
        ("/plans/p/wave", "name="),
        ("/plans/p/wave/", "name=x"),
        ("/plans/p/../wave", "name=x"),
        ("/other/p", ""),
    ],
)
def test_what_is_no_address(path, query):
    assert Address.of(path, query) is None


@pytest.mark.parametrize("text", ["-1", "1e9", "٣", "9" * 16, "", "1.5"])
def test_what_is_no_number_of_a_row(text):
    found = Address.of("/plans/p/journal", f"before={text}")
    assert found is not None
    assert found.before is None
