"""In which order accounts move: the smallest and least shared first, those that share hosts together.

Accounts that run on one host share its registry value and its reboots, so they stand in one wave, and whoever plans the
wave's window has the whole host in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.discovery.found import AccountFound, Discovered, counted

FEW = 5
"""So many hosts are few."""
FULL = 20
"""A wave of more migrations is cut in two, between accounts that share no host."""


@dataclass(frozen=True)
class WaveDrafted:
    """A wave: its name, why these are together, how many at once, and the accounts, smallest first."""

    name: str
    why: str
    at_once: int
    accounts: tuple[AccountFound, ...]


def waves(found: Discovered) -> tuple[WaveDrafted, ...]:
    """Return the waves of everything that can move, every account once; empty if nothing can."""
    reach = _Reach(found)
    accounts = sorted(found.movable, key=reach.weight)
    if not accounts:
        return ()
    pilot, rest = accounts[0], accounts[1:]
    drafted = [WaveDrafted("pilot", reach.why_pilot(pilot), 1, (pilot,))]
    groups = sorted(reach.groups(rest), key=lambda group: (reach.hosts_of(group), reach.weight(group[0])))
    for name, why, at_once, low, high in _CLASSES:
        members = [group for group in groups if low <= reach.hosts_of(group) <= high]
        parts = list(_cut(members))
        for number, part in enumerate(parts, 1):
            title = name if len(parts) == 1 else f"{name}-{number}"
            drafted.append(WaveDrafted(title, why, at_once, tuple(one for group in part for one in group)))
    return tuple(drafted)


_MANY = 10**9
_CLASSES = (
    ("one-host", "accounts whose reach is one host", 4, 1, 1),
    ("few-hosts", f"accounts that reach, with those that share hosts with them, 2 to {FEW} hosts", 2, 2, FEW),
    (
        "many-hosts",
        f"accounts that reach, with those that share hosts with them, more than {FEW} hosts",
        1,
        FEW + 1,
        _MANY,
    ),
)


def _cut(groups: Iterable[Sequence[AccountFound]]) -> Iterator[list[Sequence[AccountFound]]]:
    part: list[Sequence[AccountFound]] = []
    for group in groups:
        if part and sum(map(len, part)) + len(group) > FULL:
            yield part
            part = []
        part.append(group)
    if part:
        yield part


class _Reach:
    """Which hosts each account reaches, and with whom it shares them."""

    def __init__(self, found: Discovered) -> None:
        self._names = {one.asked: one.sam for one in found.movable}
        self._hosts = {
            one.asked: frozenset(host.name.lower() for host in found.users_of(one.asked)) for one in found.movable
        }
        self._count = {one.asked: len(found.uses(one.asked)) for one in found.movable}
        self._doubts = {one.asked: len(one.privileged) + one.unconstrained + (not one.enabled) for one in found.movable}
        self._odd = {
            one.asked: sum(work.kind != "service" for _, work in found.uses(one.asked)) for one in found.movable
        }

    def sharers(self, account: AccountFound) -> list[str]:
        """Return the names of the accounts that run on one of its hosts too."""
        own = self._hosts[account.asked]
        return sorted(self._names[key] for key, hosts in self._hosts.items() if key != account.asked and own & hosts)

    def weight(self, account: AccountFound) -> tuple[object, ...]:
        """How much may go wrong with it: what sorts first is tried first."""
        key = account.asked
        return (
            self._doubts[key] > 0,
            len(self._hosts[key]),
            len(self.sharers(account)),
            self._odd[key],
            self._count[key],
            len(account.spns) + len(account.delegates_to) + len(account.delegated_by),
            account.sam.lower(),
            key,
        )

    def why_pilot(self, account: AccountFound) -> str:
        """Say why it goes first."""
        shared = self.sharers(account)
        alone = (
            f"which {', '.join(shared[:3])} share{'s' if len(shared) == 1 else ''}" if shared else "shared with none"
        )
        hosts, count = len(self._hosts[account.asked]), self._count[account.asked]
        return f"the smallest reach: {counted(count, 'workload')} on {counted(hosts, 'host')}, {alone}"

    def hosts_of(self, group: Sequence[AccountFound]) -> int:
        """Return how many hosts a group reaches."""
        return len(frozenset().union(*(self._hosts[one.asked] for one in group)))

    def groups(self, accounts: Sequence[AccountFound]) -> list[tuple[AccountFound, ...]]:
        """Return the accounts in groups, so that no two groups share a host; each group in the given order."""
        leader: dict[str, str] = {}  # host -> the host that stands for its group

        def root(host: str) -> str:
            while leader.setdefault(host, host) != host:
                leader[host] = leader[leader[host]]
                host = leader[host]
            return host

        for one in accounts:
            first, *others = sorted(self._hosts[one.asked])
            for other in others:
                leader[root(other)] = root(first)
        found: dict[str, list[AccountFound]] = {}
        for one in accounts:
            found.setdefault(root(min(self._hosts[one.asked])), []).append(one)
        return [tuple(group) for group in found.values()]
