"""A lab whose hosts answer every pipeline with what a module says that changed nothing: for Ansible.

    python -m tests.bench.canned ESTATE STATE

The wire is the lab's own (TLS, HTTP, WSMan, PSRP); behind it nothing is simulated, so it costs less than what the
others talk to. It ends as :mod:`orchestrator.lab.serve` does.
"""

from __future__ import annotations

from orchestrator.lab import serve
from orchestrator.lab.command import Request, Result
from orchestrator.lab.wire import recorded


class Canned(recorded.RecordedEstate):
    """Answers at once."""

    def execute(self, request: Request) -> Result:
        """Return the same for every request."""
        del request
        return Result(('{"changed": false}',))


if __name__ == "__main__":
    recorded.RecordedEstate = Canned  # type: ignore[misc]
    serve.main()
