"""Cross-checks on accounts, dMSAs and hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from orchestrator.model.dn import Dn, domain_dn, parse_dn
from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.plan import Migration, Plan, Wave
from orchestrator.planfile.crosschecks.finding import Finding, migrations_of
from orchestrator.planfile.keys import nearest
from orchestrator.planfile.problem import Loc, path_of

_SAM_LONGEST = 15
# Microsoft Learn, "SAM-Account-Name attribute": none of these in a sAMAccountName.
_SAM_FORBIDDEN = set('"/\\[]:;|=,+*?<>@ $')
_SENT = re.compile(r"[A-Za-z0-9_.-]")
_FLOOR = timedelta(days=14)
_SETTLE = timedelta(seconds=60)
_NAMED = 3


def account_twice(plan: Plan) -> Iterator[Finding]:
    """Compare accounts as distinguished names, not as text."""
    seen: dict[Dn, Loc] = {}
    for loc, _, migration in migrations_of(plan):
        first = seen.setdefault(parse_dn(migration.account), loc)
        if first != loc:
            at = (*loc, "account")
            yield Finding(at, f"{migration.account} is already moved by {path_of(first)}", "an account moves once")


def dmsa_twice(plan: Plan) -> Iterator[Finding]:
    """A dMSA supersedes one account, and its name is its sAMAccountName in the whole forest."""
    seen: dict[str, tuple[Loc, Migration]] = {}
    for loc, _, migration in migrations_of(plan):
        first_loc, first = seen.setdefault(migration.dmsa.name.casefold(), (loc, migration))
        if first_loc != loc:
            same_account = parse_dn(first.account) == parse_dn(migration.account)
            said = "" if same_account else " for another account"
            message = f"the dMSA {migration.dmsa.name} is already used by {path_of(first_loc)}{said}"
            yield Finding((*loc, "dmsa", "name"), message, "one dMSA for one account, each name once")


def dmsa_name_length(plan: Plan) -> Iterator[Finding]:
    """Names over 15 characters do not fit a managed service account's sAMAccountName."""
    for loc, _, migration in migrations_of(plan):
        name = migration.dmsa.name
        if len(name) > _SAM_LONGEST:
            message = f"{name} has {len(name)} characters; a sAMAccountName of a dMSA has at most {_SAM_LONGEST}"
            yield Finding((*loc, "dmsa", "name"), message, f"such as {name[:_SAM_LONGEST].rstrip('-')}")


def dmsa_name_characters(plan: Plan) -> Iterator[Finding]:
    """Names must do as a sAMAccountName, and are of letters, digits, ``_ . -``; the $ is added by the directory."""
    for loc, _, migration in migrations_of(plan):
        name = migration.dmsa.name
        wrong = next((character for character in name if not _SENT.fullmatch(character)), None)
        if wrong is None and not name[0].isalnum():
            yield Finding((*loc, "dmsa", "name"), f"{name} does not begin with a letter or a digit", "")
        elif wrong is not None and wrong not in _SAM_FORBIDDEN:
            message = f"{name} holds {wrong}, which nothing here would send in the name of a dMSA"
            yield Finding((*loc, "dmsa", "name"), message, "letters a to z, digits, _ . and - are sent")
        elif wrong is not None:
            hint = "leave out the $; the directory adds it" if wrong == "$" else ""
            shown = "a space" if wrong == " " else wrong
            yield Finding((*loc, "dmsa", "name"), f"{name} holds {shown}, which no sAMAccountName may", hint)


def outside_domain(plan: Plan) -> Iterator[Finding]:
    """Both objects lie in the domain whose DC everything is pinned to."""
    domain = plan.estate.domain
    if domain is None:
        return
    root = domain_dn(domain)
    ending = parse_dn(root)
    for loc, _, migration in migrations_of(plan):
        names = ((("account",), migration.account), (("dmsa", "path"), migration.dmsa.path))
        for key, name in names:
            if name and parse_dn(name)[-len(ending) :] != ending:
                hint = f"a name in {domain} ends with {root}"
                yield Finding((*loc, *key), f"{name} lies outside of the domain {domain}", hint)


def host_twice(plan: Plan) -> Iterator[Finding]:
    """A host stands once in a migration, and each of its workloads once."""
    for loc, _, migration in migrations_of(plan):
        seen: set[str] = set()
        for index, host in enumerate(migration.hosts):
            at = (*loc, "hosts", index)
            if host.name.casefold() in seen:
                yield Finding((*at, "name"), f"{host.name} stands twice in this migration", "merge the entries")
            seen.add(host.name.casefold())
            tasks = tuple(task.path for task in host.tasks)
            for key, names in (("services", host.services), ("tasks", tasks), ("app_pools", host.app_pools)):
                yield from _twice((*at, key), names)


def _twice(loc: Loc, names: tuple[str, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name.casefold() in seen:
            yield Finding((*loc, index), f"{name} stands here twice", "once is enough")
        seen.add(name.casefold())


def host_workloads(plan: Plan) -> Iterator[Finding]:
    """A host says what runs on it, or that it shall be asked; not nothing, and not both."""
    for loc, _, migration in migrations_of(plan):
        for index, host in enumerate(migration.hosts):
            at = (*loc, "hosts", index)
            named = bool(host.services or host.tasks or host.app_pools)
            if not named and host.workloads is None:
                hint = "list services, tasks or app_pools; or write workloads: discover"
                yield Finding(at, f"nothing is said to run on {host.name} under the account", hint)
            if named and host.workloads is not None:
                hint = "discover takes whatever the host reports; leave out the list, or discover"
                yield Finding((*at, "workloads"), f"{host.name} has a list of workloads and discover", hint, at)


def host_reboot(plan: Plan) -> Iterator[Finding]:
    """Two migrations on one host cannot disagree about rebooting it."""
    seen: dict[str, tuple[Loc, str]] = {}
    for loc, _, migration in migrations_of(plan):
        reboot = plan.policy_of(migration.id).reboot
        for index, host in enumerate(migration.hosts):
            at = (*loc, "hosts", index, "name")
            first, wanted = seen.setdefault(host.name.casefold(), (loc, reboot))
            if wanted != reboot:
                message = f"reboot of {host.name} is {reboot} here and {wanted} in {path_of(first)}"
                yield Finding(at, message, "a host is rebooted for both or for none", loc)


def dwell_floor(plan: Plan) -> Iterator[Finding]:
    """Under 14 days (two ticket lifetimes; Microsoft Learn, dMSA overview) takes a waiver for each migration."""
    short: dict[Loc, list[str]] = {}
    for loc, wave, migration in migrations_of(plan):
        if plan.policy_of(migration.id).dwell < _FLOOR and migration.waiver("dwell-minimum") is None:
            short.setdefault(_set_by(loc, wave, migration, "dwell"), []).append(migration.id)
    for loc, names in short.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        message = f"less than 14d, and no waiver for dwell-minimum: {', '.join(names[:_NAMED])}{more}"
        yield Finding(loc, message, "write 14d or more, or add the waiver", loc[:-1])


def settle_floor(plan: Plan) -> Iterator[Finding]:
    """A lost call may still be running for a minute, except where nothing can be harmed."""
    if plan.is_lab:
        return
    said: set[Loc] = set()
    for loc, wave, migration in migrations_of(plan):
        if not migration.drill and plan.policy_of(migration.id).settle < _SETTLE:
            at = _set_by(loc, wave, migration, "settle")
            if at not in said:
                said.add(at)
                yield Finding(at, "less than 60s, on an estate that is no lab", "write 60s or more", at[:-1])


def _set_by(loc: Loc, wave: Wave, migration: Migration, key: str) -> Loc:
    """Return where a policy key that counts for a migration was written."""
    if key in migration.model_fields_set:
        return (*loc, key)
    return (*loc[:2], key) if key in wave.model_fields_set else ("policy", key)


def waivers(plan: Plan) -> Iterator[Finding]:
    """A waiver names a guard that can be waived, once, with as many people as it takes."""
    for loc, _, migration in migrations_of(plan):
        seen: set[str] = set()
        for index, waiver in enumerate(migration.waivers):
            at = (*loc, "waivers", index)
            rule = GUARDS.get(waiver.guard)
            people = {name.casefold() for name in waiver.approved_by}
            if rule is None:
                close = nearest(waiver.guard, tuple(GUARDS))
                hint = f"did you mean {close}?" if close else ""
                yield Finding((*at, "guard"), f"there is no guard {waiver.guard}", hint)
            elif not rule.waivable:
                yield Finding((*at, "guard"), f"the guard {rule.id} can never be waived", "mend what it refuses")
            elif len(people) < rule.approvers:
                message = f"waiving {rule.id} takes {rule.approvers} different people, here is {len(people)}"
                yield Finding((*at, "approved_by"), message)
            if waiver.guard in seen:
                yield Finding((*at, "guard"), f"{waiver.guard} is waived twice here", "keep one")
            seen.add(waiver.guard)
