"""What a host reports as running under the account, where the plan says ``workloads: discover``.

A host that reports nothing, or something that no plan could name, is not guessed at: it says why. Whoever asks has the
account's own names from the directory, and the whole of the host's services, tasks and application pools.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from pydantic import ValidationError

from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import Account
from orchestrator.model.observation import Unreadable
from orchestrator.model.plan import Host, Task
from orchestrator.model.users_of import Used, spellings, used_by


class NotListed(Unreadable):
    """What runs at a host is known, and makes no list that a migration could go by. ``remedy`` says what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(why)


def with_found(case: Case, seen: Seen) -> Case:
    """Return the case with what each host reports in place of its ``workloads: discover``, as far as it was read.

    A host whose answer is missing, or makes no list, still says ``discover``.
    """
    if not any(host.discovers for host in case.migration.hosts):
        return case
    return _with(case, tuple(_or_as_it_is(case, host, seen) for host in case.migration.hosts))


def there(case: Case, name: str, seen: Seen) -> Host:
    """Return a host with what it reports as running under the account.

    Raises:
        Unreadable: it did not say, or the directory did not say how the account is spelled.
        NotListed: what it says makes no list.
    """
    return as_list(case, name, used(case, name, seen))


def used(case: Case, name: str, seen: Seen) -> Used:
    """Return what a host reports as running under the account.

    Raises:
        Unreadable: it did not say, or the directory did not say how the account is spelled.
    """
    return used_by(account_names(case, seen), name, seen, _account(case, seen).sam, each=case.discovers(name))


def account_names(case: Case, seen: Seen) -> frozenset[str]:
    """Return every name by which a host may know the account, in small letters.

    Raises:
        Unreadable: the directory did not say.
    """
    return spellings(_account(case, seen), case.plan.estate.domain or "")


def _account(case: Case, seen: Seen) -> Account:
    account = seen.pair(case.endpoint, case.server).account
    if account is None:
        raise Unreadable(f"{case.migration.account} is not on {case.server}")
    return account


def as_list(case: Case, name: str, what: Used) -> Host:
    """Return a host with what runs there under the account as its list, in the order in which a snapshot is written.

    Raises:
        NotListed: there is nothing, something whose name cannot be asked for, or something that may be another's.
    """
    if what.bare:
        raise NotListed(
            f"{', '.join(what.bare)} of {name} runs as a name without a domain, which may be the account's or that of "
            "an account of the machine's own",
            r"write the account there as DOMAIN\name; or, if it is another's, list what is meant in the plan",
        )
    if not what.words:
        idle = f", but for what is disabled: {', '.join(what.disabled)}" if what.disabled else ""
        raise NotListed(
            f"nothing on {name} runs under {case.migration.account}{idle} ({what.looked_at} tasks looked at)",
            "take the host out of the plan if nothing there uses the account; else find out whether it is spelled "
            "otherwise there (an account of the machine's own, another domain), or whether the runner may not see it "
            "(tasks show only to those who may read them)",
        )
    try:
        return Host(
            name=name,
            services=tuple(sorted(what.services)),
            tasks=tuple(Task(path=path) for path in sorted(what.tasks)),
            app_pools=tuple(sorted(what.app_pools)),
        )
    except ValidationError:
        raise NotListed(
            f"{', '.join(what.words)} of {name} runs under the account, and not all of it has a name that a plan can "
            "list and a cmdlet takes for itself",
            "give it another name (one without * ? [ ] `), or another account",
        ) from None


def _or_as_it_is(case: Case, host: Host, seen: Seen) -> Host:
    if host.discovers:
        with suppress(Unreadable):
            return there(case, host.name, seen)
    return host


def _with(case: Case, hosts: tuple[Host, ...]) -> Case:
    return replace(case, migration=case.migration.model_copy(update={"hosts": hosts}))
