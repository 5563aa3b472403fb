"""Everything that snapshots hold and nothing here touches: whatever is not as it was, others have changed.

A value that the journal has seen since counts as known: right before Complete, or at the end of a way back, it was
written down whose doing it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.model.before import Difference, HostBefore, SnapshotRepeated, SnapshotTaken
from orchestrator.model.case import Case, Seen
from orchestrator.model.descriptor import Descriptor, protects
from orchestrator.model.directory import (
    ACCOUNT_BACK_LINK,
    ACCOUNT_DISABLED,
    ACCOUNT_LINK,
    ACCOUNT_STATE,
    Account,
    PairSeen,
)
from orchestrator.model.facts import DESCRIPTOR, OF_DMSA, Facts
from orchestrator.model.host import HostSeen
from orchestrator.model.lifecycle import Pair, Phase
from orchestrator.steps import by_hand, snapshot
from orchestrator.steps.by_hand import Target
from orchestrator.steps.comparison import COMPLETES_BITS, COPIED, booted_since, compared, facts_of
from orchestrator.steps.snapshot import Content
from orchestrator.verification.finding import Finding

_JUDGED_ELSEWHERE = frozenset(
    {
        *(ACCOUNT_STATE, ACCOUNT_LINK, ACCOUNT_BACK_LINK),
        *("dn", "servicePrincipalName", "ProtectedFromAccidentalDeletion"),
    }
)
_OF_DMSA = ("dn", *OF_DMSA)
_SHOWN = 160


def of_directory(case: Case, seen: Seen, pair: PairSeen, *, as_wanted: bool) -> Iterator[Finding]:
    """Compare both objects and their containers with what is known of them.

    Args:
        case: the migration; it has a snapshot.
        seen: what was read, the descriptors among it.
        pair: the pair as the pinned domain controller shows it, with the account.
        as_wanted: whether the pair is as it should be; if not, what Complete touches says nothing of its own.

    Raises:
        Unreadable: a descriptor did not come back.
    """
    taken, account = case.state.snapshot, pair.account
    assert taken is not None
    assert account is not None
    now = _spelled_as(taken, snapshot.content(case, seen, pair, {}))
    about = compared(case, replace(Content.of(taken), hosts={}), now)
    known = _known_since(case)
    moved = any(one.object == "account" and one.name == "dn" for one in about.differences)
    for one in about.differences:
        if one.verdict == "declared" or _is_known(one, known):
            continue
        if one.object == "account" and not _explained(case, pair, one, as_wanted=as_wanted):
            yield _changed(case, account, account.dn, one)
        elif one.object.startswith("container ") and not (
            (moved and None in {one.before, one.now}) or _more_protected(one)
        ):
            yield _changed(case, account, one.object.partition(" ")[2], one)
    yield from _of_dmsa(case, account, now)


def _spelled_as(taken: SnapshotTaken, now: Content) -> Content:
    """Return a content with the containers' names as the snapshot spells them."""
    spelled = {name.lower(): name for name in taken.containers}
    return replace(now, containers={spelled.get(name.lower(), name): sddl for name, sddl in now.containers.items()})


def _known_since(case: Case) -> list[Facts]:
    """Return what the journal has seen since the snapshot was taken, the latest last."""
    state = case.state
    known = [facts_of(Content.of(state.repeated))] if state.repeated else []
    if state.compared:
        known.append({(one.object, one.name): one.now for one in state.compared.differences})
    return known


def _is_known(one: Difference, known: list[Facts]) -> bool:
    key = (one.object, one.name)
    for facts in known:
        value = facts.get(key)
        if value == one.now or (one.name == DESCRIPTOR and value and one.now and _same(value, one.now)):
            return key in facts or one.now is None
    return False


def _same(one: str, other: str) -> bool:
    return Descriptor.of(one) == Descriptor.of(other)


def _explained(case: Case, pair: PairSeen, one: Difference, *, as_wanted: bool) -> bool:
    """Whether a difference on the account is judged elsewhere, or is what Complete does."""
    if one.name in _JUDGED_ELSEWHERE:
        return True
    if one.name == DESCRIPTOR:
        return _only_protection(one)
    ends = case.state.phase is Phase.ROLLED_BACK
    completes = pair.pair is Pair.COMPLETED or not as_wanted or (one.verdict == "failed" and not ends)
    if one.name == "userAccountControl":
        bits = int(one.before or 0) ^ int(one.now or 0)
        return not bits & ~(COMPLETES_BITS if completes else ACCOUNT_DISABLED)
    return completes and one.name in COPIED


def _only_protection(one: Difference) -> bool:
    """Whether two descriptors differ by protection alone, which is judged by its flag."""
    was, now = Descriptor.of(one.before or ""), Descriptor.of(one.now or "")
    return was.head == now.head and all(map(protects, (*was.lacks(now), *now.lacks(was))))


def _more_protected(one: Difference) -> bool:
    """Whether only protection was added: whoever protects an object marks what contains it."""
    was, now = Descriptor.of(one.before or ""), Descriptor.of(one.now or "")
    return was.head == now.head and not now.lacks(was) and all(map(protects, was.lacks(now)))


def _changed(case: Case, account: Account, subject: str, one: Difference) -> Finding:
    target = Target(str(account.guid), account.dn, case.server)
    by_command = one.object == "account" and one.name != DESCRIPTOR
    command = f", or set it back: `{by_hand.account(target, one.name, one.before, one.now)}`" if by_command else ""
    return _drift(subject, one.name, one.before, one.now, command)


def _drift(subject: str, name: str, was: Any, now: Any, command: str = "") -> Finding:
    if name == DESCRIPTOR and was and now:
        return _descriptor_drift(subject, str(was), str(now))
    to_do = f"find out who changed it and whether it is meant; then leave it{command}"
    return Finding("drift", subject, f"{name} is {_short(now)}", f"{_short(was)}, as in the snapshot", to_do)


def _descriptor_drift(subject: str, was: str, now: str) -> Finding:
    before, after = Descriptor.of(was), Descriptor.of(now)
    came, went = before.lacks(after), after.lacks(before)
    said = [f"its security descriptor has {_short(' '.join(came))} besides"] if came else []
    said += [f"{'it' if came else 'its security descriptor'} lacks {_short(' '.join(went))}"] if went else []
    said += [f"owner and group are {_short(after.head)}"] if before.head != after.head else []
    to_do = "find out who changed its rights, and for whom; set them back in Active Directory Users and Computers"
    return Finding("drift", subject, "; ".join(said), "the descriptor of the snapshot", to_do)


def _short(value: Any) -> str:
    if value in (None, "", []):
        return "not set"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _of_dmsa(case: Case, account: Account, now: Content) -> Iterator[Finding]:
    baselines = [one.dmsa for one in (case.state.snapshot, case.state.repeated) if one and one.dmsa]
    if now.dmsa is None or case.state.phase is Phase.PLANNED:
        return
    if not baselines:
        mark = f"dmsa run {case.plan.name}"
        if now.dmsa.get("Description") != mark:
            yield _drift(str(now.dmsa["dn"]), "Description", mark, now.dmsa.get("Description"))
        return
    subject = str(baselines[-1]["dn"])
    for name in _OF_DMSA:
        if all(one.get(name) != now.dmsa.get(name) for one in baselines):
            yield _drift(subject, name, baselines[-1].get(name), now.dmsa.get(name))
    rights = [str(one[DESCRIPTOR]) for one in baselines if one.get(DESCRIPTOR)]
    there = str(now.dmsa.get(DESCRIPTOR) or "")
    if rights and there and all(_foreign_rights(one, there, account.sid) for one in rights):
        yield _descriptor_drift(subject, rights[-1], there)


def _foreign_rights(was: str, now: str, sid: str) -> bool:
    """Whether descriptors of the dMSA differ in more than what names the account: Start and Complete write that."""
    before, after = Descriptor.of(was), Descriptor.of(now)
    changed = (*before.lacks(after), *after.lacks(before))
    return before.head != after.head or any(not entry.endswith(f";{sid})") for entry in changed)


def of_host(case: Case, found: HostSeen, before: HostBefore, now: HostBefore) -> Iterator[Difference]:
    """Compare what is known of one host with what is there; a value that was seen right before Complete is known."""
    taken, repeated, name = case.state.snapshot, case.state.repeated, found.name
    assert taken is not None
    empty = Content(taken.account, taken.dmsa, {}, {}, taken.unasked)
    was, is_ = (replace(empty, hosts={name: one}) for one in (before, now))
    about = compared(case, was, is_, booted_since(case, [found]))
    known = _repeated_host(repeated, name)
    for one in about.differences:
        if (one.object, one.name) not in known or known[one.object, one.name] != one.now:
            yield one


def _repeated_host(repeated: SnapshotRepeated | None, name: str) -> Mapping[tuple[str, str], Any]:
    if repeated is None or name not in repeated.hosts:
        return {}
    return facts_of(Content({}, None, {}, {name: repeated.hosts[name]}))


def of_both(case: Case, name: str, before: HostBefore, now: HostBefore) -> tuple[HostBefore, HostBefore]:
    """Return two readings of a host, with those workloads that both the journal and the plan name.

    An amendment may have taken some out of the plan, and others have not been written down yet.
    """
    host = case.host(name)
    named = {
        "services": {one.lower() for one in host.services},
        "tasks": {one.path.lower() for one in host.tasks},
        "app_pools": {one.lower() for one in host.app_pools},
    }
    parts: list[dict[str, Any]] = [{}, {}]
    for kind, meant in named.items():
        was, is_ = getattr(before, kind), getattr(now, kind)
        written = {key.lower(): key for key in was}
        parts[0][kind] = {key: value for key, value in was.items() if key.lower() in meant}
        parts[1][kind] = {
            written[key.lower()]: value for key, value in is_.items() if key.lower() in meant & written.keys()
        }
    return before.model_copy(update=parts[0]), now.model_copy(update=parts[1])
