"""A test run leaves no process behind, and where nothing may be skipped a skip fails it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DAEMON = "import os, time; os.setsid(); os.execve('/bin/sleep', ['sleep', '4711'], {})"
"""Has a session of its own, no environment, and no parent: the shell that started it has ended by then."""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, cwd=HERE.parent
    )


def watched(script: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, str(HERE / "survivors.py"), "sh", "-c", script)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are handed on by Linux alone")
@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("true & exit 0", 0)])
def test_a_run_that_leaves_nothing_ends_as_its_command_did(script: str, code: int):
    assert (watched(script).returncode, watched(script).stderr) == (code, "")


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are handed on by Linux alone")
@pytest.mark.parametrize("code", [0, 5])
def test_a_daemon_that_is_left_is_named_and_ended(code: int):
    left = watched(f'{sys.executable} -c "{DAEMON}" >/dev/null 2>&1 & exit {code}')
    assert left.returncode == (code or 1)
    pid, line = left.stderr.removeprefix("survives the run: ").strip().split(" ", 1)
    assert line == "sleep 4711"
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize(("required", "code"), [("1", 1), ("", 0)])
def test_a_skip_fails_the_run_where_nothing_may_be_skipped(tmp_path: Path, workers: str, required: str, code: int):
    case = tmp_path / "test_case.py"
    case.write_text("import pytest\n\ndef test_one():\n    pass\n\ndef test_two():\n    pytest.skip('not here')\n")
    said = run(
        sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "tests.conftest", "-p", "no:cacheprovider",
        "-c", str(HERE.parent / "pyproject.toml"), "--rootdir", str(tmp_path), str(case),
        DMSA_REQUIRE_SERVICES=required,
    )  # fmt: skip
    assert said.returncode == code, said.stdout + said.stderr
    assert ("1 skipped, and DMSA_REQUIRE_SERVICES=1" in said.stdout) == bool(code)
