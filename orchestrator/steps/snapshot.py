"""What a snapshot holds, how it is read, and its canonical form.

Both objects with every attribute that any step may touch, their security descriptors and those of their containers,
and every host with its switch and its workloads. Prepare takes it before the first write; it is read once more right
before Complete, and at the end of a way back, to be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.model.action import Observe
from orchestrator.model.before import HostBefore, SnapshotRepeated, SnapshotTaken
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.descriptor import descriptor_read, descriptor_seen, dmsa_container
from orchestrator.model.directory import Account, PairSeen
from orchestrator.model.dn import parent_dn
from orchestrator.model.facts import DESCRIPTOR, account_data, dmsa_data


@dataclass(frozen=True)
class Content:
    """Everything that a snapshot holds, as JSON data and hosts."""

    account: dict[str, Any]
    dmsa: dict[str, Any] | None
    containers: dict[str, str]
    hosts: dict[str, HostBefore]
    unasked: tuple[str, ...] = ()

    @classmethod
    def of(cls, taken: SnapshotTaken | SnapshotRepeated) -> Content:
        """Return what a snapshot in the journal holds."""
        return cls(taken.account, taken.dmsa, taken.containers, taken.hosts, taken.unasked)

    @property
    def canonical(self) -> dict[str, Any]:
        """The content as JSON data."""
        hosts = {name: before.model_dump(mode="json") for name, before in self.hosts.items()}
        return {"account": self.account, "dmsa": self.dmsa, "containers": self.containers, "hosts": hosts}

    @property
    def sha256(self) -> str:
        """The hash of the canonical form: JSON, keys sorted, without spaces."""
        text = json.dumps(self.canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def unread(case: Case, seen: Seen, pair: PairSeen) -> Observe | None:
    """Return what a snapshot of the pair still needs to be read; None if all of it was."""
    reads = seen.unasked(_descriptors(case, pair).values())
    return Observe(reads, more=True) if reads else None


def content(case: Case, seen: Seen, pair: PairSeen, hosts: Mapping[str, HostBefore]) -> Content:
    """Return what was read, as a snapshot holds it.

    Raises:
        Unreadable: a descriptor is not among what was read.
    """
    found = {}
    for what, read in _descriptors(case, pair).items():
        reply = seen.reply_to(read.statements[0], read.endpoint)
        assert reply is not None, "asked for by unread"
        found[what] = descriptor_seen(reply, what)
    account = pair.account
    assert account is not None, "a snapshot needs the account"
    return Content(
        account=account_data(account) | {DESCRIPTOR: found.pop("the account")},
        dmsa=dmsa_data(pair.dmsa) | {DESCRIPTOR: found.pop("the dMSA")} if pair.dmsa else None,
        containers=found,
        hosts=dict(hosts),
    )


def with_account(content: Content, account: Account) -> Content:
    """Return the same with the account as another domain controller shows it; its descriptor was read from one only."""
    return replace(content, account=account_data(account) | {DESCRIPTOR: content.account[DESCRIPTOR]})


def containers(case: Case, pair: PairSeen) -> Iterable[str]:
    """Return where the account lies and where the dMSA lies, or will be created."""
    names = [parent_dn(pair.account.dn)] if pair.account else []
    names.append(dmsa_container(pair, case.migration.dmsa.path, case.plan.estate.domain or ""))
    return dict.fromkeys(names)


def _descriptors(case: Case, pair: PairSeen) -> dict[str, Read]:
    """Return the reads of the descriptors, by whose they are."""
    objects = {"the account": pair.account, "the dMSA": pair.dmsa}
    of = {what: str(one.guid) for what, one in objects.items() if one is not None}
    of |= {name: name for name in containers(case, pair)}
    return {what: descriptor_read(case.endpoint, identity, case.server) for what, identity in of.items()}
