"""The status document for people: what they read, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.views.summary import summary


def one(name: str = "dmsa-app", phase: str = "planned", **more: Any) -> dict[str, Any]:
    plain = {"dmsa": name, "phase": phase, "intention": "forward", "attempt": 1, "held": None, "waiting": None}
    nothing = {"waivers": [], "compared": None, "hosts": [], "dwell": None, "ledger": None}
    return {**plain, "adopted": False, **nothing, **more}


def document(*migrations: dict[str, Any], code: int = 7, state: str = "running", **more: Any) -> dict[str, Any]:
    wave = {"name": "pilot", "state": state, "waiting": None, "approvals": [], "migrations": list(migrations)}
    plain = {"plan": "erp", "digest": "0123456789abcdef", "estate_time": None, "exit": code, "waves": [wave]}
    return {**plain, "receivers": [], **more}


def lines(*migrations: dict[str, Any], **more: Any) -> list[str]:
    return summary(document(*migrations, **more), "plans/erp.yaml").splitlines()


HELD = {"reason": "fault", "detail": "It broke.", "since": None, "by": None}
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


DWELL = {
    "started": "2026-03-03T20:00:00Z",
    "due": "2026-03-17T20:00:00Z",
    "parts": {
        "converged": "2026-03-02T19:00:00Z",
        "registry": "2026-03-02T19:10:00Z",
        "allowed": "2026-03-03T20:00:00Z",
        "anew": None,
    },
}
STRANGER = {
    "name": "old07",
    "first_seen": "2026-03-04T00:00:00Z",
    "os": "Windows Server 2019",
    "os_version": "10.0 (17763)",
    "last_log_on": "2026-03-01T00:00:00Z",
    "enabled": True,
    "controller": False,
    "through": "CN=App Hosts",
}
LEDGER = {"read": None, "hosts": [], "unknown": [STRANGER], "vanished": [], "flat_since": None, "flat_due": None}


def test_a_dwell_says_of_what_it_is_the_latest():
    said = lines(one(phase="restarted", dwell=DWELL))
    assert (
        "    dwell since 2026-03-03T20:00:00Z (pair everywhere 2026-03-02T19:00:00Z, values 2026-03-02T19:10:00Z, "
        "hosts allowed 2026-03-03T20:00:00Z), due 2026-03-17T20:00:00Z"
    ) in said
    anew = {**DWELL, "parts": {**DWELL["parts"], "anew": "2026-03-09T00:00:00Z"}}
    assert any(", anew 2026-03-09T00:00:00Z)" in line for line in lines(one(phase="restarted", dwell=anew)))
    assert not any("dwell since" in line for line in lines(one(phase="completed", dwell=DWELL)))


def test_who_is_not_in_the_plan_is_told_with_what_is_known():
    assert (
        "    not in the plan, and may use the dMSA: old07 (Windows Server 2019 10.0 (17763), last log-on "
        "2026-03-01T00:00:00Z, through CN=App Hosts), since 2026-03-04T00:00:00Z"
    ) in lines(one(phase="restarted", ledger=LEDGER))
    bare = dict.fromkeys(STRANGER) | {"name": "x", "enabled": False, "controller": True}
    said = lines(one(phase="restarted", ledger={**LEDGER, "unknown": [bare]}))
    assert any("x (operating system not given, no log-on known, disabled, a domain controller)" in one for one in said)


def test_a_wait_for_replication_says_which_and_since_when():
    detail = "since noon: dc02 does not show 1/1 yet"
    waiting = {"for": "replication", "until": "2026-03-03T00:00:00Z", "detail": detail}
    assert f"    {detail}" in lines(one(phase="started", waiting=waiting))


def test_the_whole():
    found = summary(
        document(
            one("dmsa-batch", "completed"),
            one("dmsa-erp", "restarted", waiting={"for": "dwell", "until": "2026-03-16T12:00:00Z"}),
            one("dmsa-web", "linked", held=HELD, failure="failed"),
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
        "  dmsa-web    FAILED linked, held\n"
        "    fault: It broke.\n"
        "    to go on: mend it, then `dmsa release plans/erp.yaml`\n"
        "\n"
        "A person is needed: what is held says what for. Then `dmsa run plans/erp.yaml` goes on."
    )


WHY = "the window is closed and opens Sat 2026-03-07 22:00 Europe/Berlin"
WAITS = {"for": "window", "until": "2026-03-07T21:00:00Z", "detail": WHY}
SHUT = {"zone": "Europe/Berlin", "open": False, "closes": None, "opens": "2026-03-07T21:00:00Z", "blackout": None}


def test_why_something_waits_is_said_once_in_a_wave():
    soon = {**WAITS, "detail": "the window closes Sun 2026-03-08 04:00 Europe/Berlin, too soon"}
    found = document(one("a", waiting=WAITS), one("b", waiting=WAITS), one("c", waiting=soon), state="waiting")
    found["waves"][0]["waiting"] = WAITS
    assert summary(found, "plan.yaml").splitlines()[2:8] == [
        "wave pilot: waiting, for window until 2026-03-07T21:00:00Z",
        f"  {WHY}",
        "  a  waits  planned, for window until 2026-03-07T21:00:00Z",
        "  b  waits  planned, for window until 2026-03-07T21:00:00Z",
        "  c  waits  planned, for window until 2026-03-07T21:00:00Z",
        "    the window closes Sun 2026-03-08 04:00 Europe/Berlin, too soon",
    ]


@pytest.mark.parametrize(
    ("windows", "wanted"),
    [
        (None, []),
        (
            {"start": SHUT, "complete": SHUT},
            ["  window: closed, opens Sat 2026-03-07 22:00 Europe/Berlin (2026-03-07T21:00:00Z)"],
        ),
        (
            {
                "start": None,
                "complete": {**SHUT, "open": True, "closes": "2026-03-29T02:00:00Z", "opens": "2026-04-04T20:00:00Z"},
            },
            [
                "  start window: any time",
                "  complete window: open until Sun 2026-03-29 04:00 Europe/Berlin (2026-03-29T02:00:00Z)",
            ],
        ),
        (
            {"start": {**SHUT, "open": True, "opens": None}, "complete": {**SHUT, "opens": None, "blackout": "audit"}},
            [
                "  start window: open, and does not close",
                "  complete window: does not open within 800 days: `dmsa amend` its days or the blackout; audit",
            ],
        ),
    ],
)
def test_how_the_windows_stand(windows, wanted):
    found = document(one())
    found["waves"][0]["windows"] = windows
    assert summary(found, "plan.yaml").splitlines()[3:-3] == wanted
    found["waves"][0]["state"] = "done"
    assert summary(found, "plan.yaml").splitlines()[3:-3] == [], "what is done needs no window"


def test_waiting_held_and_failed_never_look_alike():
    marks = [
        lines(migration)[3].split()[1]
        for migration in (
            one(waiting=WAITS),
            one(held=HELD),
            one(held=HELD, failure="refused"),
            one(held=HELD, failure="failed"),
            one(phase="rolled_back", intention="back", failure="failed"),
            one(phase="linked", intention="back", failure="failed", waiting=WAITS),
        )
    ]
    assert marks == ["waits", "HELD", "HELD", "FAILED", "FAILED", "FAILED"]
    assert lines(one(phase="linked", held=HELD, failure="failed"))[3] == "  dmsa-app  FAILED linked, held"


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
    operator = {**HELD, "reason": "operator", "detail": "incident 4711", "by": "ann"}
    waiting = {"for": "dwell", "until": "2026-05-01T00:00:00Z"}
    shown = lines(
        one("dmsa-a", "restarted", waiting=waiting),
        one("dmsa-b", "restarted", held=operator),
        one("dmsa-c", "restarted", held=HELD, failure="failed"),
        one("dmsa-d", "restarted"),
    )
    assert [line for line in shown if line.startswith("  dmsa-")] == [
        "  dmsa-a  waits  restarted, for dwell until 2026-05-01T00:00:00Z",
        "  dmsa-b  HELD   restarted",
        "  dmsa-c  FAILED restarted, held",
        "  dmsa-d         restarted",
    ]
    assert "    operator (ann): incident 4711" in shown
    assert "    fault: It broke." in shown
