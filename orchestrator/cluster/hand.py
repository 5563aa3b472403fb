"""A hand: what the runner of a site does when it hears a ring. It carries what it is given, and decides nothing.

In this order: it claims a job; it makes sure that the endpoint is one of its site, by its own plan, and that the call
is in the catalogue; it opens a shell with the id that the ticket names; it asks the board whether a write may leave;
the write leaves; the shell is deleted; what came of it is handed in. A hand that stood still anywhere in between has
lost its claim: the board gives no leave any more, and a shell that was opened before is deleted by whoever comes
after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import sleep

import structlog

from orchestrator.cluster.came import OUTSIDE_CATALOGUE, WRONG_SITE
from orchestrator.cluster.claims import Claims
from orchestrator.errors import SafetyRefusal
from orchestrator.journal import JournalUnusable
from orchestrator.journal.jobs import Claim, Jobs
from orchestrator.model.call import Read
from orchestrator.model.observation import Fault
from orchestrator.model.parcel import Carried, Carry, Declined, End, Ended, ParcelUnreadable, Result, order_of, packed
from orchestrator.model.sites import Sites
from orchestrator.remote.gate import check
from orchestrator.remote.transport import Carrier, Leave, not_sent

ASKS_AGAIN = 0.1
"""Seconds after which a call that found no session free asks again."""
HANDS_IN_AGAIN = 0.5
"""Seconds after which a result is handed in again that the store could not take."""

log = structlog.get_logger()


class Hand:
    """Serves one site for one run.

    Args:
        run: the plan's name.
        site: the site's name.
        sites: which endpoints are whose, by this runner's own plan.
        jobs: the board.
        transport: carries calls to the hosts of the site.
        runner: who this is, for others.
        claims: what keeps claims alive.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        run: str,
        site: str,
        sites: Sites,
        jobs: Jobs,
        transport: Carrier,
        runner: str,
        claims: Claims | None = None,
        pause: Callable[[float], object] = sleep,
    ) -> None:
        self._run, self.site, self.sites, self._jobs = run, site, sites, jobs
        self._transport, self.runner = transport, runner
        self.claims = claims or Claims(jobs)
        self._pause = pause
        self._lock = threading.Lock()
        self._gone: set[object] = set()
        self._draining = False

    def drain(self) -> None:
        """Claim nothing more; what is claimed is carried to its end. Safe to call from a signal handler."""
        self._draining = True

    def handle(self, site: str, migration: str, step: str) -> None:
        """Do what is posted for these three; the ring may be late, doubled or wrong. Raises nothing foreseeable."""
        if site != self.site:
            log.debug("a ring for another site was heard; nothing was claimed", site=site)
            return
        try:
            while not self._draining and (claims := self._jobs.claim(self._run, site, migration, step, self.runner)):
                for claim in claims:
                    with self.claims.having(claim):
                        self._do(claim)
        except JournalUnusable as unusable:
            log.warning("the board cannot be used; who drives rings again", site=site, why=str(unusable))

    def _do(self, claim: Claim) -> None:
        result = self._result(claim)
        if result is not None and not self._handed_in(claim, packed(result)):
            log.warning("a claim was lost before its result was handed in", migration=claim.job.migration)

    def _result(self, claim: Claim) -> Result | None:
        """Return what came of a job; None where the claim was lost before anything was sent."""
        try:
            order = order_of(claim.job.call)
        except ParcelUnreadable as unreadable:
            return Declined("unreadable", f"the runner of site {self.site} cannot read the call: {unreadable}")
        refused = self._refusal(claim, order)
        if refused is not None:
            return refused
        if isinstance(order, End):
            return Ended(self._transport.discard(order.endpoint, order.shell))
        return self._carried(claim, order)

    def _refusal(self, claim: Claim, order: Carry | End) -> Declined | None:
        endpoint = order.endpoint if isinstance(order, End) else order.call.endpoint
        its = self.sites.of(endpoint)
        if its != self.site or claim.job.site != self.site:
            why = f"{endpoint}: the runner of site {self.site} was asked, and by its plan that is of site {its}"
            return Declined(WRONG_SITE, f"{why}; nothing was sent")
        kind = "end" if isinstance(order, End) else "read" if isinstance(order.call, Read) else "write"
        if kind != claim.job.kind:
            return Declined("unreadable", f"{endpoint}: a {kind} was posted as a {claim.job.kind}; nothing was sent")
        if isinstance(order, Carry):
            try:
                check(order.call)
            except SafetyRefusal as refusal:
                return Declined(OUTSIDE_CATALOGUE, str(refusal))
        return None

    def _carried(self, claim: Claim, order: Carry) -> Carried | None:
        while not self._transport.honour(order.ticket):
            if self.claims.lost(claim):
                return None
            self._pause(ASKS_AGAIN)
        if self.claims.lost(claim):
            self._transport.give_back(order.ticket)
            return None
        reply = self._transport.run(order.call, order.ticket, self._leave(claim, order.call.endpoint))
        return Carried(reply, self._is_gone(order.ticket.shell))

    def _leave(self, claim: Claim, endpoint: str) -> Leave:
        def against() -> Fault | None:
            try:
                why = self._jobs.may_leave(claim)
            except JournalUnusable as unusable:
                why = f"it cannot be seen whether it may be sent ({unusable})"
            return None if why is None else not_sent(endpoint, why)

        return against

    def _is_gone(self, shell: object) -> bool:
        with self._lock:
            self._gone |= {ticket.shell for ticket in self._transport.gone()}
            gone = shell in self._gone
            self._gone.discard(shell)
            return gone

    def _handed_in(self, claim: Claim, text: str) -> bool:
        """Hand a result in, again and again while the store is away and the claim may still count."""
        while True:
            try:
                return self._jobs.commit(claim, text)
            except JournalUnusable:
                if self.claims.lost(claim):
                    return False
                self._pause(HANDS_IN_AGAIN)
