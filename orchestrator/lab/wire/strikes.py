"""What the weather does to one message: before anything is done for it, while it is answered, and instead of that."""

from __future__ import annotations

import asyncio

from orchestrator.lab.wire import faults
from orchestrator.lab.wire.engine import Fault, Kind

LOSING = frozenset({Kind.LOST_REPLY, Kind.RESET, Kind.HANG})
"""What befalls a reply when everything has been done."""


class Struck(Exception):
    """This request is struck by a fault of *kind*; how, is the transport's business."""

    def __init__(self, kind: Kind, retry_after: float | None = None) -> None:
        super().__init__(kind.value)
        self.kind, self.retry_after = kind, retry_after


def refuse(fault: Fault | None) -> None:
    """Do nothing for the request, if that is the fault.

    Raises:
        Struck: it never gets a reply of WSMan.
        WsmanFault: the endpoint refuses it.
    """
    match fault and fault.kind:
        case Kind.DENIED:
            raise faults.access_denied()
        case Kind.BUSY:
            raise faults.spent(fault.quota if fault else "")
        case Kind.LOST_REQUEST | Kind.UNAVAILABLE | Kind.SILENCE as kind:
            raise Struck(kind, fault.retry_after if fault else None)


async def delay(fault: Fault | None, patience: float) -> None:
    """Let time pass, if that is the fault, but no more than the client's *patience*, in seconds.

    Raises:
        WsmanFault: that was too little.
    """
    if fault is not None and fault.kind is Kind.SLOW:
        await asyncio.sleep(min(fault.delay, patience))
        if fault.delay > patience:
            raise faults.timed_out()


def lose(fault: Fault | None) -> None:
    """Do not reply, although everything was done, if that is the fault.

    Raises:
        Struck: it is.
    """
    if fault is not None and fault.kind in LOSING:
        raise Struck(fault.kind)
