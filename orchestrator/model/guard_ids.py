"""Every guard's id, where it is asked, and what it takes to do without it.

The ids are a contract: waivers and reports name them. They stand here, below the guards themselves, because a
plan must be refused for a waiver that could never count before anything is asked of Windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Stage(StrEnum):
    """When a guard is asked."""

    PREFLIGHT = "P"
    START = "S"
    COMPLETE = "C"
    BACK = "B"
    ALWAYS = "A"


@dataclass(frozen=True)
class GuardRule:
    """What is fixed about one guard.

    ``approvers`` is how many different people a waiver needs; 0 says that nobody can waive the guard.
    ``waivable_at`` are the stages where a waiver counts: the guard still refuses at its other stages.
    """

    id: str
    stages: frozenset[Stage]
    approvers: int
    waivable_at: frozenset[Stage]

    @property
    def waivable(self) -> bool:
        """Whether a waiver can ever count."""
        return self.approvers > 0


_NEVER, _ONE, _TWO = 0, 1, 2

_ROWS: tuple[tuple[str, str, int], ...] = (
    ("dc-writable-2025", "PSC", _NEVER),
    ("dc-patched", "PS", _ONE),
    ("schema-version", "P", _NEVER),
    ("kds-root-key", "P", _NEVER),
    ("replication-healthy", "PSC", _ONE),
    # Reading both objects can never be waived; only the answer about the right to issue the operation can.
    ("operator-rights", "P", _ONE),
    ("account-is-user", "PS", _NEVER),
    ("account-enabled", "PS", _ONE),
    ("account-not-privileged", "PS", _TWO),
    ("no-other-use", "SC", _TWO),
    ("account-not-linked", "PS", _NEVER),
    ("account-not-shared", "PS", _NEVER),
    ("run-is-ours", "PS", _NEVER),
    ("account-password-stable", "PCB", _ONE),
    ("no-unconstrained-delegation", "PS", _ONE),
    ("spn-unique", "PSC", _NEVER),
    ("encryption-aes", "P", _ONE),
    ("dmsa-absent-or-fresh", "PS", _NEVER),
    ("dmsa-name-fits", "P", _NEVER),
    ("ou-not-open", "P", _TWO),
    ("link-attributes-guarded", "P", _TWO),
    ("original-protected", "SCA", _NEVER),
    ("original-present", "SCBA", _NEVER),
    ("recycle-bin", "P", _ONE),
    ("host-capable", "PC", _NEVER),
    ("host-reachable", "PSC", _ONE),
    ("host-inventory-complete", "PC", _ONE),
    ("host-registry-effective", "C", _NEVER),
    ("no-cluster-role", "P", _ONE),
    ("workload-supported", "P", _ONE),
    ("hosts-allowed", "C", _NEVER),
    ("no-unknown-host", "C", _ONE),
    ("dwell-minimum", "C", _ONE),
    ("ledger-flat", "C", _ONE),
    ("window-open", "SC", _NEVER),
    ("blackout", "SC", _NEVER),
    ("approvals", "SC", _NEVER),
    ("failure-budget", "SC", _NEVER),
    ("pair-matches", "CBA", _NEVER),
    ("snapshot-fresh", "SC", _NEVER),
    ("clock-agrees", "SC", _ONE),
    ("change-ticket", "P", _NEVER),
)

# At B the way back takes its own word, `--accept-password-risk`; a host may be out of reach for Start only.
_WAIVABLE_ONLY_AT = {"account-password-stable": "PC", "host-reachable": "S"}


def _rule(id_: str, stages: str, approvers: int) -> GuardRule:
    waivable_at = _WAIVABLE_ONLY_AT.get(id_, stages) if approvers else ""
    return GuardRule(id_, frozenset(map(Stage, stages)), approvers, frozenset(map(Stage, waivable_at)))


GUARDS: Mapping[str, GuardRule] = MappingProxyType({row[0]: _rule(*row) for row in _ROWS})
"""Guard id -> what is fixed about it, in the order of the catalogue of guards."""
