"""The estate as it is, looked at from behind, and what a way back may leave of it: said anew, from the runbook alone.

Nothing here asks the product, nor shares its comparison: every attribute of every object on every domain controller,
every switch, and whatever runs. What a way back may leave is what runbooks/rollback.md lists ("What is left behind"),
and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestrator.lab.estate.descriptor import CHILD_PROTECTION, PROTECTION, Ace, Descriptor
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.machine import Machine, folded_account

SPNS = "serviceprincipalname"
_LINK, _STATE = "msds-managedaccountprecededbylink", "msds-delegatedmsastate"
_IDENTITY = frozenset({"rdn", "parent", "objectclass", "objectsid", "samaccountname", _LINK, _STATE})
"""What a dMSA that was there before must be like again; its principals and the copies on it may stay."""


@dataclass(frozen=True)
class Witnessed:
    """Everything at one moment: attributes by domain controller and object, and what each machine is like."""

    directory: Mapping[str, Mapping[UUID, Mapping[str, Any]]]
    machines: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, estate: Estate) -> Witnessed:
        """Look at all of it."""
        directory = {
            dc: {
                guid: {name: _plain(cell.value) for name, cell in entry.cells.items() if _plain(cell.value) is not None}
                for guid, entry in replica.entries.items()
            }
            for dc, replica in estate.directory.replicas.items()
        }
        return cls(directory, {name: _machine(machine) for name, machine in estate.machines.items()})

    def account(self, dc: str, name: str) -> UUID | None:
        """Return the object of this account name on one domain controller."""
        found = (guid for guid, entry in self.directory[dc].items() if entry.get("samaccountname") == name)
        return next(found, None)


@dataclass(frozen=True)
class About:
    """Which pairs went back, and which switches somebody still needs.

    ``pairs``: account name and dMSA name (without its ``$``). ``excused``: machines and account names that others
    touched meanwhile.
    """

    pairs: Collection[tuple[str, str]]
    needed: Collection[str] = ()
    onward: Collection[tuple[str, str]] = ()
    """Pairs that did not go back: what is theirs is not looked at."""
    excused: Collection[str] = ()
    aside: Collection[str] = ()
    """Accounts whose workloads are not looked at: their names begin with the account's."""
    contain: Collection[str] = ()
    """Names (``OU=...``) of other containers that an account lay in meanwhile."""


def unequal(before: Witnessed, after: Witnessed, about: About, copies: Collection[str] | None = None) -> list[str]:
    """Return a sentence for everything that is not as it was and is not on the list; *copies* are of what DCs."""
    looked_at = before.directory if copies is None else copies
    found = [line for dc in looked_at for line in _copy(dc, before, after, about)]
    for name, machine in before.machines.items():
        if name not in about.excused:
            both = (_looked_at(facts, about) for facts in (machine, after.machines[name]))
            found += _host(name, *both, name in about.needed)
    return found


def _looked_at(machine: Mapping[str, Any], about: About) -> dict[str, Any]:
    """Return what is known of a machine but for the workloads of some accounts, and as whom others go onward."""
    theirs = tuple(f"{kind} {start}" for name in about.aside for kind, start in _named(name))
    onward = frozenset(account for account, _ in about.onward)
    return {fact: _as_one(value, onward) for fact, value in machine.items() if not fact.startswith(theirs)}


def _as_one(fact: Any, onward: Collection[str]) -> Any:
    """Return a workload of an account that goes onward as if it had not: it may be the dMSA's by now."""
    if isinstance(fact, tuple) and folded_account(fact[0].log_on) in onward:
        return (*fact[:2], False)
    return fact


def _named(account: str) -> tuple[tuple[str, str], ...]:
    return ("service", f"{account}-"), ("application pool", f"{account}-"), ("task", f"\\{account}\\")


def _copy(dc: str, before: Witnessed, after: Witnessed, about: About) -> Iterator[str]:
    was, now = before.directory[dc], after.directory[dc]
    accounts = {before.account(dc, account): f"account {account}" for account, _ in about.pairs}
    dmsas = {after.account(dc, f"{dmsa}$"): dmsa for _, dmsa in about.pairs}
    others = {after.account(dc, name) for account, dmsa in about.onward for name in (account, f"{dmsa}$")}
    others |= {after.account(dc, name) for name in about.excused}
    protected = {was[guid]["parent"] for guid in accounts if guid is not None}
    protected |= {was[guid]["parent"] for guid in others if guid is not None and guid in was}
    for guid in was.keys() | now.keys():
        if guid in others:
            continue
        one, other = was.get(guid, {}), now.get(guid, {})
        if guid in dmsas:
            yield from _dmsa(f"{dc}: dMSA {dmsas[guid]}", one, other)
        elif guid in accounts:
            yield from _object(f"{dc}: {accounts[guid]}", one, other, PROTECTION)
        else:
            name = str(one.get("rdn", other.get("rdn")))
            yield from _object(f"{dc}: {name}", one, other, *_put(guid in protected or name in about.contain))
    for account, dmsa in about.pairs:
        guid, new = before.account(dc, account), after.account(dc, f"{dmsa}$")
        both = set(now.get(guid, {}).get(SPNS, ())) & set(now.get(new, {}).get(SPNS, ())) if guid and new else set()
        if both:
            yield f"{dc}: {sorted(both)} stand on {account} and on {dmsa}"


def _put(contains_account: bool) -> tuple[Ace, ...]:
    return (CHILD_PROTECTION,) if contains_account else ()


def _dmsa(where: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """It may be there now, unlinked; whether it was or not, nothing links it."""
    if now.get(_STATE) or now.get(_LINK):
        yield f"{where}: state {now.get(_STATE)}, linked to {now.get(_LINK)}"
    for name in sorted(_IDENTITY) if was else ():
        if was.get(name) != now.get(name):
            yield f"{where}: {name} was {was.get(name)!r}, is {now.get(name)!r}"


def _object(where: str, was: Mapping[str, Any], now: Mapping[str, Any], *may_be_added: Ace) -> Iterator[str]:
    for name in sorted(was.keys() | now.keys()):
        one, other = was.get(name), now.get(name)
        if isinstance(one, Descriptor) and isinstance(other, Descriptor):
            new = set(other.aces) - set(one.aces)
            same = one.owner == other.owner and set(one.aces) <= set(other.aces)
            if not same or not new <= set(may_be_added):
                yield f"{where}: {name} was {one.sddl}, is {other.sddl}"
        elif one != other:
            yield f"{where}: {name} was {one!r}, is {other!r}"


def _host(name: str, was: Mapping[str, Any], now: Mapping[str, Any], needed: bool) -> Iterator[str]:
    for fact in sorted((was.keys() | now.keys()) - {"boot"}):
        one, other = was.get(fact), now.get(fact)
        if fact.startswith("service ") and one != other and was["boot"] < now["boot"] and _starts_with_host(one, other):
            continue
        if fact == "switch":
            wanted = {1} if needed else {one} if one != "no-key" else {"no-key", "absent"}
            if other not in wanted:
                yield f"{name}: the switch was {one!r}, is {other!r}{', and another needs it' if needed else ''}"
        elif one != other:
            yield f"{name}: {fact} was {one!r}, is {other!r}"


def _starts_with_host(was: Any, now: Any) -> bool:
    """Whether a service was down, and is of those that a boot starts."""
    spec, ran, _ = was
    return bool(not ran and spec.start_mode == "Auto" and now == (spec, True, False))


def _machine(machine: Machine) -> dict[str, Any]:
    """What must be as it was; when something started, and what was written to a log, is not of it."""
    return {
        "switch": machine.kerberos,
        "boot": machine.boot,
        "event log": machine.event_log,
        **{f"service {name}": (one.spec, one.running, one.as_dmsa) for name, one in machine.services.items()},
        **{f"application pool {name}": (one.spec, one.started, one.as_dmsa) for name, one in machine.pools.items()},
        **{f"task {name}": one.spec for name, one in machine.tasks.items()},
    }


def _plain(value: object) -> object:
    """Return a value with its items in one order; unset, empty, false and 0 are the same in a directory's copy."""
    if isinstance(value, tuple):
        return tuple(sorted(value, key=str)) or None
    return value if value not in (0, "", False) else None
