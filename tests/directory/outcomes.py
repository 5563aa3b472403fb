"""How the directory's contract went, copy by copy: what the table of conformance shows of it."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.directory.copies import DIFFERENCES


def outcomes(folder: Path) -> dict[str, tuple[int, int]]:
    """Run the contract and return, of each copy, how many of its tests found what is expected of Active Directory.

    A test that passes because a difference is known does not count as alike. A copy that cannot be had here has none.
    """
    report = folder / "contract.xml"
    suite = Path(__file__).with_name("test_contract.py")
    subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", str(suite)], capture_output=True)
    found: dict[str, tuple[int, int]] = {}
    for kind in ("estate", "samba"):
        cases = [case for case in ET.parse(report).iter("testcase") if case.get("name", "").endswith(f"[{kind}]")]
        passed = sum(not list(case) for case in cases)
        differing = sum(known["of"] == kind for known in DIFFERENCES.values())
        found[kind] = (max(0, passed - differing), len(cases))
    return found
