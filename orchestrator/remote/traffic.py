"""How much of it there is at once: hosts, log-ons, sessions. One for a process, whatever its transports are.

*Hosts.* As many calls to hosts are under way as there are places (:mod:`~orchestrator.remote.places`). Endpoints of the
directory need none: what they carry (estate time, the ledger, the pair, each way back) goes on when every host hangs;
how much each of them gets is bounded by its sessions.

*Log-ons.* What is counted is each connection that was opened, with TLS where there is TLS, right before the first
request on it: that request is what logs on. All further ones on the connection cost nothing, for a log-on by Kerberos
or NTLM is the connection's (MS-NLMP and RFC 4559 within HTTP keep-alive), and pypsrp sends no second one. What a
log-on costs whom:

- ``kerberos``, ``negotiate`` with the runner's own tickets: a TGS request to a domain controller for the first
  connection to a host; later ones use the ticket from the cache until it expires. Counted all the same: nobody outside
  the Kerberos library can tell, and the host logs the account on each time (event 4624).
- ``kerberos``, ``negotiate`` with ``username`` and ``password``: AS and TGS requests for each connection, for a ticket
  that a password buys is in no cache.
- ``ntlm``: the host asks its domain controller each time (pass-through authentication, MS-APDS 3.1; through a secure
  channel that carries few at a time, Microsoft Learn, "performance tuning for NTLM authentication by using the
  MaxConcurrentApi setting").
- ``basic``, ``certificate``: for accounts of the host itself (Microsoft Learn, "Authentication for Remote
  Connections"), so they cost no domain controller anything. They count too: a rehearsal then keeps the pace of the
  real thing.

Which domain controller is asked is not the runner's to choose. So one budget bounds the log-ons to all hosts, and with
them what any domain controller can get of them. The endpoint of each domain controller (remoting, and LDAP of the
second witness) has a budget of its own, as large: it never queues behind eight hundred hosts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from orchestrator.model.observation import FaultKind, Reply
from orchestrator.remote.budget import Budget
from orchestrator.remote.places import Places

HOSTS_AT_ONCE = 32
LOGONS_PER_SECOND = 20
"""Our own choice, no limit of Windows: 800 hosts are logged on to within 40 s, and no domain controller notices."""
DIRECTORY_THREADS = 16
"""Threads for calls that need no place: four sessions for each of four domain controllers; of more, some wait."""


@dataclass(frozen=True)
class Manners:
    """What an operator may say of it.

    Args:
        hosts_at_once: how many hosts are called at the same time.
        logons_per_second: how many connections are logged on by in any second: to all hosts, and to each endpoint of
            the directory.
    """

    hosts_at_once: int = HOSTS_AT_ONCE
    logons_per_second: int = LOGONS_PER_SECOND

    @property
    def threads(self) -> int:
        """How many calls may be in the air: in a place, late and aside, and to the directory."""
        return 2 * self.hosts_at_once + DIRECTORY_THREADS


class Traffic:
    """Places and log-ons of one process, for any number of threads.

    Args:
        manners: what the operator said.
        is_directory: whether an endpoint is one of the directory.
        clock: seconds from anywhere.
    """

    def __init__(
        self,
        manners: Manners | None = None,
        is_directory: Callable[[str], bool] = lambda _endpoint: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.manners = manners or Manners()
        self._is_directory, self._clock = is_directory, clock
        self._lock = threading.Lock()
        self._places = Places(self.manners.hosts_at_once)
        self._hosts = Budget(self.manners.logons_per_second, clock)
        self._directory: dict[str, Budget] = {}

    def admit(self, call: UUID, endpoint: str) -> bool:
        """Give a call a place, if there is one for it; say whether it may begin."""
        if self._is_directory(endpoint):
            return True
        host, now = endpoint.lower(), self._clock()
        with self._lock:
            free = self._places.free(host, now)
            if free:
                self._places.take(call, host, now)
            return free

    def hangs(self, endpoint: str) -> bool:
        """Say whether an endpoint is a host that keeps its callers waiting."""
        with self._lock:
            return not self._is_directory(endpoint) and self._places.hangs(endpoint.lower(), self._clock())

    def leave(self, call: UUID, reply: Reply | None) -> None:
        """Take the place of a call back, which ended with *reply*; None: it was never made."""
        with self._lock:
            if reply is None:
                self._places.cancel(call)
            else:
                self._places.leave(call, self._clock(), answered=_answered(reply))

    def log_on(self, endpoint: str) -> None:
        """Wait until a connection to an endpoint may be logged on by."""
        self._budget(endpoint).wait()

    def _budget(self, endpoint: str) -> Budget:
        if not self._is_directory(endpoint):
            return self._hosts
        with self._lock:
            return self._directory.setdefault(endpoint.lower(), Budget(self.manners.logons_per_second, self._clock))


def _answered(reply: Reply) -> bool:
    return reply.fault is None or reply.fault.kind is FaultKind.PERMANENT or reply.fault.busy or bool(reply.errors)
