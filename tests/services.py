"""Programs from outside that some tests need: the test skips without one, and fails where nothing may be skipped."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest


def require(*programs: str, modules: tuple[str, ...] = ()) -> None:
    """Skip the test where a program (or a Python module) is missing; with ``DMSA_REQUIRE_SERVICES=1`` let it fail."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    missing += [module for module in modules if find_spec(module) is None]
    if not missing:
        return
    reason = f"needs {', '.join(missing)}, which this machine does not have"
    if os.environ.get("DMSA_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
