"""``dmsa lab serve``: a simulated estate on real ports, until it is told to stop.

Beside the estate's own state, the state directory keeps what makes a restarted server the same one to its
clients: passwords (:mod:`orchestrator.lab.access`), the ports, and the certificate of the day's authority.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from orchestrator.errors import InputInvalid, OrchestratorError, PersonNeeded
from orchestrator.lab.access import Access, keep
from orchestrator.lab.estate import EstateInvalid, load_spec
from orchestrator.lab.jea import DataFileInvalid, Registered
from orchestrator.lab.record import Lab, StateMismatch
from orchestrator.lab.statelock import StateBusy

if TYPE_CHECKING:
    from orchestrator.lab.wire.server import Server

_ADDRESSES = "addresses.json"
_CA = "ca.pem"
_DMSA_BUILD = 26100
_NEEDED = frozenset({"aiohttp", "cryptography", "psrpcore", "spnego"})


@dataclass(frozen=True)
class _Ready:
    """How to reach the running estate."""

    access: Access
    addresses: Mapping[str, str]
    http_addresses: Mapping[str, str]
    certificates: Mapping[str, Path]
    ca: Path

    def document(self) -> str:
        """Return it as one line for a program."""
        fields = {"addresses": dict(self.addresses), "ca": str(self.ca), "username": self.access.username}
        if self.http_addresses:
            fields["http_addresses"] = dict(self.http_addresses)
        if self.certificates:
            fields["certificates"] = {name: str(path) for name, path in self.certificates.items()}
        return json.dumps(fields | {"password": self.access.password(), "state": str(self.access.state)}) + "\n"

    def page(self) -> str:
        """Return it for a person, with what a plan needs to work on this estate."""
        spec = self.access.spec
        dc = next((dc for dc in spec.dcs if dc.writable and dc.build >= _DMSA_BUILD), spec.dcs[0])
        block = {
            "simulated": True,
            "domain": spec.domain.dns,
            "directory": {"endpoint": dc.name, "server": dc.name},
            "addresses": dict(self.addresses),
            "connections": [{"match": "*", **self._connection(), "tls": {"ca": str(self.ca)}}],
        }
        shown = yaml.safe_dump({"estate": block}, sort_keys=False, width=200)
        methods = ", ".join(spec.access.methods)
        without_tls = "\n".join(f"  {name}: {at}" for name, at in self.http_addresses.items())
        return (
            f"{spec.domain.dns} is simulated on loopback: {len(self.addresses)} hosts, state in {self.access.state}.\n"
            f"One logs on by {methods}. The estate of a plan that works on it:\n\n{shown}\n"
            + (f"Without TLS (transport: http) the addresses are:\n{without_tls}\n" if without_tls else "")
            + "Ctrl-C ends it; what happened stays in the state.\n"
        )

    def _connection(self) -> dict[str, str]:
        """Return how the operator logs on, by the first of the methods."""
        name = self.access.spec.operator.name
        method = self.access.spec.access.methods[0]
        if method == "certificate":
            certificate = self.certificates[name]
            return {
                "auth": method,
                "certificate": str(certificate),
                "key": f"${{file:{certificate.with_suffix('.key')}}}",
            }
        username = f"{name}@{self.access.spec.domain.dns.upper()}" if method == "kerberos" else self.access.username
        return {"auth": method, "username": username, "password": f"${{file:{self.access.password_file}}}"}


def serve(estate_file: Path, state: Path, as_json: bool, until_stdin_closes: bool, jea: Path | None = None) -> int:
    """Serve the estate of *estate_file* with its state in *state*; return the exit code of its end.

    When every port listens, print how to connect: one line of JSON with *as_json*, a page otherwise. It ends
    at SIGINT (130) and SIGTERM (143), and with *until_stdin_closes* at the end of standard input (0). *jea* is a
    folder of JEA files, in place of the one that the estate file may name.

    Raises:
        InputInvalid: the estate file cannot be read or used, or the state belongs to another one.
        PersonNeeded: the state is in use, a port that the file asks for is taken, or the extra ``lab`` is not
            installed.
    """
    try:
        text = estate_file.read_text(encoding="utf-8")
        spec = load_spec(text)
        lab = Lab(text, state.resolve(), time.monotonic, Registered.of(spec, estate_file, jea))
    except EstateInvalid as error:
        raise InputInvalid(f"{estate_file}: {error}") from error
    except DataFileInvalid as error:
        raise InputInvalid(f"{error}. Nothing was started.") from error
    except StateMismatch as error:
        raise InputInvalid(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputInvalid(f"{estate_file} cannot be used: {error}. Nothing was started.") from error
    except StateBusy as error:
        raise PersonNeeded(str(error)) from error
    try:
        access = Access(spec, estate_file.resolve().parent, lab.state)
        return asyncio.run(_run(lab, access, as_json=as_json, until_stdin_closes=until_stdin_closes))
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    finally:
        lab.close()


def _not_installed(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").partition(".")[0] not in _NEEDED:
        return error
    return PersonNeeded(
        f"The simulated estate needs {error.name}, which is not installed. Nothing was started. "
        "Install it with: pip install 'dmsa-orchestrator[lab]'"
    )


async def _run(lab: Lab, access: Access, *, as_json: bool, until_stdin_closes: bool) -> int:
    ended = _until_told(watch_stdin=until_stdin_closes)
    server = _server(lab, access)
    try:
        await server.__aenter__()
    except OSError as error:
        raise PersonNeeded(f"A host's address cannot be had: {error}. Nothing was started.") from error
    try:
        certificates = access.certify(server.authority)
        ready = _Ready(access, server.addresses, server.http_addresses, certificates, lab.state / _CA)
        keep(ready.ca, server.ca)
        keep(lab.state / _ADDRESSES, json.dumps(server.addresses, indent=1).encode())
        sys.stdout.write(ready.document() if as_json else ready.page())
        sys.stdout.flush()
        status, why = await ended
    finally:
        await server.__aexit__(None, None, None)
    sys.stderr.write(f"The simulated estate ended ({why}); its state is in {lab.state}.\n")
    return status


def _server(lab: Lab, access: Access) -> Server:
    """Return the server; imported here, because what it needs is an extra that may not be installed."""
    from orchestrator.lab.wire.recorded import RecordedEstate, fidelity
    from orchestrator.lab.wire.server import Server
    from orchestrator.lab.wire.visits import Visits

    return Server(
        RecordedEstate(lab),
        *access.schemes(),
        preferred=_preferred(lab.state),
        fidelity=fidelity(access.spec.sessions),
        http=access.spec.access.http,
        visits=Visits(lab.visited),
    )


def _until_told(*, watch_stdin: bool) -> asyncio.Future[tuple[int, str]]:
    """Return what is done when the server is to end: with the exit code, and why."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[int, str]] = loop.create_future()

    def end(status: int, why: str) -> None:
        if not ended.done():
            ended.set_result((status, why))

    def at_signal(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(end, 128 + number, signal.Signals(number).name)

    def at_end_of_input() -> None:
        # os.read, not sys.stdin: a thread that sleeps in a buffered reader holds its lock at interpreter exit
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has been closed: something else ended it first
            loop.call_soon_threadsafe(end, 0, "its input was closed")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, at_signal)
    if watch_stdin:
        threading.Thread(target=at_end_of_input, daemon=True).start()
    return ended


def _preferred(state: Path) -> dict[str, str]:
    """Return where the hosts listened last time."""
    try:
        found = json.loads((state / _ADDRESSES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(name): str(address) for name, address in found.items()}


def main() -> None:
    """Serve for a parent process: one line of JSON when ready, the end when standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.lab.serve")
    parser.add_argument("estate", type=Path)
    parser.add_argument("state", type=Path)
    given = parser.parse_args()
    try:
        status = serve(given.estate, given.state, as_json=True, until_stdin_closes=True)
    except OrchestratorError as error:
        sys.stderr.write(f"{error}\n")
        status = error.exit_code
    sys.exit(status)


if __name__ == "__main__":
    main()
