"""Going back over the command line: by policy, anew, and where something stays down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.inside import DC, DMSA, HOST, Inside, inside

UNDO = "Undo-ADServiceAccountMigration"


def policy(place: Inside, **keys: Any) -> None:
    file = place.folder / "plan.json"
    plan = json.loads(file.read_text(encoding="utf-8"))
    plan["policy"] |= keys
    file.write_text(json.dumps(plan), encoding="utf-8")


def migration(place: Inside) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.dmsa("status", "--json").stdout)["waves"][0]["migrations"][0]
    return found


def test_a_new_attempt_is_completed_and_rolled_back_too(tmp_path: Path) -> None:
    with inside(tmp_path) as place:
        assert place.dmsa("run", "--until", "restarted").exit_code == 0
        assert place.dmsa("rollback", "--all", "--yes").exit_code == 0
        left_alone = place.dmsa("run")
        assert left_alone.exit_code == 5
        assert "--forward" in left_alone.output
        freed = place.dmsa("release", "--only", DMSA, "--forward", "--reason", "mended")
        assert "goes on from rolled_back" in freed.output
        assert place.dmsa("run").exit_code == 0
        assert (migration(place)["phase"], migration(place)["attempt"]) == ("completed", 2)
        assert place.dmsa("rollback", "--all", "--yes").exit_code == 0
        assert (migration(place)["phase"], migration(place)["attempt"]) == ("rolled_back", 2)


def test_what_fails_is_taken_back_by_policy_and_exits_with_5(tmp_path: Path) -> None:
    denied = {"kind": "access-denied", "when": {"cmdlet": "Complete-ADServiceAccountMigration", "host": DC}}
    with inside(tmp_path, denied) as place:
        policy(place, on_failure="undo")
        ended = place.dmsa("run")
        assert ended.exit_code == 5
        assert "rollback asked by policy on_failure: fault: " in ended.output
        assert "Rolled back: 1 of 1." in ended.output
        found = migration(place)
        assert (found["phase"], found["intention"], found["held"]) == ("rolled_back", "back", None)


def test_a_rollback_that_leaves_a_service_down_exits_with_5_and_names_it(tmp_path: Path) -> None:
    broken = {"kind": "service-broken", "host": HOST, "service": "BatchRunner", "times": 1000, "when": {"cmdlet": UNDO}}
    with inside(tmp_path, broken) as place:
        assert place.dmsa("run").exit_code == 0
        for verb in ("undo", "rollback", "rollback"):
            ended = place.dmsa(verb, "--all", "--yes")
            if verb == "undo":
                assert ended.exit_code == 0, "nothing is restarted there, and everything runs"
                continue
            assert ended.exit_code == 5
            assert f"rollback of 1 FAILED: down, and not to be started, is {HOST}: BatchRunner." in ended.output
        assert migration(place)["held"]["down"] == [{"host": HOST, "name": "BatchRunner"}]
        again = place.dmsa("run")
        assert again.exit_code == 5
        assert f"down, and not to be started, is BatchRunner on {HOST}." in again.output
