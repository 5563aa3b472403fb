"""What a job that has come back means for the one who posted it. Pure.

The one rule: of a write that a runner may have sent and has not told of, nothing is known. It is settled as any other
unknown outcome: its shell is ended, the settling time passes, its subject is read. A read like that is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import SafetyRefusal
from orchestrator.model.call import Call, Write
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.model.parcel import Carried, Declined, Ended, ParcelUnreadable, result_of

OUTSIDE_CATALOGUE = "outside-catalogue"
WRONG_SITE = "wrong-site"
RUNNER_LOST = "runner-lost"
UNSERVED = "site-unserved"


@dataclass(frozen=True)
class Came:
    """What is handed to the conductor, and whether the call's shell is certainly gone."""

    result: Reply | Exception
    gone: bool


def came(call: Call, site: str, text: str | None) -> Came:
    """Return what came of a call; *text* None: the claim of whoever carried it has lapsed."""
    if text is None:
        return Came(_lost(call, f"the runner of site {site} that carried it was not heard of again"), False)
    try:
        result = result_of(text)
    except ParcelUnreadable as unreadable:
        return Came(_lost(call, f"{unreadable} (site {site})"), False)
    match result:
        case Carried(reply, gone):
            return Came(reply, gone)
        case Declined(code, why) if code == OUTSIDE_CATALOGUE:
            return Came(SafetyRefusal(why), True)
        case Declined(code, why):
            remedy = "give every runner the same plan, and the same version of this program"
            return Came(Reply(Outcome.FAILED, fault=Fault(FaultKind.PERMANENT, code, why, remedy)), True)
        case Ended():
            return Came(_lost(call, f"site {site} answered another question"), False)


def ended(text: str | None) -> bool:
    """Return whether a shell that was to be deleted is certainly gone."""
    try:
        result = None if text is None else result_of(text)
    except ParcelUnreadable:
        return False
    return isinstance(result, Ended) and result.gone


def unserved(call: Call, site: str, seconds: float) -> Reply:
    """Return what is said of a call that no runner took; nothing of it was sent, and it is no failed try."""
    message = f"{call.endpoint}: no runner of site {site} took the call within {seconds:.0f} s; nothing was sent"
    remedy = f"see that one serves that site and is not busy: `dmsa runner PLAN --site {site}`, `dmsa cluster status`"
    return Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, UNSERVED, message, remedy, busy=True))


def _lost(call: Call, why: str) -> Reply:
    if isinstance(call, Write):
        says = f"{call.endpoint}: {why}; whether the change was made is not known"
        remedy = "nothing by hand: the session is deleted and the state read before anything is repeated"
        return Reply(Outcome.UNKNOWN, fault=Fault(FaultKind.UNKNOWN, RUNNER_LOST, says, remedy))
    fault = Fault(FaultKind.TRANSIENT, RUNNER_LOST, f"{call.endpoint}: {why}", "none is needed: it is asked again")
    return Reply(Outcome.FAILED, fault=fault, again=True)
