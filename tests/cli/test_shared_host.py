"""Three plans, one journal, one host: each rolled back by its own command, and the registry value right after each."""

import json
import shutil
from pathlib import Path

from tests.cli.desk import ROOT, Desk, read_plan

HOST = "fs01.corp.example"


def desk_of_three(folder: Path) -> tuple[Desk, list[str]]:
    """Return a desk with a plan for each account of the shared host, and their names."""
    (folder / "estates").mkdir(parents=True)
    shutil.copy(ROOT / "plans" / "estates" / "shared-host.yaml", folder / "estates")
    whole = read_plan("shared-host.yaml")
    (wave,) = whole["waves"]
    names = []
    for one in wave["migrations"]:
        name = one["dmsa"]["name"].removeprefix("dmsa-")
        plan = {**whole, "name": name, "waves": [{"name": "only", "migrations": [one]}]}
        (folder / f"{name}.yaml").write_text(json.dumps(plan), encoding="utf-8")
        names.append(name)
    return Desk(folder), names


def test_the_last_plan_to_leave_puts_the_value_back(tmp_path):
    desk, names = desk_of_three(tmp_path / "desk")
    assert names == ["print", "scan", "fax"]
    for name in names:
        desk.done("run", f"{name}.yaml", "--until", "restarted")
    for name in ("scan", "print", "fax"):
        names.remove(name)
        said = desk.done("rollback", f"{name}.yaml", "--all", "--yes")
        others = sorted(f"{one}/dmsa-{one}" for one in names)
        kept = f"    kept: DelegatedMSAEnabled at {HOST}, for {', '.join(others)}\n"
        assert (kept in said) == bool(others)
        host = desk.shown()["machines"][HOST]
        assert host["DelegatedMSAEnabled"] == (1 if others else 0)
        assert {one["state"] for one in host["services"].values()} == {"Running"}
        status = json.loads(desk.done("status", f"{name}.yaml", "--json"))
        (shown,) = status["waves"][0]["migrations"][0]["hosts"]
        assert (shown["registry"], shown["kept_for"]) == ("kept" if others else "restored", others)
