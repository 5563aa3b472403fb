"""The tests of pypsrp that its authors run against a real Windows, run against the lab's wire."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.conformance.environment import python
from tests.conformance.recordings import source
from tests.lab.wire.conftest import PASSWORD, Scripted, wire

_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
_REAL = re.compile(r'\[\[True, "[^"]+"\]\].*?def (test_\w+)', re.DOTALL)


def live_tests() -> dict[str, list[str]]:
    """Return the tests that may run against a real host, by module."""
    folder = source() / "tests" / "tests_pypsrp"
    found = {file.name: _REAL.findall(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("test_*.py"))}
    return {name: tests for name, tests in found.items() if tests}


def outcomes(folder: Path) -> dict[str, bool]:
    """Run them all; return for each whether it passed."""
    with wire(Scripted(), folder) as opened:
        address, port = next(iter(opened.running.server.addresses.values())).split(":")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
        environment |= {
            "PYPSRP_SERVER": address,
            "PYPSRP_PORT": port,
            "PYPSRP_AUTH": "basic",
            "PYPSRP_USERNAME": "operator",
            "PYPSRP_PASSWORD": PASSWORD,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        report = folder / "report.xml"
        wanted = [f"tests_pypsrp/{module}" for module in live_tests()]
        names = " or ".join(test for tests in live_tests().values() for test in tests)
        subprocess.run(
            [python("upstream"), *_PYTEST, "-c", os.devnull, "-k", names, f"--junitxml={report}", *wanted],
            cwd=source() / "tests",
            env=environment,
            capture_output=True,
            timeout=300,
        )
    cases = ET.parse(report).getroot().iter("testcase")
    real = {test for tests in live_tests().values() for test in tests}
    found = {(case.get("name") or "").partition("[")[0]: case.find("failure") is None for case in cases}
    return {name: passed for name, passed in found.items() if name in real}
