"""The errors that end a command, each with the exit code that the command line's contract gives it.

Remote trouble is not here: it is data (:mod:`orchestrator.model.observation`) and becomes a hold or a retry of
one migration, never the end of a run.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes. Where several hold, :data:`PRECEDENCE` says which one is shown."""

    DONE = 0
    DEFECT = 1
    USAGE = 2
    INVALID = 3
    HELD = 4
    FAILED = 5
    JOURNAL_HELD = 6
    WAITING = 7
    REFUSED = 8


PRECEDENCE = (Exit.DEFECT, Exit.REFUSED, Exit.JOURNAL_HELD, Exit.HELD, Exit.FAILED, Exit.WAITING, Exit.DONE)


class OrchestratorError(Exception):
    """Something a person must know about; its text is complete as it stands."""

    exit_code: ClassVar[Exit] = Exit.DEFECT


class InputInvalid(OrchestratorError):
    """A file, an argument or a selection that cannot be used; nothing was done."""

    exit_code = Exit.INVALID


class PersonNeeded(OrchestratorError):
    """What was asked for is refused until a person does something; nothing was done."""

    exit_code = Exit.HELD


class SafetyRefusal(OrchestratorError):
    """Something outside the catalogue was about to be sent; it was not, and the run stopped."""

    exit_code = Exit.REFUSED
