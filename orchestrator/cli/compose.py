"""Adapters put together: which estate, which transport, which clock. The composition root."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.cli.history import refuse_other_plan, replay
from orchestrator.cli.options import DEFAULT_LEASE, as_typed
from orchestrator.cli.over_sites import carrying
from orchestrator.cli.selection import this_runner, who
from orchestrator.clock import EstateClock, LogOnRefused, lasting
from orchestrator.conductor import Assignment, Conductor
from orchestrator.conductor.attending import Attending
from orchestrator.errors import InputInvalid, PersonNeeded
from orchestrator.journal import JournalUnusable, Lease, beside_journal, open_journal
from orchestrator.model.call import Read, Ticket, cmdlet
from orchestrator.model.directory import complaint
from orchestrator.model.event import Event
from orchestrator.model.lifecycle import Phase
from orchestrator.model.notices import Notice
from orchestrator.model.observation import Reply, Unreadable
from orchestrator.model.plan import Connection, Directory, Estate, Plan, Tls
from orchestrator.model.receiver import receiver_of
from orchestrator.notices import body_of, form_for
from orchestrator.planfile import Loaded, canonical
from orchestrator.remote.connection import Connections
from orchestrator.remote.ldap import LdapTransport
from orchestrator.remote.logons import REFUSED_LOGONS
from orchestrator.remote.outbox import Outbox
from orchestrator.remote.psrp import PsrpTransport
from orchestrator.remote.routes import Routes, WithSpare
from orchestrator.remote.traffic import Manners, Traffic
from orchestrator.remote.transport import Transport
from orchestrator.remote.webhook import Webhook
from orchestrator.remote.wording import PLAIN_CONFIGURATION

PATIENCE = timedelta(minutes=10)
"""How long ``run`` waits for what is due, on an estate that is not a lab."""


@dataclass(frozen=True)
class Resolved:
    """A plan whose estate is known, and where its files are relative to."""

    plan: Plan
    base: Path


@contextlib.contextmanager
def estate_of(loaded: Loaded, place: str) -> Iterator[Resolved]:
    """Give a plan its estate: a lab in a process of its own for ``estate.lab``, otherwise what the plan says."""
    if loaded.plan.estate.lab is None:
        yield Resolved(loaded.plan, loaded.directory)
        return
    from orchestrator.lab.embedded import EmbeddedLab
    from orchestrator.lab.estate.spec import load_spec
    from orchestrator.lab.jea import Registered

    file = loaded.directory / loaded.plan.estate.lab
    state = Path(f"{beside_journal(place).resolve()}.lab")
    with EmbeddedLab(file, state) as lab:
        spec = load_spec((lab.state / "estate.yaml").read_text(encoding="utf-8"))
        restricted = Registered.of(spec, file)
        controller = spec.first_controller.name
        estate = Estate(
            lab=loaded.plan.estate.lab,
            domain=spec.domain.dns,
            directory=Directory(endpoint=controller, server=controller),
            addresses=lab.addresses,
            sites=loaded.plan.estate.sites,
            connections=tuple(
                Connection(
                    match=match,
                    auth="basic",
                    username=lab.username,
                    password=f"${{file:{lab.state / 'password'}}}",
                    tls=Tls(ca=str(lab.ca)),
                    configuration=restricted.configuration_of(match) or PLAIN_CONFIGURATION,
                )
                for match in (*restricted.machines, "*")
            ),
        )
        yield Resolved(loaded.plan.model_copy(update={"estate": estate}), loaded.directory)


def traffic_for(plan: Plan, manners: Manners, *, lists_hosts: bool = True) -> Traffic:
    """Return the places and log-ons of this process.

    Where the plan lists all hosts, every other machine is one of the directory, whichever domain controllers it has;
    where it does not, the directory is what the plan calls so.
    """
    directory = plan.estate.directory
    ours = (directory.endpoint, *(directory.converge_on or ())) if directory else ()
    named = {name.lower() for name in ours}
    hosts = {host.name.lower() for migration in plan.migrations() for host in migration.hosts} - named

    def is_directory(endpoint: str) -> bool:
        return endpoint.lower() not in hosts if lists_hosts else endpoint.lower() in named

    return Traffic(manners, is_directory)


def transport_for(plan: Plan, connections: Connections, traffic: Traffic | None = None) -> Transport:
    """Return what carries calls: remoting, and LDAP beside it where the plan names a second witness."""
    traffic = traffic or traffic_for(plan, Manners())
    hosts = PsrpTransport(connections.settings, clock=lasting, traffic=traffic)
    directory = plan.estate.directory
    if directory is None or directory.witness == "none":
        return hosts
    return Routes(hosts, LdapTransport(connections.settings, traffic.log_on))


def clock_for(
    plan: Plan,
    transport: Transport,
    announce: Callable[[Ticket], None] = lambda _ticket: None,
    ticket_for: Callable[[str], Ticket | None] | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> EstateClock:
    """Return the clock of the pinned domain controller; *announce* hears under which ids it is about to be read.

    *ticket_for* gives the tickets, if not the transport's own way of doing so; *pause* is how it waits, for so many
    seconds at most.

    Reading it also settles whether an estate that the plan calls simulated says so itself.
    """
    directory = plan.estate.directory
    if directory is None:
        raise InputInvalid("the plan names no estate.directory")
    properties = ("currentTime", "dmsaLab") if plan.estate.simulated else ("currentTime",)
    call = Read(directory.endpoint, (cmdlet("Get-ADRootDSE", Properties=properties, Server=directory.server),))

    def asked() -> Reply | None:
        ticket = (ticket_for or transport.ticket)(directory.endpoint)
        if ticket is None:
            return None
        announce(ticket)
        return transport.run(call, ticket)

    def read() -> datetime:
        reply = asked()
        if reply is not None and reply.again:
            reply = asked()
        if reply is None:
            raise Unreadable(f"every session of {directory.endpoint} is in use")
        roots = list(reply.of("ADRootDSE"))
        if roots and plan.estate.simulated and roots[0].get("dmsaLab") is not True:
            raise PersonNeeded(
                f"the plan says `estate.simulated: true`, but {directory.server} does not say that it is a lab. "
                "Nothing was done. Take `simulated` out of the plan if this estate is real."
            )
        time = roots[0].get("currentTime") if roots else None
        if not isinstance(time, datetime):
            refused = reply.fault is not None and reply.fault.code in REFUSED_LOGONS
            said = complaint(reply) if reply.fault else f"{directory.endpoint}: {complaint(reply)}"
            raise LogOnRefused(said) if refused else Unreadable(said)
        return time

    return EstateClock(read, is_lab=plan.is_lab, pause=pause, here=None if plan.is_lab else lambda: datetime.now(UTC))


def outbox_for(loaded: Loaded, place: str, mirror: Path | None = None) -> Outbox:
    """Return what posts notices to the receivers of a plan; nothing is looked up before a notice is sent."""
    typed = as_typed(loaded.path, place, mirror)
    forms = {receiver_of(one.webhook): one.format for one in reversed(loaded.plan.notify)}

    def writes(webhook: Webhook, notice: Notice, missed: int, url: str) -> dict[str, Any]:
        return body_of(notice, loaded.plan, typed, forms[webhook.name] or form_for(url), missed)

    return Outbox([Webhook(one.webhook, loaded.directory) for one in loaded.plan.notify], writes)


@contextlib.contextmanager
def conducting(
    loaded: Loaded,
    place: str,
    chosen: tuple[str, ...],
    notice: Callable[[Event, datetime | None], None],
    until: Phase | None = None,
    *,
    watch: bool = False,
    mirror: Path | None = None,
    terms: Callable[[Plan], Plan] = lambda plan: plan,
    manners: Manners | None = None,
    notifying: bool = True,
    attending: Attending | None = None,
    lease_for: float = DEFAULT_LEASE,
    taking: Callable[[Callable[[], Lease]], Lease] = lambda acquire: acquire(),
    broker: str | None = None,
) -> Iterator[Conductor]:
    """Take the journal's lease and put a conductor together; give everything back afterwards.

    *terms* says by which rules, or on which estate, it goes instead of those of the plan, whose identity stays;
    *manners* how much is done at once; *notifying* whether the receivers that the plan names are told what happens.
    With *watch* it waits for whatever is due; one that is *attending* stays until everything is at its end.
    *lease_for* is the lease's time in seconds, where it has one; *taking* is how it is taken, if not at the first try.
    *broker* rings the runners of other sites, who then carry the calls to their hosts.

    Raises:
        JournalHeld: another runner drives.
        MirrorUnusable: the mirror cannot be written, or is not this journal's.
        InputInvalid: the journal's run began with another plan.
    """
    journal = open_journal(place, create=True, mirror=mirror, lease=lease_for)
    with contextlib.closing(journal):
        by = who()
        lease = taking(lambda: journal.acquire(this_runner()))
        try:
            state, _ = replay(journal, loaded.plan.name)
            refuse_other_plan(state, loaded)
            with estate_of(replace(loaded, plan=terms(loaded.plan)), place) as resolved:
                connections = Connections(resolved.plan.estate, resolved.base)
                traffic = traffic_for(resolved.plan, manners or Manners())
                spare = transport_for(resolved.plan, connections, traffic)
                transport = WithSpare(transport_for(resolved.plan, connections, traffic), spare)
                with (
                    contextlib.closing(transport),
                    carrying(resolved.plan, place, broker, lease, transport, traffic.manners) as carries,
                ):
                    assignment = Assignment(
                        plan=resolved.plan,
                        digest=loaded.digest,
                        canonical=canonical(loaded.plan),
                        by=by,
                        chosen=chosen,
                        until=until,
                        patience=None if watch or resolved.plan.is_lab else PATIENCE,
                        stays=attending is not None,
                    )

                    def announce(ticket: Ticket) -> None:
                        conductor.announce(ticket)

                    clock = clock_for(resolved.plan, transport, announce, transport.urgent, journal.wait)
                    outbox = outbox_for(loaded, place, mirror) if notifying else None
                    conductor = Conductor(
                        assignment,
                        journal,
                        lease,
                        carries.transport,
                        clock,
                        notice,
                        carries.pool,
                        outbox=outbox,
                        attending=attending,
                    )
                    yield conductor
        finally:
            with contextlib.suppress(JournalUnusable):
                journal.release(lease)
