"""The signatures of a journal's approvals, for ``journal verify``."""

from __future__ import annotations

from orchestrator.engine.signatures import SignatureCheck
from orchestrator.errors import Exit, OrchestratorError
from orchestrator.journal import Journal


class SignatureWrong(OrchestratorError):
    """The rows are what was written, and one of them is an approval that its plan's keys do not bear out."""

    exit_code = Exit.FAILED

    def __init__(self, seq: int, why: str) -> None:
        self.seq, self.why = seq, why
        super().__init__(
            f"row {seq} is as it was written, but {why}. It counts for nothing. Find out who wrote it: `dmsa` writes "
            "no such row"
        )


def signatures_of(journal: Journal) -> int:
    """Return how many approvals of a journal are signed, each as it should be.

    Raises:
        SignatureWrong: one is not.
    """
    check = SignatureCheck()
    for row in journal.read():
        check.take_in(row)
    if check.wrong is not None:
        raise SignatureWrong(*check.wrong)
    return check.signed
