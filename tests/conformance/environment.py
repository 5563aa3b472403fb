"""Virtual environments for other people's clients, each with its own pinned requirements: ``environments/NAME.txt``.

They are made in ``.cache/`` when first asked for, and again when their requirements change.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from pathlib import Path

from tests.conformance.recordings import CACHE
from tests.services import fetch

FOLDER = Path(__file__).with_name("environments")


def python(name: str) -> Path:
    """Return the interpreter of an environment; where it cannot be made, the test skips or fails."""
    wanted = FOLDER / f"{name}.txt"
    stamp = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
    place = CACHE / "environments" / name
    done = place / "made-from"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{name}.turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # tests run in several processes
        if not done.exists() or done.read_text(encoding="ascii") != stamp:
            shutil.rmtree(place, ignore_errors=True)
            fetch(sys.executable, "-m", "venv", str(place))
            fetch(str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(wanted))
            done.write_text(stamp, encoding="ascii")
    return place / "bin" / "python"
