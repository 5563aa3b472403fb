"""Whether what is there now is what the journal says, in both directions; pure, and it writes nothing.

:func:`asks` says what to read of a migration, round after round; :func:`findings` judges what came back. Whoever
carries the reads keeps the gate and the clock.
"""

from __future__ import annotations

from orchestrator.verification.finding import IDS, Finding, Since, Verdict
from orchestrator.verification.reads import asks
from orchestrator.verification.verification import exit_of, findings
from orchestrator.verification.verified import Verified, in_motion, stand

__all__ = ["IDS", "Finding", "Since", "Verdict", "Verified", "asks", "exit_of", "findings", "in_motion", "stand"]
