"""``dmsa discover`` and a run that asks a host itself find the same, on every host of any estate."""

from __future__ import annotations

from itertools import product

import pytest

from orchestrator.discovery import HostFound
from orchestrator.model.call import Read
from orchestrator.model.case import Seen
from orchestrator.model.directory import pair_reads
from orchestrator.model.users_of import Used, spellings, used_by, users_reads
from tests.discovery.asking import DC, HOSTS, Asked
from tests.wayback.plans import rehearsed

DMSA = "dmsa-x"


def by_a_run(asked: Asked, dn: str, host: str) -> Used:
    """Ask as a run does: the account, then everybody's workloads, then whose the application pools are."""
    seen = Seen(DMSA)
    for _ in range(3):
        reads = seen.unasked((Read(DC, pair_reads(DC, DMSA, dn)), *users_reads(host, seen, names_pools=False)))
        seen = seen.plus([(read, asked.transport.run(read, asked.transport.ticket(read.endpoint))) for read in reads])
    account = seen.pair(DC, DC).account
    assert account is not None
    return used_by(spellings(account, "corp.example"), host, seen, account.sam)


def words(found: HostFound, key: str, bare: bool) -> set[str]:
    """Return what is there, as a run names it; a run leaves disabled services alone."""
    kinds = {"service": "service", "task": "task", "app-pool": "application pool"}
    return {
        f"{kinds[one.kind]} {one.name}"
        for one in found.of(key)
        if one.bare is bare and (bare or one.start_mode != "Disabled")
    }


def same(asked: Asked, dns: list[str], hosts: list[str]) -> int:
    """Compare both, and return how much was found."""
    many = 0
    for dn, host in product(dns, hosts):
        used = by_a_run(asked, dn, host)
        found = asked.host(host, dn)
        assert {one for one in used.words if "[" not in one} == words(found, dn, bare=False), (dn, host)
        assert set(used.bare) == words(found, dn, bare=True), (dn, host)
        many += len(used.words)
    return many


@pytest.mark.parametrize("seed", range(1, 21))
def test_on_random_estates(seed):
    on = rehearsed(seed)
    asked = Asked(on.spec)
    assert same(asked, [one.account for one in on.plan.migrations()], [host.name for host in on.spec.hosts])


def test_on_an_estate_of_every_spelling():
    asked = Asked()
    assert same(asked, [user.dn for user in asked.estate.spec.users], [host for host in HOSTS if host[0] != "d"]) > 8
