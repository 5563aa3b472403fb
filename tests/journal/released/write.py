"""Write the journals of a version: ``PYTHONPATH=. python PATH/TO/write.py FOLDER``, in a clone of that version.

It uses nothing but that version's own program, and the desk of its tests; see README.md beside it.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.cli.desk import ROOT, Desk

RUN = ("run", "plan.yaml")


def plan() -> dict[str, Any]:
    """Return the quick start's pilot wave: two accounts at once, two hours of hold time."""
    written: dict[str, Any] = yaml.safe_load((ROOT / "plans" / "quickstart.yaml").read_text(encoding="utf-8"))
    pilot = written["waves"][0]
    pilot["at_once"] = 2
    waiver = {"guard": "dwell-minimum", "reason": "the estate is simulated", "approved_by": ["ad-lead"]}
    for migration in pilot["migrations"]:
        migration["waivers"] = [*migration.get("waivers", []), waiver]
    return {**written, "name": "released", "waves": [pilot], "policy": {"dwell": "2h", "flat_for": "2h"}}


def ended(desk: Desk, number: signal.Signals, told: Callable[[str], bool], *command: str) -> Desk:
    """Run a command until it has printed a line, then send it a signal."""
    with desk.running(*command) as run:
        run.until(told)
        run.signal(number)
        run.end()
    return desk


def stages(new: Callable[[str], Desk], work: Path) -> dict[str, Desk]:
    """Return the desks, by the stage at which each was left."""
    killed = ended(
        new("killed"),
        signal.SIGKILL,
        lambda line: "dmsa-batch" in line and "Start-ADServiceAccountMigration" in line,
        *RUN,
    )
    soaking = ended(new("soaking"), signal.SIGTERM, lambda line: "waits for dwell" in line, *RUN)
    completed = new("completed")
    completed.done(*RUN)
    back = ended(
        completed.copy(work / "rolling-back"),
        signal.SIGKILL,
        lambda line: "dmsa-batch" in line and "-> unlinked" in line,
        *("rollback", "plan.yaml", "--all", "--yes"),
    )
    held = new("held")
    held.done(*RUN, "--until", "prepared")
    held.done("hold", "plan.yaml", "--only", "dmsa-report", "--reason", "month-end closing")
    assert held.dmsa(*RUN).returncode == 4
    return {"killed": killed, "soaking": soaking, "completed": completed, "rolling-back": back, "held": held}


def pack(desk: Desk, file: Path) -> None:
    """Keep what the next version needs: the journal's files as they lie there, and the state of the estate."""
    kept = [desk.journal, *(desk.journal.with_name(desk.journal.name + end) for end in ("-wal", ".head"))]
    kept += [desk.lab / name for name in ("estate.yaml", "commands.jsonl", "marks.jsonl")]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in kept:
            if path.exists():
                archive.write(path, path.relative_to(desk.journal.parent))


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)

        def new(name: str) -> Desk:
            desk = Desk.new(work / name, change=None)
            desk.write_plan(plan())
            return desk

        for name, desk in stages(new, work).items():
            pack(desk, folder / f"{name}.zip")
            shutil.copy(desk.folder / "plan.yaml", folder)
            shutil.copytree(desk.folder / "estates", folder / "estates", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
