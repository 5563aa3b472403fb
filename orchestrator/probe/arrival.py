"""Before anything is written: which domain controller answers, and whether this is a pair to ask such questions of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import PersonNeeded
from orchestrator.model.call import Read, cmdlet
from orchestrator.model.directory import DMSA_CLASS, Account, PairSeen
from orchestrator.model.host import FIRST_BUILD
from orchestrator.model.observation import Unreadable
from orchestrator.probe.look import Asking, Subject

_VERSION = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_MARK = "dmsa run "


@dataclass(frozen=True)
class Controller:
    """The pinned domain controller: what the answers are true of. ``ubr`` is the update within the build."""

    name: str
    version: str
    build: int
    ubr: int | None


def controllers(subject: Subject) -> Asking[tuple[Controller, tuple[str, ...]]]:
    """Learn which domain controller answers, of which build, and the names of the other writable ones.

    Raises:
        PersonNeeded: the pinned one does not have the operation.
        Unreadable: it does not say which Windows it is.
    """
    asked = cmdlet("Get-ADDomainController", Filter="*", Server=subject.server)
    reply = yield Read(subject.endpoint, (asked,))
    known = {record.text("HostName").lower(): record for record in reply.of("ADDomainController")}
    pinned = known.pop(subject.server.lower(), None)
    if pinned is None:
        said = reply.fault.message if reply.fault else "it is not among the domain's controllers"
        raise Unreadable(f"{subject.server} does not say which Windows it is: {said}")
    version = pinned.text("OperatingSystemVersion")
    build = re.search(r"\((\d+)\)", version)
    if pinned.need("IsReadOnly") is not False or build is None or int(build[1]) < FIRST_BUILD:
        raise PersonNeeded(
            f"{subject.server} (version {version}) is no writable Windows Server 2025 domain controller. "
            "Nothing was done. Pin one that is (`estate.directory.server`)."
        )
    others = tuple(sorted(name for name, dc in known.items() if dc.need("IsReadOnly") is False))
    asked = cmdlet("Get-ItemProperty", LiteralPath=_VERSION, Name=("CurrentBuild", "UBR"))
    reply = yield Read(subject.endpoint, (asked,))
    ubr = next((record.number("UBR") for record in reply.records if record.get("UBR") is not None), None)
    return Controller(subject.server, version, int(build[1]), ubr), others


def askable(subject: Subject, seen: PairSeen) -> Account:
    """Return the account, if these two are objects to ask such questions of at all.

    Raises:
        PersonNeeded: they are not; nothing was changed.
    """
    account, dmsa = seen.account, seen.dmsa
    objections = (
        (account is None, f"{subject.account} is not on {seen.server}"),
        (account is not None and account.object_class != "user", f"{subject.account} is no user"),
        (account is not None and account.watched.get("adminCount") == 1, f"{subject.account} is privileged"),
        (dmsa is not None and dmsa.object_class != DMSA_CLASS, f"{subject.dmsa} is no delegated account"),
        (dmsa is not None and _foreign(subject, dmsa.description), f"{subject.dmsa} carries another run's mark"),
    )
    for holds, says in objections:
        if holds:
            raise PersonNeeded(f"{says}. Nothing was done. Give a disposable pair (`drill: true`) of ordinary objects.")
    assert account is not None
    return account


def _foreign(subject: Subject, description: str) -> bool:
    return description.startswith(_MARK) and description != f"{_MARK}{subject.plan}"
