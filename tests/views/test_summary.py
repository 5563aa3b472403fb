"""The status document for people: what they read, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.views.summary import summary


def one(name: str = "dmsa-app", phase: str = "planned", **more: Any) -> dict[str, Any]:
    plain = {"dmsa": name, "phase": phase, "intention": "forward", "attempt": 1, "held": None, "waiting": None}
    return {**plain, "adopted": False, "compared": None, "hosts": [], **more}


def document(*migrations: dict[str, Any], code: int = 7, state: str = "running", **more: Any) -> dict[str, Any]:
    wave = {"name": "pilot", "state": state, "waiting": None, "migrations": list(migrations)}
    plain = {"plan": "erp", "digest": "0123456789abcdef", "estate_time": None, "exit": code, "waves": [wave]}
    return {**plain, **more}


def lines(*migrations: dict[str, Any], **more: Any) -> list[str]:
    return summary(document(*migrations, **more), "plans/erp.yaml").splitlines()


HELD = {"reason": "fault", "detail": "It broke.", "since": None, "by": None, "failed": True}
HELD |= {"release": "mend it, then `dmsa release PLAN`"}


def test_what_was_adopted_says_so():
    late = "    adopted: its snapshot was taken late; a way back restores what was found then"
    assert late in lines(one(phase="linked", adopted=True))


def test_what_others_changed_meanwhile_is_named():
    compared = {"equal": 20, "declared": ["dmsa: dn"], "foreign": ["account: Description", "account: memberOf"]}
    said = "    changed by others since the snapshot: account: Description; account: memberOf"
    assert said in lines(one(phase="rolled_back", compared=compared))
    assert not [
        line for line in lines(one(phase="rolled_back", compared={**compared, "foreign": []})) if "others" in line
    ]


def test_a_lost_host_is_named_with_what_is_left_there():
    lost = {"by": "ann", "reason": "scrapped", "since": None, "before": "0", "left": "set"}
    seen = [{"kind": "service", "name": "App", "state": "running"}]
    host = {"name": "app01", "kept_for": [], "lost": lost, "discovered": None, "workloads": seen}
    other = {"name": "app02", "kept_for": [], "lost": None, "discovered": None, "workloads": []}
    assert "    lost: app01 (says ann: scrapped); DelegatedMSAEnabled was 0, left at 1; last seen App running" in lines(
        one(phase="restarted", hosts=[host, other])
    )


def test_a_value_that_was_kept_is_named_with_whom_it_was_kept_for():
    kept = {"name": "app02", "kept_for": ["dmsa-b", "mail/dmsa-c"], "lost": None, "discovered": None, "workloads": []}
    assert "    kept: DelegatedMSAEnabled at app02, for dmsa-b, mail/dmsa-c" in lines(one(phase="linked", hosts=[kept]))


def test_the_whole():
    found = summary(
        document(
            one("dmsa-batch", "completed"),
            one("dmsa-erp", "restarted", waiting={"for": "dwell", "until": "2026-03-16T12:00:00Z"}),
            one("dmsa-web", "linked", held=HELD),
            estate_time="2026-03-02T12:00:00Z",
            code=4,
        ),
        "plans/erp.yaml",
        driver="ann on mgmt01",
    )
    assert found == (
        "erp (0123456789ab), estate time 2026-03-02T12:00:00Z\n"
        "driven by ann on mgmt01\n"
        "\n"
        "wave pilot: running\n"
        "  dmsa-batch         completed\n"
        "  dmsa-erp    waits  restarted, for dwell until 2026-03-16T12:00:00Z\n"
        "  dmsa-web    FAILED linked\n"
        "    fault: It broke.\n"
        "    to go on: mend it, then `dmsa release plans/erp.yaml`\n"
        "\n"
        "A person is needed: what is held says what for. Then `dmsa run plans/erp.yaml` goes on."
    )


def test_several_endpoints_stand_on_lines_of_their_own():
    found = lines(one(held={**HELD, "detail": "app01 is away\napp02 is away"}), code=4)
    assert found[4:7] == ["    fault:", "      app01 is away", "      app02 is away"]


def test_the_way_back_and_the_attempt():
    assert lines(one(phase="linked", intention="back"))[3].endswith("linked on the way back")
    assert lines(one(phase="rolled_back", intention="back"), code=5)[3].endswith("rolled_back")
    assert lines(one(phase="planned", attempt=2))[3].endswith("planned (attempt 2)")


def test_what_a_wave_waits_for():
    found = document(one(), state="waiting")
    found["waves"][0]["waiting"] = {"for": "needs", "until": None}
    assert "wave pilot: waiting, for needs" in summary(found, "plan.yaml")


@pytest.mark.parametrize(
    ("code", "phase", "end"),
    [
        (0, "completed", "All done. `dmsa rollback plan.yaml --all --yes` would bring everything back."),
        (7, "planned", "Nothing was changed yet. `dmsa run plan.yaml` begins."),
        (7, "linked", "Nothing failed; it waits. `dmsa run plan.yaml` goes on when it is due."),
        (8, "linked", "The safety rule refused something; nothing outside the catalogue was sent."),
    ],
)
def test_the_last_line_says_what_would_be_next(code, phase, end):
    assert summary(document(one(phase=phase), code=code), "plan.yaml").splitlines()[-1] == end


def test_rolled_back_names_the_one_or_asks_for_a_name():
    back = one("a", "rolled_back", intention="back")
    assert "Rolled back: 1 of 2." in lines(back, one("b", "completed"), code=5)[-1]
    assert "--only a " in lines(back, one("b", "completed"), code=5)[-1]
    assert "--only NAME " in lines(back, one("b", "rolled_back", intention="back"), code=5)[-1]


def test_the_last_line_may_be_somebody_else_s():
    assert summary(document(one()), "plan.yaml", end="Undone.").endswith("\n\nUndone.")


def test_it_fits_into_80_columns_as_long_as_the_names_do():
    waiting = {"for": "dwell", "until": "2026-03-16T12:00:00Z"}
    assert max(map(len, lines(one("dmsa-15-letters", "restarted", waiting=waiting))[:-1])) <= 80


def test_what_waits_what_is_held_and_what_failed_do_not_look_alike():
    operator = {**HELD, "reason": "operator", "detail": "incident 4711", "by": "ann", "failed": False}
    waiting = {"for": "dwell", "until": "2026-05-01T00:00:00Z"}
    shown = lines(
        one("dmsa-a", "restarted", waiting=waiting),
        one("dmsa-b", "restarted", held=operator),
        one("dmsa-c", "restarted", held=HELD),
        one("dmsa-d", "restarted"),
    )
    assert [line for line in shown if line.startswith("  dmsa-")] == [
        "  dmsa-a  waits  restarted, for dwell until 2026-05-01T00:00:00Z",
        "  dmsa-b  HELD   restarted",
        "  dmsa-c  FAILED restarted",
        "  dmsa-d         restarted",
    ]
    assert "    operator (ann): incident 4711" in shown
    assert "    fault: It broke." in shown
