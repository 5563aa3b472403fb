"""Requests that a client once sent to Windows, sent to the lab's wire; and the two replies side by side."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import requests

from orchestrator.lab.command import Request, Result
from orchestrator.lab.wire.shells import Fidelity
from tests.conformance.recordings import Exchange, Recording
from tests.conformance.shape import ADDRESSING, SHELL, WSMAN, Shape, control, shape
from tests.lab.wire.conftest import PASSWORD, Scripted, wire

PATIENCE = "PT0.3S"
"""How long a Receive waits for nothing; clients ask for 20 seconds, and nobody wants to sit through them."""
TIMED_OUT = "2150858793"
_WAIT = re.compile(r"(?<=OperationTimeout>)PT[0-9.]+S(?=<)")


@dataclass(frozen=True)
class Compared:
    """One exchange: its number in the recording (from 1), what was asked, and both replies."""

    recording: str
    number: int
    operation: str
    windows: Shape
    lab: Shape
    stream: str
    """What a Receive fetches: the number of the exchange that began the shell, and the command, if it names one."""
    control: tuple[Counter[str], Counter[str]]
    """The control messages of both replies."""

    @property
    def alike(self) -> bool:
        """Whether the lab answered as Windows did."""
        return self.windows == self.lab

    @property
    def calls_back(self) -> bool:
        """Whether Windows waits for an answer from the client's own host interface."""
        return "CommandState=Pending" in self.windows.body


def batched(conversation: list[Compared]) -> set[int]:
    """Return the numbers of the Receives that differ only in what was ready when somebody asked.

    So they do if, over all Receives of the pool or the pipeline, the lab has sent what Windows has.
    """
    found: set[int] = set()
    receives = [each for each in conversation if each.operation == "Receive"]
    for stream in {each.stream for each in receives}:
        its = [each for each in receives if each.stream == stream]
        windows, lab = (sum((each.control[side] for each in its), Counter()) for side in (0, 1))
        if windows == lab and windows and not any(each.calls_back for each in its):
            found |= {each.number for each in its if not each.alike}
    return found


class _Engine(Scripted):
    """Gives each pipeline one line of output, not before somebody waits for it; what it does is not compared."""

    def __init__(self) -> None:
        super().__init__(does=self._does)
        self.released = threading.Event()

    def _does(self, request: Request) -> Result:
        assert self.released.wait(10), request
        return Result(("done",))


def replay(recording: Recording, folder: Path) -> list[Compared]:
    """Send a whole recording to a wire of its own."""
    engine = _Engine()
    with wire(engine, folder, fidelity=Fidelity()) as opened, requests.Session() as session:
        session.trust_env = False
        session.auth, session.verify = ("operator", PASSWORD), opened.ca
        address = next(iter(opened.running.server.addresses.values()))
        ours = _Conversation(session, f"https://{address}/wsman", engine)
        return [
            ours.compare(recording.name, number, exchange)
            for number, exchange in enumerate(recording.exchanges, 1)
            if exchange.reply is not None
        ]


class _Conversation:
    """Speaks with the lab in the words of a recording; names that Windows gave are exchanged for the lab's."""

    def __init__(self, session: requests.Session, url: str, engine: _Engine) -> None:
        self._session, self._url, self._engine = session, url, engine
        self._names: dict[str, str] = {}
        self._begun: dict[str, int] = {}

    def compare(self, recording: str, number: int, exchange: Exchange) -> Compared:
        assert exchange.reply is not None
        windows = exchange.reply.encode()
        operation = (ET.fromstring(exchange.request).findtext(f".//{ADDRESSING}Action") or "").rpartition("/")[2]
        awaited = operation == "Receive" and "CommandId=" in exchange.request
        if awaited and TIMED_OUT not in exchange.reply:
            self._engine.released.set()
        request = _WAIT.sub(PATIENCE, exchange.request)
        for theirs, ours in self._names.items():
            request = re.sub(theirs, ours, request, flags=re.IGNORECASE)
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8"}
        answer = self._session.post(self._url, data=request.encode(), headers=headers, timeout=10)
        if operation in {"Create", "Command"}:
            self._learn(windows, answer.content)
        if operation == "Receive" and "Done" in exchange.reply:
            self._engine.released.clear()
        return Compared(
            recording,
            number,
            operation,
            shape(exchange.status, windows),
            shape(answer.status_code, answer.content),
            self._stream(operation, number, exchange.request),
            (control(windows), control(answer.content)),
        )

    def _stream(self, operation: str, number: int, request: str) -> str:
        """Return which shell, and which pipeline of it, a request is about; a Connect begins anew."""
        root = ET.fromstring(request)
        shell = (root.findtext(f".//{WSMAN}Selector") or "").upper()
        if operation in {"Create", "Connect"}:
            self._begun[shell] = number
        commands = [each.get("CommandId") or "" for each in root.iter() if each.get("CommandId")]
        return f"{self._begun.get(shell, 0)} {' '.join(commands)}"

    def _learn(self, windows: bytes, lab: bytes) -> None:
        """Note the name of a shell or a command that the server chose."""
        for place in (f"{WSMAN}Selector", f"{SHELL}CommandId"):
            theirs, ours = _text(windows, place), _text(lab, place)
            if theirs and ours and theirs != ours:
                self._names[theirs] = ours


def _text(reply: bytes, tag: str) -> str | None:
    return ET.fromstring(reply).findtext(f".//{tag}")
