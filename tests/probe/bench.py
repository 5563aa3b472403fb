"""A disposable pair on a simulated estate in this process; inquiry, carrier and gate are the product's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestrator.cli.inquire import Carrier, hold
from orchestrator.cli.probe import subject_of
from orchestrator.clock import EstateClock
from orchestrator.lab.jea import Registered
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Ticket, Write
from orchestrator.model.observation import Reply
from orchestrator.probe import Found, Inquiry
from orchestrator.remote import gate
from tests.world import DC, World

ACCOUNT = "CN=svc-probe,OU=Disposable,DC=corp,DC=example"
DMSA = "dmsa-probe"
LINKED = frozenset({"msDS-AssignedAuthNPolicy", "msDS-AssignedAuthNPolicySilo"})
"""Attributes that are written with a distinguished name here, and hold the object that it names."""


class Gated:
    """A transport that asks the gate first and takes time to end a session, as the one to real hosts does."""

    def __init__(self, inner: MemoryTransport, advance: Callable[[timedelta], None]) -> None:
        self._inner, self._advance = inner, advance
        self.sent: list[str] = []

    def ticket(self, endpoint: str) -> Ticket | None:
        return self._inner.ticket(endpoint)

    def run(self, call: Call, ticket: Ticket) -> Reply:
        gate.check(call)
        if isinstance(call, Write):
            self.sent.append(call.statement.name)
        return self._inner.run(call, ticket)

    def discard(self, endpoint: str, shell: Any) -> bool:
        self._advance(timedelta(milliseconds=20))
        return self._inner.discard(endpoint, shell)

    def close(self) -> None:
        self._inner.close()


class Bench:
    """The estate of ``plans/estates/probe.yaml``, changed as a test needs it; ``registered``: on JEA endpoints."""

    def __init__(
        self,
        change: Callable[[dict[str, Any]], None] | None = None,
        registered: Registered | None = None,
        **switches: Any,
    ) -> None:
        def changed(estate: dict[str, Any]) -> None:
            estate["switches"] = switches
            if change:
                change(estate)

        self.world = World("plans/probe.yaml", "plans/estates/probe.yaml", change_estate=changed, sooner=False)
        self.registered = registered
        self.before = self.objects()
        self.sent: list[str] = []

    def ask(
        self,
        found: Found | None = None,
        stopped: Callable[[], bool] = lambda: False,
        before: Callable[[Call], None] = lambda _call: None,
    ) -> Inquiry:
        """Hold the whole conversation."""
        inquiry = self.inquiry(found)
        self.hold(inquiry, stopped, before)
        return inquiry

    def inquiry(self, found: Found | None = None) -> Inquiry:
        subject = subject_of(self.world.plan, DMSA)
        return Inquiry(replace(subject, delegates=self.registered is not None), found)

    def hold(
        self,
        inquiry: Inquiry,
        stopped: Callable[[], bool] = lambda: False,
        before: Callable[[Call], None] = lambda _call: None,
    ) -> None:
        memory = MemoryTransport(self.world.estate, self.world.principal, registered=self.registered)
        transport = Gated(memory, self.world.estate.advance)
        self.sent = transport.sent
        passed = [0.0]

        def pause(seconds: float) -> None:
            passed[0] += seconds
            self.world.estate.advance(timedelta(seconds=seconds))

        read = self.world.clock_reader(transport, lambda _ticket: None)
        clock = EstateClock(read, is_lab=True, monotonic=lambda: passed[0], pause=pause)
        clock.ask()
        carrier = Carrier(transport, clock, self.world.plan.policy_of(DMSA), stopped)
        hold(inquiry, carrier, stopped, before)

    def put(self, dn: str, **values: Any) -> None:
        """Let an object of the directory always have been so; two underscores stand for a hyphen."""
        self.write(dn, **values)
        self.before = self.objects()

    def write(self, dn: str, **values: Any) -> None:
        """Write to an object on every domain controller at once."""
        directory = self.world.estate.directory
        entry = directory.replicas[DC].at_dn(dn)
        assert entry is not None
        named = {name.replace("__", "-"): value for name, value in values.items()}
        for name in LINKED & {name for name, value in named.items() if value}:
            to = directory.replicas[DC].at_dn(named[name])
            assert to is not None, named[name]
            named[name] = (to.guid,)
        for replica in directory.replicas:
            directory.write(replica, entry.guid, named)

    def objects(self) -> dict[str, Any]:
        """Return the account as the estate itself has it."""
        shown: Any = self.world.estate.describe()
        return dict(shown["directory"][DC].get(ACCOUNT, {}))

    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Return what of the account is not as it was; an attribute without a value is as good as none."""
        now = self.objects()
        names = self.before.keys() | now.keys()
        return {
            n: (self.before.get(n), now.get(n)) for n in names if (self.before.get(n) or None) != (now.get(n) or None)
        }
