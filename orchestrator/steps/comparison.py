"""Two snapshots held against each other, fact by fact, and whose each difference is.

``declared``: a way back may leave it (runbooks/rollback.md says which and why). ``failed``: something this migration
changed, or may have had changed, is not as it was; a person is given the command. ``foreign``: nobody here touches it,
so others changed it meanwhile, and it is theirs to say whether it is meant.

What the directory's own operations may change on an account is what Complete is documented to copy or to take
(Microsoft Learn, dMSA overview): SPNs, delegation, authentication policy and silos, and two bits of userAccountControl.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from orchestrator.model.before import Compared, Difference, HostBefore
from orchestrator.model.case import Case
from orchestrator.model.descriptor import Descriptor, protects
from orchestrator.model.directory import ACCOUNT_DISABLED, DELEGATED_BY, SILOS
from orchestrator.model.dn import parent_dn
from orchestrator.model.facts import BY_ITSELF, DESCRIPTOR, PAIRS_OWN, Facts, asked_then, kept, of_account
from orchestrator.model.host import ENABLED, STARTS_WITH_HOST, HostSeen
from orchestrator.steps import by_hand
from orchestrator.steps.by_hand import TRUSTED_TO_AUTHENTICATE, Target
from orchestrator.steps.snapshot import Content

COMPLETES_BITS = ACCOUNT_DISABLED | TRUSTED_TO_AUTHENTICATE
"""What Complete sets or copies of userAccountControl."""
COPIED = frozenset({"msDS-AllowedToDelegateTo", DELEGATED_BY, "msDS-AssignedAuthNPolicy", *SILOS})
"""What it copies besides, and the SPNs."""
STATE = "state of "
"""How the name of the fact begins that says whether a workload runs."""
_UP = frozenset({"Running", "Started"})
_TASK_IS_ON = frozenset({"Ready", "Running", "Queued"})


@dataclass(frozen=True)
class Circumstances:
    """What decides whose a difference is.

    ``completed``: Complete may have been sent. ``repeated``: the facts right before it.
    ``needed_by``: the other migrations that need a host's switch. ``target``: the account. ``booted``: the hosts that
    have booted since the snapshot was taken.
    """

    completed: bool
    repeated: Facts
    needed_by: Mapping[str, frozenset[str]]
    target: Target
    booted: Collection[str]


def booted_since(case: Case, found: Iterable[HostSeen]) -> frozenset[str]:
    """Return which of these hosts have booted since the migration's snapshot was taken."""
    taken = case.state.snapshot_at
    return frozenset(host.name for host in found if taken is not None and host.boot_time > taken)


def compared(case: Case, before: Content, now: Content, booted: Collection[str] = ()) -> Compared:
    """Hold what is read now against the snapshot.

    Args:
        case: the migration.
        before: what the snapshot holds.
        now: what was read now.
        booted: the hosts that have booted since it was taken.
    """
    facts, present = asked_then(facts_of(before), before.unasked), asked_then(facts_of(now), before.unasked)
    about = _circumstances(case, str(now.account["dn"]), booted)
    differences = tuple(_differences(facts, present, about))
    return Compared(
        migration=case.migration.id,
        snapshot=before.sha256,
        now=now.sha256,
        equal=len(facts.keys() | present.keys()) - len(differences),
        differences=differences,
    )


def facts_of(content: Content) -> Facts:
    """Take a snapshot apart into single facts; what is unset is not among them."""
    facts = of_account(content.account)
    facts |= {("dmsa", name): value for name, value in (content.dmsa or {}).items()}
    facts |= {(f"container {name}", DESCRIPTOR): sddl for name, sddl in content.containers.items()}
    for host, known in content.hosts.items():
        facts |= {(f"host {host}", name): value for name, value in _of_host(known)}
    return kept(facts)


def _of_host(host: HostBefore) -> Iterator[tuple[str, Any]]:
    yield from ((ENABLED, host.value), ("registry key", host.key_exists), ("computer name", host.computer_name))
    for name, service in host.services.items():
        yield from ((f"{STATE}service {name}", service.state), (f"start mode of service {name}", service.start_mode))
        yield f"log-on name of service {name}", service.start_name
    for path, task in host.tasks.items():
        yield from ((f"{STATE}task {path}", task.state), (f"log-on name of task {path}", task.log_on))
    for name, pool in host.app_pools.items():
        yield f"{STATE}application pool {name}", pool.state
        yield f"log-on name of application pool {name}", pool.log_on


def _circumstances(case: Case, dn: str, booted: Collection[str]) -> Circumstances:
    state = case.state
    repeated = state.repeated
    return Circumstances(
        completed=state.complete_sent,
        repeated=facts_of(Content.of(repeated)) if repeated else {},
        needed_by={host: case.needed_elsewhere(host) for host in case.hosts_back},
        target=Target(case.account, dn, case.server),
        booted=booted,
    )


def _differences(before: Facts, now: Facts, about: Circumstances) -> Iterator[Difference]:
    if (("dmsa", "dn") in before) != (("dmsa", "dn") in now):
        # It was created on the way, or is gone: that is one fact, and what it is like says nothing more.
        before, now = (_only_dn_of_dmsa(facts) for facts in (before, now))
    for key in sorted(before.keys() | now.keys()):
        was, is_ = before.get(key), now.get(key)
        if not _same(key, was, is_):
            yield _judged(key, was, is_, about, before)


def _only_dn_of_dmsa(facts: Facts) -> Facts:
    return {key: value for key, value in facts.items() if key[0] != "dmsa" or key[1] == "dn"}


def _same(key: tuple[str, str], was: Any, is_: Any) -> bool:
    if key in {("account", name) for name in PAIRS_OWN}:
        return not was and not is_  # an unset state is 0 (MS-ADA2 2.478)
    if key[1] == DESCRIPTOR and was and is_:
        return Descriptor.of(was) == Descriptor.of(is_)
    if key[1].startswith(f"{STATE}task ") and {was, is_} <= _TASK_IS_ON:
        return True
    return bool(was == is_)


def _judged(key: tuple[str, str], was: Any, is_: Any, about: Circumstances, before: Facts) -> Difference:
    what, name = key
    kind = what.partition(" ")[0]
    verdict, why, command = _JUDGES[kind](_Fact(what, name, was, is_, before), about)
    if verdict == "failed" and about.repeated and about.repeated.get(key) == is_:
        verdict, why, command = "foreign", "it had changed before Complete was sent", ""
    return Difference.model_validate(
        {"object": what, "name": name, "before": was, "now": is_, "verdict": verdict, "why": why, "by_hand": command}
    )


@dataclass(frozen=True)
class _Fact:
    what: str
    name: str
    was: Any
    now: Any
    all_before: Facts


Judgement: TypeAlias = tuple[str, str, str]
"""Verdict, why, and the command for a person."""
_OTHERS = "nothing that is done here touches it"


def _account(fact: _Fact, about: Circumstances) -> Judgement:
    if fact.name == "ProtectedFromAccidentalDeletion" and fact.now:
        return "declared", "the account stays protected from accidental deletion", ""
    if fact.name == DESCRIPTOR:
        return _descriptor(fact, "the account stays protected from accidental deletion")
    if fact.name in BY_ITSELF:
        return "declared", "it moves by itself", ""
    if fact.name in PAIRS_OWN or (about.completed and _may_be_completes(fact)):
        return (
            "failed",
            "the directory did not give it back",
            by_hand.account(about.target, fact.name, fact.was, fact.now),
        )
    return "foreign", _OTHERS, ""


def _may_be_completes(fact: _Fact) -> bool:
    if fact.name == "servicePrincipalName":
        return not set(fact.was or ()) <= set(fact.now or ())
    if fact.name == "userAccountControl":
        return bool((int(fact.was or 0) ^ int(fact.now or 0)) & COMPLETES_BITS)
    return fact.name in COPIED


def _dmsa(fact: _Fact, _about: Circumstances) -> Judgement:
    if fact.name in {"dn", "guid"} and fact.was is not None:
        return "foreign", "others moved, replaced or deleted it", ""
    created = fact.name == "dn"
    return "declared", "it was created, and is not ours to delete" if created else "the directory left it so", ""


def _container(fact: _Fact, _about: Circumstances) -> Judgement:
    holds_account = fact.what == f"container {parent_dn(str(fact.all_before['account', 'dn']))}"
    if fact.was is None or fact.now is None:
        return "foreign", "the objects lie elsewhere now", ""
    return (
        _descriptor(fact, "protecting the account marks what contains it")
        if holds_account
        else ("foreign", _OTHERS, "")
    )


def _descriptor(fact: _Fact, declared: str) -> Judgement:
    """Judge a descriptor: what protection put there is declared, whatever else changed is not ours."""
    was, now = Descriptor.of(fact.was or ""), Descriptor.of(fact.now or "")
    only_protected = was.head == now.head and not now.lacks(was) and all(map(protects, was.lacks(now)))
    return ("declared", declared, "") if fact.was and only_protected else ("foreign", _OTHERS, "")


def _host(fact: _Fact, about: Circumstances) -> Judgement:
    host = fact.what.partition(" ")[2]
    needed = about.needed_by.get(host)
    if fact.name == ENABLED:
        if needed:
            return "declared", f"{', '.join(sorted(needed))} still needs it there", ""
        return "foreign", "it was put back and read so; somebody, or a group policy, has changed it since", ""
    if fact.name == "registry key" and fact.now:
        return "declared", "it was made on the way to the value", ""
    if fact.was in _UP and fact.name.startswith((f"{STATE}service ", f"{STATE}application pool ")):
        return "failed", "it ran before and does not run", by_hand.workload(fact.name.removeprefix(STATE))
    if host in about.booted and _starts_with_host(fact):
        return "declared", "it starts with the host, which has booted since the snapshot was taken", ""
    return "foreign", _OTHERS, ""


def _starts_with_host(fact: _Fact) -> bool:
    service = fact.name.removeprefix(f"{STATE}service ")
    mode = fact.all_before.get((fact.what, f"start mode of service {service}"))
    return fact.now in _UP and fact.name != service and mode == STARTS_WITH_HOST


_JUDGES: Mapping[str, Callable[[_Fact, Circumstances], Judgement]] = {
    "account": _account,
    "dmsa": _dmsa,
    "container": _container,
    "host": _host,
}
