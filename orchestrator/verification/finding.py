"""What may be found where something is not as the journal says: each kind by its id, and one such finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from orchestrator.model.case import Case
from orchestrator.model.observation import Fault

Verdict: TypeAlias = Literal["drift", "unknown", "under-way"]
"""Not as the journal says; could not be read; being changed right now, so that no reading says how it will be."""

UNREADABLE, UNDER_WAY = "unreadable", "under-way"

IDS: Mapping[str, str] = MappingProxyType(
    {
        "original-missing": "the original account is not there, or not on one of the domain controllers",
        "original-unprotected": "its protection from accidental deletion was taken off",
        "account-moved": "it was moved or renamed",
        "account-enabled": "it is enabled though Complete disabled it",
        "account-disabled": "it is disabled though nothing here has disabled it",
        "spns-changed": "service principal names are not on the object, or not those, that the phase says",
        "dmsa-missing": "the dMSA is not there",
        "dmsa-replaced": "another object has the dMSA's name",
        "left-behind": "the dMSA carries this plan's mark, and the journal knows nothing of it",
        "half-link": "one object of the pair names the other, and not the other way round",
        "foreign-link": "a third object names one of the pair, or one of the pair names a third",
        "state-unasked": "the pair is in a state that nobody here has asked for",
        "copy-disagrees": "a domain controller shows the pair otherwise than the pinned one, though all had agreed",
        "witness-disagrees": "a domain controller shows by LDAP something else than by its cmdlets",
        "drift": "an attribute or a security descriptor that nothing here touches is not as it was",
        "registry-set-back": "DelegatedMSAEnabled was set, and is not 1 any more",
        "registry-changed": "DelegatedMSAEnabled is not as it was before, and nothing here needs it",
        "workload-down": "a workload ran before and does not run, or is gone",
        "workload-changed": "a workload's log-on name or start mode is not as before, or it runs and did not",
        "foreign-host": "somebody may use the dMSA who is no host of the plan",
        "host-missing": "a host of the plan may not use the dMSA, though the phase says that it may",
        "host-vanished": "somebody was once allowed to use the dMSA and is not any longer",
        UNREADABLE: "it could not be read; how it is nobody knows",
        UNDER_WAY: "a write is on its way there, or nobody has looked since it was",
    }
)
"""Every kind of finding, and what it means."""

_VERDICTS: Mapping[str, Verdict] = {UNREADABLE: "unknown", UNDER_WAY: "under-way"}


@dataclass(frozen=True)
class Since:
    """What is known of when it began: it was ``right-until`` then at least, or ``first-seen`` then."""

    at: datetime
    how: Literal["right-until", "first-seen"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the journal says.

    ``subject``: a distinguished name, a host or a domain controller. ``next``: what a person does about it; it calls
    the plan PLAN.
    """

    id: str
    subject: str
    there: str
    should: str
    next: str
    since: Since | None = None

    def __post_init__(self) -> None:
        assert self.id in IDS, self.id

    @property
    def verdict(self) -> Verdict:
        """Which of the three kinds it is."""
        return _VERDICTS.get(self.id, "drift")


def right_until(at: datetime | None) -> Since | None:
    """Return that it was right at a time, if the journal has one."""
    return Since(at, "right-until") if at is not None else None


def since_phase(case: Case) -> Since | None:
    """Return that it was right when the migration reached its phase: a read-back said so."""
    return right_until(case.state.since)


def of_fault(endpoint: str, fault: Fault) -> Finding:
    """Return that an endpoint could not be asked."""
    return Finding(UNREADABLE, endpoint, fault.message, "an answer", fault.remedy or _ASK_AGAIN)


def unread(subject: str, why: str) -> Finding:
    """Return that an answer did not say what it should."""
    return Finding(UNREADABLE, subject, why, "an answer", _ASK_AGAIN)


_ASK_AGAIN = "mend the cause, then `dmsa verify PLAN` again"
