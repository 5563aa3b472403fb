"""The journals that earlier versions left behind (``released/README.md``), each unpacked on a desk of its own."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from tests.cli.desk import Desk

RELEASED = Path(__file__).parent / "released"
VERSIONS = tuple(sorted(int(folder.name) for folder in RELEASED.iterdir() if folder.name.isdigit()))
STAGES = ("killed", "soaking", "completed", "rolling-back", "held")


def left_behind(version: int, stage: str, folder: Path) -> Desk:
    """Return a desk in *folder* with the journal, the estate and the plan of a stage."""
    shutil.copytree(RELEASED / "estates", folder / "estates")
    shutil.copy(RELEASED / "plan.yaml", folder)
    with zipfile.ZipFile(RELEASED / str(version) / f"{stage}.zip") as archive:
        archive.extractall(folder / ".dmsa")
    return Desk(folder)
