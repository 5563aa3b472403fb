"""A run is resumed while the pinned domain controller does not answer: nothing goes by what the time was long ago."""

import json
from pathlib import Path

from tests.cli.desk import writes
from tests.cli.inside import DC, Inside, inside

WINDOW = {"days": ["mon", "tue", "wed", "thu", "fri"], "open": "00:00", "close": "23:59", "zone": "UTC"}


def change(place: Inside, **changes: object) -> None:
    file = place.folder / "plan.json"
    plan = json.loads(file.read_text(encoding="utf-8"))
    plan["waves"][0] |= changes.get("wave", {})  # type: ignore[operator]
    plan["estate"]["addresses"] |= changes.get("addresses", {})
    file.write_text(json.dumps(plan), encoding="utf-8")


def test_nothing_is_held_because_the_domain_controller_is_silent_for_a_moment(tmp_path: Path) -> None:
    with inside(tmp_path) as place:
        assert place.dmsa("run", "--until", "prepared").exit_code == 0
        change(place, addresses={DC: "127.0.0.1:9"})
        for _ in range(6):
            resumed = place.dmsa("run", "--until", "linked")
            assert resumed.exit_code == 7, resumed.output
        assert f"Estate time could not be read: {DC}: it refuses connections on port 9." in resumed.output
        assert "waits" in resumed.output
        assert "for retry" in resumed.output

        change(place, addresses={DC: place.addresses[DC]})
        assert place.dmsa("run", "--until", "linked").exit_code == 0


def test_a_window_of_the_last_reading_lets_nothing_begin(tmp_path: Path) -> None:
    with inside(tmp_path) as place:
        change(place, wave={"window": WINDOW})
        assert place.dmsa("run", "--until", "linked").exit_code == 0
        before = len(list(writes(place.lab)))

        change(place, addresses={DC: "127.0.0.1:9"})
        resumed = place.dmsa("run")
        assert resumed.exit_code == 7
        assert f"Estate time could not be read: {DC}: it refuses connections on port 9." in resumed.output
        assert len(list(writes(place.lab))) == before

        change(place, addresses={DC: place.addresses[DC]})
        assert place.dmsa("run").exit_code == 0
