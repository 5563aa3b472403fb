"""The program, with an engine in it that rings three times: ``python -m tests.cluster.thrice run …``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator import cli
from orchestrator.cli import over_sites, ringing
from orchestrator.remote.engine import Handle, SiteHealth


class Thrice:
    """An engine of which every ring is sent three times."""

    def __init__(self, url: str, name: str) -> None:
        self._engine = ringing.engine_at(url, name)

    def ring(self, site: str, migration: str, step: str) -> None:
        for _ in range(3):
            self._engine.ring(site, migration, step)

    def run(self, sites: Sequence[str], slots: int, handle: Handle, until: Callable[[], bool]) -> None:
        self._engine.run(sites, slots, handle, until)

    def health(self, sites: Sequence[str]) -> Mapping[str, SiteHealth]:
        return self._engine.health(sites)

    def close(self) -> None:
        self._engine.close()


if __name__ == "__main__":
    over_sites.engine_at = Thrice  # type: ignore[assignment]
    cli.main()
