"""Conversations held with an estate in this process; what arrived there is counted."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TypeVar

from orchestrator.discovery import (
    Discovered,
    HostFound,
    Identity,
    Spellings,
    account_course,
    domain_course,
    host_course,
    names_course,
)
from orchestrator.lab.estate import Estate, load_spec
from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Read
from orchestrator.model.dn import domain_dn
from orchestrator.model.observation import Reply
from orchestrator.model.plan import Directory
from orchestrator.remote.gate import check

T = TypeVar("T")
DC = "dc01.corp.example"
DIRECTORY = Directory(endpoint=DC, server=DC)
ESTATE = (Path(__file__).parent / "estate.yaml").read_text(encoding="utf-8")
HOSTS = tuple(f"{letter}.corp.example" for letter in "abcde")


def dn(name: str) -> str:
    return f"CN={name},OU=Svc,DC=corp,DC=example"


OBRIEN = r"CN=O'Brien\, app,OU=Svc,DC=corp,DC=example"


class Asked:
    """An estate that is asked; ``reads`` is all that it was asked. Every read passes the gate, as on the wire."""

    def __init__(self, estate: str | EstateSpec = ESTATE) -> None:
        self.estate = Estate(load_spec(estate) if isinstance(estate, str) else estate)
        self.transport = MemoryTransport(self.estate, "CORP\\operator")
        self.reads: list[Read] = []

    def hold(self, course: Generator[Read, Reply, T]) -> T:
        """Hold a conversation to its end."""
        try:
            read = next(course)
            while True:
                assert type(read) is Read
                check(read)
                self.reads.append(read)
                read = course.send(self.transport.run(read, self.transport.ticket(read.endpoint)))
        except StopIteration as ended:
            return ended.value

    def spellings(self, accounts: Sequence[str]) -> Spellings:
        found = [self.hold(account_course(DIRECTORY, one)) for one in accounts]
        domain = self.hold(domain_course(DIRECTORY))
        return Spellings(domain, [Identity(one.asked, one.sam, one.sid, one.upn) for one in found if one.is_user])

    def host(self, name: str, *accounts: str) -> HostFound:
        return self.hold(host_course(name, self.spellings(accounts)))

    def everything(self, accounts: Sequence[str], hosts: Sequence[str] = HOSTS) -> Discovered:
        found = tuple(self.hold(account_course(DIRECTORY, one)) for one in accounts)
        spellings = self.spellings(accounts)
        answers = tuple(self.hold(host_course(host, spellings)) for host in hosts)
        all_of = Discovered("corp.example", self.estate.now, found, answers, {})
        names = self.hold(names_course(DIRECTORY, domain_dn("corp.example"), all_of.movable))
        return Discovered("corp.example", self.estate.now, found, answers, names)
