"""The operations of WSMan, and the action URIs that ask for them (MS-WSMV 3.1.4; DSP0226)."""

from __future__ import annotations

from enum import StrEnum

from orchestrator.lab.wire import faults, soap


class Operation(StrEnum):
    """An operation; its value is the last word of its action URI."""

    CREATE = "Create"
    COMMAND = "Command"
    SEND = "Send"
    RECEIVE = "Receive"
    SIGNAL = "Signal"
    DELETE = "Delete"
    CONNECT = "Connect"
    DISCONNECT = "Disconnect"
    RECONNECT = "Reconnect"
    ENUMERATE = "Enumerate"
    GET = "Get"
    IDENTIFY = "Identify"


_OF_SHELLS = "Command Send Receive Signal Connect Disconnect Reconnect"
_ACTIONS = {f"{soap.SHELL}/{each}": Operation(each) for each in _OF_SHELLS.split()}
_ACTIONS |= {f"{soap.TRANSFER}/{each}": Operation(each) for each in ("Create", "Get", "Delete")}
_ACTIONS[f"{soap.ENUMERATION}/Enumerate"] = Operation.ENUMERATE


def asked(envelope: soap.Envelope) -> Operation:
    """Return what *envelope* asks for; Identify is the one operation without an action (DSP0226, section 11).

    Raises:
        WsmanFault: nothing that this server does.
    """
    if not envelope.action and envelope.body is not None and envelope.body.tag == f"{{{soap.IDENTITY}}}Identify":
        return Operation.IDENTIFY
    found = _ACTIONS.get(envelope.action)
    if found is None:
        raise faults.not_supported(envelope.action)
    return found
