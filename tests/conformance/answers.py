"""What Windows once answered, given to the orchestrator's own session instead of to the client that was recorded."""

from __future__ import annotations

import base64
import re
import struct
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import requests
from pypsrp.exceptions import WinRMTransportError
from pypsrp.wsman import WSMan

from orchestrator.model.call import Call
from orchestrator.model.observation import Reply
from orchestrator.remote import session
from orchestrator.remote.connection import Settings
from tests.conformance.recordings import Exchange, Recording
from tests.conformance.shape import ADDRESSING

HOST = "app01.corp.example"
NOBODY = UUID(int=0)
_ID = "([0-9A-Fa-f-]{36})"
_NAMES = (f"MessageID>uuid:{_ID}", f'(?:Name="ShellId">|ShellId="){_ID}', f'CommandId="{_ID}')
_STREAM = re.compile(r"(?<=>)[A-Za-z0-9+/=]{60,}(?=</)")


class Recorded:
    """Stands where pypsrp's HTTP transport does: the n-th Receive of a pipeline gets the n-th recorded reply to one.

    Ids of the recorded client are exchanged for those of the client that asks now.
    """

    def __init__(self, recording: Recording, shell: UUID, pipeline: UUID) -> None:
        self._exchanges = list(recording.exchanges)
        self._ids = (shell, pipeline)
        self.endpoint = f"https://{HOST}:5986/wsman"

    def send(self, message: bytes, **_options: object) -> bytes:
        """Return the next recorded reply to a request of this kind; raise what pypsrp raises for one that was none."""
        wanted = _kind(message.decode())
        found = next((each for each in self._exchanges if _kind(each.request) == wanted), None)
        if found is None:
            raise requests.ConnectionError(f"nothing more was recorded for {wanted}")
        self._exchanges.remove(found)
        reply = self._ours(message.decode(), found)
        if found.status != 200:
            raise WinRMTransportError("http", found.status, reply)
        return reply.encode()

    def close(self) -> None:
        """Nothing is open."""

    def _ours(self, request: str, found: Exchange) -> str:
        if found.reply is None:
            raise requests.ConnectionError("the recorded server did not answer")
        reply = _STREAM.sub(lambda match: self._readdressed(match[0]), found.reply)
        for theirs, ours in zip(_names(found.request), _names(request), strict=False):
            reply = re.sub(theirs, ours, reply, flags=re.IGNORECASE)
        return reply

    def _readdressed(self, text: str) -> str:
        """Exchange the ids of pool and pipeline in the message headers of some fragments (MS-PSRP 2.2.1, 2.2.4)."""
        data, at = bytearray(base64.b64decode(text)), 0
        while at + 21 <= len(data):
            flags, size = struct.unpack_from(">BI", data, at + 16)
            for place, ours in zip((at + 29, at + 45), self._ids, strict=True):
                if flags & 1 and UUID(bytes_le=bytes(data[place : place + 16])) != NOBODY:
                    data[place : place + 16] = ours.bytes_le
            at += 21 + size
        return base64.b64encode(data).decode()


def has_pipeline(recording: Recording) -> bool:
    """Whether a pipeline was begun in a recording."""
    return any(_kind(each.request) == ("Command", True) for each in recording.exchanges)


def _kind(request: str) -> tuple[str, bool]:
    action = (ET.fromstring(request).findtext(f".//{ADDRESSING}Action") or "").rpartition("/")[2]
    return action, "CommandId=" in request


def _names(request: str) -> list[str]:
    """Return the ids of a request: message, shell, command."""
    return [found[1] for found in (re.search(pattern, request) for pattern in _NAMES) if found]


def carried(recording: Recording, call: Call) -> Reply:
    """Return what the orchestrator's session makes of a call to the host of a recording."""
    pipeline = uuid4()

    def dialled(_settings: Settings, *_given: object) -> WSMan:
        client = WSMan(HOST)
        client.transport = Recorded(recording, talking.shell, pipeline)
        return client

    real, session.dial = session.dial, dialled
    try:
        talking = session.Session(lambda: Settings(host=HOST, address=HOST, port=5986, auth="basic"))
        return talking.carry(call, pipeline)
    finally:
        session.dial = real
