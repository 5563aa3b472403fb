"""Programs from outside that some tests need: the test skips without one, and fails where nothing may be skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from typing import NoReturn

import pytest


def require(*programs: str, modules: tuple[str, ...] = ()) -> None:
    """Skip the test where a program (or a Python module) is missing; with ``DMSA_REQUIRE_SERVICES=1`` let it fail."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    missing += [module for module in modules if find_spec(module) is None]
    if missing:
        without(f"needs {', '.join(missing)}, which this machine does not have")


def fetch(*command: str) -> None:
    """Run a command that fetches packages; where none can be had, do as :func:`require` does."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        without(f"needs packages that could not be fetched: {ended.stderr.strip()[-500:]}")


def without(reason: str) -> NoReturn:
    """Skip the test for that reason; where nothing may be skipped, let it fail."""
    if os.environ.get("DMSA_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
