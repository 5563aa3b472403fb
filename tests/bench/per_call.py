"""What one remote call costs the processor, and where it goes: ours, and pypsrp by itself.

    python -m tests.bench.per_call --times 20

One thread, one session with one host of a simulated estate behind TLS, and the two calls that a wave makes most: a
host's observation (six statements) and a pair's (three statements on a domain controller). Both go through
:class:`orchestrator.remote.psrp.PsrpTransport` and through a ``RunspacePool``, in turns. Processor time of the calling
thread, a median over all calls of a kind; its parts are timed around the functions that do them, and the rest is what
is left.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pypsrp.powershell import Fragmenter, PowerShell, RunspacePool
from pypsrp.wsman import WSMan, _TransportHTTP

from orchestrator.model.call import Cmdlet, Read
from orchestrator.remote import gate, session
from orchestrator.remote.connection import Secret, Settings
from orchestrator.remote.psrp import PsrpTransport
from tests.bench import forward_wave, peers
from tests.bench.table import show

PARTS = ("message written", "WSMan envelopes", "HTTP and TLS", "message read", "objects", "gate", "rest")


class Meter:
    """Adds up processor time by part: what is inside of another part counts for the inner one alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return *function*, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            self._inside.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                took = time.thread_time() - began
                self.spent[part] += took - self._inside.pop()
                self._inside[-1] += took

        return timed


@contextmanager
def measured(meter: Meter) -> Iterator[None]:
    """Time the parts of calls while the context lasts."""
    places: Sequence[tuple[Any, str, str]] = (
        (Fragmenter, "fragment", "message written"),
        (PowerShell, "begin_invoke", "message written"),
        (session.Session, "_composed", "message written"),
        (WSMan, "invoke", "WSMan envelopes"),
        (_TransportHTTP, "send", "HTTP and TLS"),
        (Fragmenter, "defragment", "message read"),
        (session, "_reply", "objects"),
        (gate, "check", "gate"),
    )
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, part in places:
        setattr(owner, name, meter.around(part, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Processor time of one remote call.")
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        plan = forward_wave.write(Path(place) / "first", 10, 10)
        calls = peers.calls_of(forward_wave.run(plan).rows)
        with peers.lab(plan, Path(place) / "lab") as ready:
            rows = [row for kind in _kinds(calls) for row in _compared(ready, *kind, given.times)]
    show("processor time of a call, ms", ("call", "by", *PARTS, "all", "of pypsrp's"), rows)


def _kinds(calls: peers.Calls) -> Iterator[tuple[str, str, Any]]:
    """Yield the calls to measure: what they are, where, and their statements."""
    host = "h00000.corp.example"
    yield "a host, six statements", host, next(one for one in calls[host] if len(one) == 6)
    names = ["Get-ADComputer", "Get-ADServiceAccount", "Get-ADUser"]
    dc = "dc01.corp.example"
    yield "a pair, three statements", dc, next(one for one in calls[dc] if [each[0][0] for each in one] == names)


def _compared(ready: Mapping[str, Any], what: str, host: str, statements: Any, times: int) -> list[tuple[object, ...]]:
    address, _, port = ready["addresses"][host].rpartition(":")
    transport = PsrpTransport(
        lambda name: Settings(
            host=name,
            port=int(port),
            address=address,
            auth="basic",
            username=Secret(ready["username"]),
            password=Secret(ready["password"]),
            verify=ready["ca"],
        )
    )
    wsman = WSMan(
        address,
        port=int(port),
        username=ready["username"],
        password=ready["password"],
        auth="basic",
        cert_validation=ready["ca"],
        no_proxy=True,
    )
    read = Read(host, tuple(Cmdlet(name, _frozen(named)) for ((name, named, _),) in statements))
    with wsman, RunspacePool(wsman) as pool:
        ours = lambda: transport.run(read, _given(transport.ticket(host)))  # noqa: E731
        theirs = lambda: _by_hand(pool, statements)  # noqa: E731
        taken: dict[str, list[Meter]] = {"ours": [], "pypsrp": []}
        for number in range(times + 1):
            for by, call in (("ours", ours), ("pypsrp", theirs)):
                meter = Meter()
                with measured(meter):
                    meter.around("rest", call)()
                if number:  # the first opens the session
                    taken[by].append(meter)
        transport.close()
    return _rows(what, taken)


def _rows(what: str, taken: Mapping[str, Sequence[Meter]]) -> list[tuple[object, ...]]:
    rows, base = [], statistics.median(sum(meter.spent.values()) for meter in taken["pypsrp"])
    for by, meters in taken.items():
        parts = [1000 * statistics.median(meter.spent[part] for meter in meters) for part in PARTS]
        all_of_it = statistics.median(sum(meter.spent.values()) for meter in meters)
        rows.append((what, by, *parts, 1000 * all_of_it, all_of_it / base))
    return rows


def _given(ticket: Any) -> Any:
    assert ticket is not None
    return ticket


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return {name: _frozen(one) for name, one in value.items()} if isinstance(value, dict) else value


def _by_hand(pool: RunspacePool, statements: Any) -> None:
    powershell = PowerShell(pool)
    for ((name, named, _),) in statements:
        if powershell.commands:
            powershell.add_statement()
        powershell.add_cmdlet(name).add_parameters(named)
    powershell.invoke()


if __name__ == "__main__":
    main()
