"""What a preview reads: the reads of a snapshot, whatever the phase; and what it cannot do without beside them.

That is: the parent of a missing registry key (one key is made, or two), when what runs began (what was restarted
already is not restarted again), and which hosts have registered already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.engine.merge import unanswered
from orchestrator.model.action import Observe, Stop
from orchestrator.model.before import HostBefore
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.found_there import NotListed
from orchestrator.model.host import HostSeen, parent_read, process_reads
from orchestrator.model.ledger import LedgerSeen, ledger_reads, ledger_seen
from orchestrator.model.observation import Unreadable
from orchestrator.steps import snapshot
from orchestrator.steps.controllers import controllers_found, controllers_read
from orchestrator.steps.inventory import host_reads_of, inventory
from orchestrator.steps.step import pair_read
from orchestrator.steps.workloads import dependents_of

TICKET = timedelta(hours=10)
"""How long a ticket counts by default (Microsoft Learn, "Maximum lifetime for user ticket"): a host that could add
itself has logged on anew since."""


@dataclass(frozen=True)
class Looked:
    """What is there now of one migration."""

    pair: PairSeen
    content: snapshot.Content
    hosts: Mapping[str, HostSeen]
    registered: frozenset[str] = frozenset()
    """The hosts that may use the dMSA already, as the plan spells them."""
    others: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    """Hosts that had their chance to register, a ticket's lifetime ago or more, and have not."""
    controllers: tuple[str, ...] = field(default=())


def asks(case: Case, seen: Seen) -> tuple[Read, ...]:
    """Return what must still be read; nothing once all was read that can be."""
    first = tuple(_first(case))
    left = unanswered(first, seen)
    if left:
        return left
    try:
        return unanswered(tuple(_further(case, seen)), seen)
    except Unreadable:
        return ()


def _first(case: Case) -> Iterator[Read]:
    if not case.controllers:
        yield controllers_read(case)
    yield pair_read(case)
    for name in case.host_names:
        yield from host_reads_of(case, case.migration.host(name), _dependents(case, name))


def _dependents(case: Case, name: str) -> tuple[str, ...]:
    known = case.state.snapshot.hosts.get(name) if case.state.snapshot else None
    return dependents_of(known) if known else ()


def _further(case: Case, seen: Seen) -> Iterator[Read]:
    pair = seen.pair(case.endpoint, case.server)
    if pair.account is not None:
        unread = snapshot.unread(case, seen, pair)
        yield from unread.reads if unread else ()
    if pair.dmsa is not None and pair.dmsa.principals:
        yield from ledger_reads(case)
        more = ledger_seen(case, seen) if not unanswered(ledger_reads(case), seen) else ()
        yield from more if isinstance(more, tuple) else ()
    for name in case.host_names:
        yield from _of_host(case, name, seen)


def _of_host(case: Case, name: str, seen: Seen) -> Iterator[Read]:
    try:
        answer = inventory(case, case.migration.host(name), seen)
        found = seen.host(name)
    except Unreadable:
        return  # it is said to be unreadable once everything else was read
    if isinstance(answer, Observe):
        yield from answer.reads
    if not found.key_exists:
        yield parent_read(name)
    pids = {one.pid for one in found.services.values() if one.running}
    if pids:
        yield process_reads(name, pids)


def _silent(case: Case, ledger: LedgerSeen) -> frozenset[str]:
    since = case.state.deadlines.get((DIRECTORY, "registration"))
    if since is None or since.since is None or case.at is None or case.at - since.since < TICKET:
        return frozenset()
    return frozenset(case.host_names) - ledger.hosts


def looked(case: Case, seen: Seen) -> Looked | Stop:
    """Return what is there now, or why a step would not begin with it.

    Raises:
        Unreadable: something that a snapshot needs could not be read.
    """
    pair = seen.pair(case.endpoint, case.server)
    if pair.account is None:
        return Stop("original-missing", f"{case.migration.account} is not on {case.server}.")
    hosts: dict[str, HostBefore] = {}
    found = {name: seen.host(name) for name in case.host_names}
    for name in case.host_names:
        try:
            answer = inventory(case, case.migration.host(name), seen)
        except NotListed as why:
            return Stop("guard:host-inventory-complete", str(why), why.remedy)
        if not isinstance(answer, HostBefore):
            raise Unreadable(f"{name} did not answer for everything that a snapshot needs")
        hosts[name] = answer
    missing = snapshot.unread(case, seen, pair)
    if missing:
        raise Unreadable(f"{case.server} did not answer for every descriptor")
    ledger = ledger_seen(case, seen) if pair.dmsa is not None and pair.dmsa.principals else None
    known = ledger if isinstance(ledger, LedgerSeen) else LedgerSeen(frozenset(), frozenset())
    return Looked(
        pair=pair,
        content=snapshot.content(case, seen, pair, hosts),
        hosts=found,
        registered=known.hosts,
        others=known.others,
        silent=_silent(case, known),
        controllers=case.controllers or controllers_found(case, seen).names,
    )
