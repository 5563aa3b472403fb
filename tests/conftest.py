"""What holds for a test run as a whole."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be skipped (``DMSA_REQUIRE_SERVICES=1``), a run in which something was has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", ()) if reporter is not None else ()
    if skipped and os.environ.get("DMSA_REQUIRE_SERVICES") == "1":
        reporter.write_line(f"\n{len(skipped)} skipped, and DMSA_REQUIRE_SERVICES=1 lets nothing be skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
