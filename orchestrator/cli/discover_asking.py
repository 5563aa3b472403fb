"""Asking for everything that ``discover`` wants to know: the directory first, then the hosts, many at a time."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from orchestrator.cli.compose import clock_for, estate_of, traffic_for, transport_for
from orchestrator.cli.conversations import Conversations, Separately
from orchestrator.cli.signals import Signals
from orchestrator.discovery import (
    AccountFound,
    ComputerLeft,
    Discovered,
    Domain,
    HostFound,
    Identity,
    Named,
    Spellings,
    account_course,
    computers_course,
    domain_course,
    host_course,
    is_dn,
    named_course,
    names_course,
)
from orchestrator.errors import PersonNeeded
from orchestrator.model.call import Read
from orchestrator.model.dn import parse_dn
from orchestrator.model.observation import Reply, Unreadable
from orchestrator.model.plan import Directory
from orchestrator.planfile import Loaded
from orchestrator.remote.connection import Connections
from orchestrator.remote.traffic import Manners
from orchestrator.views.working import Work, on_terminal

T = TypeVar("T")
_STEPS = 10
"""How often progress is told on the way."""


class _Stopped(Exception):
    """A signal came before everything was read."""


def discovered(
    loaded: Loaded,
    accounts: tuple[str, ...],
    hosts: tuple[str, ...],
    units: tuple[str, ...],
    signals: Signals,
    manners: Manners,
    work: Work,
) -> Discovered | None:
    """Ask for everything; None where a signal came first. *work* is shown how far it is.

    Raises:
        PersonNeeded: the directory does not answer.
        Refused: a call was outside the catalogue; it was not sent.
    """
    stops: list[bool] = []
    with contextlib.ExitStack() as ending:
        place = ending.enter_context(tempfile.TemporaryDirectory())
        resolved = ending.enter_context(estate_of(loaded, str(Path(place) / "discover.db")))
        plan, connections = resolved.plan, Connections(resolved.plan.estate, resolved.base)
        traffic = traffic_for(plan, manners, lists_hosts=False)
        one_each = Separately(lambda: transport_for(plan, connections, traffic))
        transport = ending.enter_context(contextlib.closing(one_each))
        conversations = Conversations(transport, lambda: bool(stops), manners.hosts_at_once)
        talks = ending.enter_context(contextlib.closing(conversations))
        ending.enter_context(signals.stopping(lambda: stops.append(True)))
        at = clock_for(plan, transport).ask()
        directory = plan.estate.directory
        assert directory is not None, "the estate is resolved"
        try:
            return _everything(talks, directory, accounts, hosts, units, at, work)
        except _Stopped:
            return None
        except Unreadable as trouble:
            raise PersonNeeded(f"{trouble}. Nothing was changed, nothing was written.") from trouble
    return None


def _everything(
    talks: Conversations,
    directory: Directory,
    accounts: tuple[str, ...],
    listed: tuple[str, ...],
    units: tuple[str, ...],
    at: datetime | None,
    work: Work,
) -> Discovered:
    domain = _one(talks, domain_course(directory))
    hosts, left = _with_computers(talks, directory, listed, units)
    hosts = _one_name_each(hosts, domain.dns)
    seen = _accounts(talks, directory, domain, accounts, work)
    users = [one for one in seen if one.is_user]
    spellings = Spellings(domain, [Identity(one.asked, one.sam, one.sid, one.upn) for one in users])
    answers = _hosts(talks, hosts, spellings, work)
    found = Discovered(domain.dns.lower(), at, seen, answers, {}, left, domain.catalog)
    return replace(found, names=_one(talks, names_course(directory, domain, found.movable)))


def _one(talks: Conversations, course: Generator[Read, Reply, T]) -> T:
    for _, answer in talks.hold([("", course)]):
        return answer
    raise _Stopped


def _with_computers(
    talks: Conversations, directory: Directory, listed: tuple[str, ...], units: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[ComputerLeft, ...]]:
    """Return the hosts that were listed, and the computers below the units; each once."""
    hosts = {name.casefold(): name for name in listed}
    left: dict[str, ComputerLeft] = {}
    for unit in units:
        names, others = _one(talks, computers_course(directory, unit))
        for name in names:
            hosts.setdefault(name.casefold(), name)
        left |= {one.dn: one for one in others}
    return tuple(hosts.values()), tuple(left.values())


def _one_name_each(hosts: tuple[str, ...], domain: str) -> tuple[str, ...]:
    """Return the hosts without short names of those that stand there with the domain's name too."""
    names = {name.casefold() for name in hosts}
    short = [name for name in hosts if f"{name}.{domain}".casefold() in names]
    for name in short:
        sys.stderr.write(f"dmsa: {name} and {name}.{domain} are one host, which is asked once\n")
    return tuple(name for name in hosts if name not in short)


def _accounts(
    talks: Conversations, directory: Directory, domain: Domain, accounts: tuple[str, ...], work: Work
) -> tuple[AccountFound, ...]:
    seen: dict[str, AccountFound] = {}
    tell = _progress("account", len(accounts), work)
    means = _meant(talks, directory, domain, accounts)
    dns = {parse_dn(dn): dn for dn in reversed([one.dn for one in means.values() if one.dn])}
    for dn, account in talks.hold((dn, account_course(directory, dn)) for dn in dns.values()):
        seen[dn] = account
        tell(account.fault)
    if len(seen) < len(dns):
        raise _Stopped
    found: dict[str, AccountFound] = {}
    for text, one in means.items():
        if one.dn:
            found.setdefault(dns[parse_dn(one.dn)], seen[dns[parse_dn(one.dn)]])
        else:
            found[text] = AccountFound(text, fault=one.fault)
            tell(one.fault)
    return tuple(found.values())


def _meant(talks: Conversations, directory: Directory, domain: Domain, accounts: tuple[str, ...]) -> dict[str, Named]:
    """Return whom each name means; a DN means itself."""
    means = {text: Named(text) for text in accounts if is_dn(text)}
    others = [text for text in accounts if not is_dn(text)]
    means |= dict(talks.hold((text, named_course(directory, domain, text)) for text in others))
    if len(means) < len(accounts):
        raise _Stopped
    return {text: means[text] for text in accounts}


def _hosts(talks: Conversations, hosts: tuple[str, ...], spellings: Spellings, work: Work) -> tuple[HostFound, ...]:
    answers: dict[str, HostFound] = {}
    tell = _progress("host", len(hosts), work)
    for host, answer in talks.hold(((host, host_course(host, spellings)) for host in hosts), hang_up=True):
        answers[host] = answer
        tell(answer.fault)
    if len(answers) < len(hosts):
        raise _Stopped
    return tuple(answers[host] for host in hosts)


def _progress(thing: str, total: int, work: Work) -> Callable[[str | None], None]:
    """Return what is told of each that has answered: a bar or now and then a line on standard error, and each fault."""
    work.now(f"asking {thing}s")
    told = _counting(thing, total, work)
    next(told, None)

    def tell(fault: str | None) -> None:
        with contextlib.suppress(StopIteration):
            told.send(fault)

    return tell


def _counting(thing: str, total: int, work: Work) -> Generator[None, str | None, None]:
    for number in range(1, total + 1):
        fault = yield
        if fault:
            sys.stderr.write(f"dmsa: {fault}\n")
        work.at(number, total)
        if not on_terminal() and (number == total or number % max(1, total // _STEPS) == 0):
            sys.stderr.write(f"dmsa: {number} of {total} {thing}s asked\n")
