"""What holds for a test run as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.postgres import database, postgres_server  # noqa: F401 (fixtures)
from tests.warm import once_built

# How long one example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

once_built()


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """A verb that a test ran in this process sent its logs to a stream that is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be skipped (``DMSA_REQUIRE_SERVICES=1``), a run in which something was has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", ()) if reporter is not None else ()
    if skipped and os.environ.get("DMSA_REQUIRE_SERVICES") == "1":
        reporter.write_line(f"\n{len(skipped)} skipped, and DMSA_REQUIRE_SERVICES=1 lets nothing be skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
