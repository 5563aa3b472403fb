"""Which workloads of a host run under an account: how a host is asked, and what an answer says.

Everything is asked in the host's own round trip, before anything is known of the account: every service but those of
the three built-in accounts, and every task's text. Application pools are asked for only where a host can have some.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Seen
from orchestrator.model.directory import PRINCIPAL_NAME, Account, complaint
from orchestrator.model.escape import wql
from orchestrator.model.host import SERVICE_PROPERTIES
from orchestrator.model.log_on import POOLS, exporting, path_in, pools_seen, principal_of, task_log_on
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable
from orchestrator.model.plan import Task
from orchestrator.model.spelling import qualified

POOL_SERVICE = "WAS"
"""Windows Process Activation Service: without it there are no application pools (Microsoft Learn, IIS, WAS)."""
_BUILT_IN = ("LocalSystem", r"NT AUTHORITY\LocalService", r"NT AUTHORITY\NetworkService")
_OTHER_ACCOUNTS = " AND ".join(f"StartName<>'{wql(name)}'" for name in _BUILT_IN)
SERVICES = cmdlet(
    "Get-CimInstance",
    ClassName="Win32_Service",
    Filter=f"({_OTHER_ACCOUNTS}) OR Name='{POOL_SERVICE}'",
    Property=SERVICE_PROPERTIES,
)
"""Every service that logs on as anybody else, and the one that says whether there can be application pools."""
TASKS = cmdlet("Export-ScheduledTask")
"""The text of every task. A text names its task, so unlike that of a single one it may travel with others.

Whether tasks of all folders come, nobody promises (Microsoft Learn, Export-ScheduledTask: without a path the root
folder). Who must not miss one asks for :data:`CENSUS` as well, and for each text that is missing by its task's path.
"""
CENSUS = cmdlet("Get-ScheduledTask")
"""Every task's path."""

_TASK = re.compile(r"(?:<!--\s*(?P<comment>\\[^>]*?)\s*-->\s*)?<Task[\s>].*?</Task>", re.DOTALL)


@dataclass(frozen=True)
class Used:
    """What of a host runs under an account. ``disabled`` are services that nothing starts.

    ``bare``: what runs under its name without a domain, which may be an account of the machine's own (the same order
    of kinds, in words).
    """

    services: tuple[str, ...]
    disabled: tuple[str, ...]
    tasks: tuple[str, ...]
    app_pools: tuple[str, ...]
    looked_at: int
    """How many tasks were looked at: that there are no others the host alone can say."""
    bare: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that is not disabled, each with its kind."""
        return (
            *(f"service {name}" for name in self.services),
            *(f"task {path}" for path in self.tasks),
            *(f"application pool {name}" for name in self.app_pools),
        )


def users_reads(host: str, seen: Seen, *, names_pools: bool = False, each: bool = False) -> tuple[Read, ...]:
    """Ask a host about everybody's services and tasks, and about application pools if it may have some.

    Args:
        host: the host.
        seen: what was read so far; each answer may ask for more.
        names_pools: whether the plan names application pools there.
        each: whether every task must be asked whom it runs as, one by one where they do not say it together.

    Raises:
        Unreadable: an answer that more depends on did not come.
    """
    pools = names_pools or (seen.reply_to(SERVICES, host) is not None and has_pools(host, seen))
    asked = each and seen.reply_to(CENSUS, host) is not None and seen.reply_to(TASKS, host) is not None
    return (
        Read(host, (SERVICES, TASKS, *([CENSUS] if each else []))),
        *([Read(host, (POOLS,))] if pools else []),
        *(Read(host, (exporting(path),)) for path in (_untold(host, seen) if asked else ())),
    )


def has_pools(host: str, seen: Seen) -> bool:
    """Say whether a host can have application pools.

    Raises:
        Unreadable: it did not answer.
    """
    return any(record.text("Name").upper() == POOL_SERVICE for record in _services(host, seen))


def spellings(account: Account, domain: str) -> frozenset[str]:
    """Return every name by which a host may know an account, in small letters.

    ``CORP\\svc``, ``corp.example\\svc``, ``svc@corp.example``, ``svc@CORP``, its own UPN, its SID.

    Raises:
        Unreadable: the directory did not say its name with the domain's short name.
    """
    short = account.aside.get(PRINCIPAL_NAME)
    if not isinstance(short, str) or "\\" not in short:
        raise Unreadable(f"{PRINCIPAL_NAME} of {account.dn} did not come back")
    netbios = short.partition("\\")[0]
    names = [short, *qualified(domain, netbios, account.sam), account.sid]
    own = account.aside.get("userPrincipalName")
    return frozenset(name.lower() for name in (*names, *([str(own)] if own else [])))


def used_by(names: frozenset[str], host: str, seen: Seen, sam: str = "", *, each: bool = False) -> Used:
    """Return what of a host runs under any of these names.

    Args:
        names: the account's names, as :func:`spellings` has them.
        host: the host that was asked for :func:`users_reads`.
        seen: what was read.
        sam: the account's name without a domain; what runs under that is told apart.
        each: whether every task of the host must have said whom it runs as.

    Raises:
        Unreadable: the host did not answer, or not for each.
    """
    everybody = [(record, str(record.get("StartName") or "").lower()) for record in _services(host, seen)]
    services = [record for record, who in everybody if who in names]
    tasks = _each_task(host, seen) if each else list(_tasks(host, seen))
    pools = [(name, (who or "").lower()) for name, who in (pools_seen(seen, host) if has_pools(host, seen) else ())]
    alone = sam.lower() or None
    return Used(
        services=tuple(r.text("Name") for r in services if r.text("StartMode") != "Disabled"),
        disabled=tuple(r.text("Name") for r in services if r.text("StartMode") == "Disabled"),
        tasks=tuple(path for path, who in tasks if who in names),
        app_pools=tuple(name for name, who in pools if who in names),
        looked_at=len(tasks),
        bare=(
            *(f"service {record.text('Name')}" for record, who in everybody if who == alone),
            *(f"task {path}" for path, who in tasks if who == alone),
            *(f"application pool {name}" for name, who in pools if who == alone),
        ),
    )


def _services(host: str, seen: Seen) -> list[Record]:
    """Return each service once: one that was asked for by its name in the same round trip comes twice."""
    found = _answer(seen, host, SERVICES, "the accounts of its services").of("Win32_Service")
    return list({record.text("Name").lower(): record for record in found}.values())


def _tasks(host: str, seen: Seen, *but: str) -> Iterator[tuple[str, str]]:
    """Yield each task's path (or that its text has none) and in small letters whom it runs as.

    The texts come one by one, or all in one that names each task in a comment, as ``schtasks /query /xml`` does.
    """
    for record in _answer(seen, host, TASKS, "its tasks", *but).records:
        text = record.properties.get("")
        for one in _TASK.finditer(text) if isinstance(text, str) else ():
            path = path_in(one[0]) or one["comment"] or "a task whose text does not name it"
            yield path, (principal_of(one[0]) or "").lower()


def _each_task(host: str, seen: Seen) -> list[tuple[str, str]]:
    """Return the path of every task of a host, and in small letters whom it runs as.

    Of those that were asked together a text that names none of them, or one that another text names too, says nothing.

    Raises:
        Unreadable: a task did not say.
    """
    told = {path.lower(): who for path, who in _tasks(host, seen, NO_TASK)}
    alone = set(_untold(host, seen))
    return [
        (path, (task_log_on(seen, host, path) or "").lower() if path in alone else told[path.lower()])
        for path in _census(host, seen)
    ]


def _census(host: str, seen: Seen) -> list[str]:
    found = _answer(seen, host, CENSUS, "which tasks it has", NO_TASK).of("MSFT_ScheduledTask")
    return list(dict.fromkeys(record.text("TaskPath") + record.text("TaskName") for record in found))


def _untold(host: str, seen: Seen) -> list[str]:
    """Return the tasks that did not say together with the others whom they run as.

    Raises:
        Unreadable: one of them has a name that no cmdlet takes for itself, or the host did not say what tasks it has.
    """
    told = Counter(path.lower() for path, _ in _tasks(host, seen, NO_TASK))
    left = [path for path in _census(host, seen) if told[path.lower()] != 1]
    odd = [path for path in left if not _can_be_named(path)]
    if odd:
        raise Unreadable(f"{host} did not say whom {', '.join(odd)} runs as, and no cmdlet takes that name for itself")
    return left


def _can_be_named(path: str) -> bool:
    try:
        Task(path=path)
    except ValidationError:
        return False
    return True


def _answer(seen: Seen, host: str, asked: Cmdlet, about: str, *but: str) -> Reply:
    reply = seen.reply_to(asked, host)
    wrong = [] if reply is None else [error for error in reply.errors if error.cmdlet in {"", asked.name}]
    if (
        reply is None
        or reply.outcome is not Outcome.SUCCEEDED
        or any(_matters(one, (NO_NAMESPACE, *but)) for one in wrong)
    ):
        why = complaint(reply) if reply else "it was not asked"
        raise Unreadable(f"{host} did not say {about}: {why}")
    return reply


def _matters(error: object, but: tuple[str, ...]) -> bool:
    """Whether an error is about what was asked here: that there is no cluster is said in the same round trip."""
    return not str(getattr(error, "id", "")).lower().startswith(but)


NO_NAMESPACE = "hresult 0x8004100e"
"""How the id of the error begins that a WMI namespace which is not there answers with: WBEM_E_INVALID_NAMESPACE
(Microsoft Learn, WMI error constants; CimCmdlets puts the HRESULT first)."""
NO_TASK = "cmdletizationquery_notfound"
"""How the id of the error begins that there is no such task (PowerShell source, CimCmdlets,
CmdletizationQuery_NotFound): where every task is counted and asked, it says nothing of the others."""
