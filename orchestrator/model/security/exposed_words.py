"""What is said of those who are let in: who, what they may, and what a person does about it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model.security.access import Grant
from orchestrator.model.security.exposure import Exposed, named
from orchestrator.model.security.principals import ANYBODY, Principals
from orchestrator.model.security.sddl import write_entry
from orchestrator.model.security.words import FULL, Right

_MOST = 8
"""So many are named; a descriptor can list thousands."""
_BROADLY = {Right.CC: "create any child", Right.WP: "write every attribute"}


def said(found: Sequence[Exposed], known: Principals, domain: str, entries_of: str = "") -> str:
    """Name each trustee once for every entry that lets it in, with what that entry allows.

    Args:
        found: who is let in, and how.
        known: how they are called.
        domain: its DNS name.
        entries_of: the domain's SID, to show each entry as well.
    """
    lines: dict[tuple[str, object], tuple[Exposed, dict[str, None]]] = {}
    for one in found:
        key = (one.grant.trustee, one.grant.entry)
        lines.setdefault(key, (one, {}))[1][_does(one.grant)] = None
    shown = []
    for one, does in lines.values():
        by = f" by {_written([one], entries_of)}" if entries_of else ""
        shown.append(_line(one, f"{' and '.join(does)}{by}", known, domain))
    more = [f"and {len(shown) - _MOST} more"] if len(shown) > _MOST else []
    return "; ".join((*shown[:_MOST], *more))


def _line(one: Exposed, does: str, known: Principals, domain: str) -> str:
    grant = one.grant
    tail = " (inherited)" if grant.entry is not None and grant.entry.inherited else ""
    tail += "" if grant.sure else " on a condition that cannot be weighed from here"
    people = [_who(sid, known, domain) for sid in one.people[:2]]
    if people and grant.trustee not in ANYBODY:
        others = len(one.people) - len(people)
        tail += f", among them {' and '.join(people)}" + (f" and {others} more" if others else "")
    return f"{_who(grant.trustee, known, domain)} may {does}{tail}"


def _does(grant: Grant) -> str:
    entry, wish = grant.entry, grant.wish
    if entry is None:
        no_list = "do everything, for no list of entries controls it"
        return no_list if grant.trustee == "S-1-1-0" else f"{wish.does}, for it is the owner"
    if entry.about is None and entry.mask & FULL == FULL:
        return "do everything (full control)"
    return _BROADLY.get(wish.right, wish.does) if entry.about is None else wish.does


def _who(sid: str, known: Principals, domain: str) -> str:
    name = ANYBODY.get(sid) or named(sid, known, domain)
    return f"{name} ({sid})" if name else f"{sid} (nobody whom {domain} knows)"


def _written(found: Sequence[Exposed], domain_sid: str) -> str:
    texts = dict.fromkeys(write_entry(one.grant.entry, domain_sid) for one in found if one.grant.entry is not None)
    more = [f"{len(texts) - _MOST} more"] if len(texts) > _MOST else []
    return ", ".join([*list(texts)[:_MOST], *more])


def remedy(found: Sequence[Exposed], subject: str, below: Sequence[Exposed] = (), domain_sid: str = "") -> str:
    """Say what a person does: which entry to remove where, whom to make owner, or whom to trust.

    Args:
        found: who is let in at the object itself.
        subject: its DN.
        below: who is let in at what is created in it, by which of its entries.
        domain_sid: for the words in those entries.
    """
    return (
        f"as a person, on {subject}: {'; '.join((*_steps(found), *_steps_below(below, domain_sid)))}; or name in "
        "`estate.directory.tier0` who is trusted as Domain Admins are"
    )


def _steps_below(below: Sequence[Exposed], domain_sid: str) -> list[str]:
    stands = [one for one in below if one.grant.entry is not None and not one.grant.entry.inherited]
    came = [one for one in below if one.grant.entry is not None and one.grant.entry.inherited]
    narrowed = "let it apply to descendant objects of the class alone for which it is meant"
    steps = []
    if stands:
        steps.append(f"remove {_written(stands, domain_sid)}, or {narrowed} (Security, Advanced, Applies to)")
    if came:
        above = "on the container that the tab Advanced names as its origin"
        steps.append(f"remove {_written(came, domain_sid)} {above}, or {narrowed}")
    return steps


def _steps(found: Sequence[Exposed]) -> list[str]:
    grants = [one.grant for one in found]
    steps = []
    if any(grant.entry is None and grant.trustee != "S-1-1-0" for grant in grants):
        steps.append("make Domain Admins its owner (Security, Advanced, Owner: Change)")
    if any(grant.entry is not None and not grant.entry.inherited for grant in grants):
        steps.append("remove these entries (Security, Advanced, or `dsacls` with /R and the trustee)")
    if any(grant.entry is not None and grant.entry.inherited for grant in grants):
        steps.append("remove the inherited ones from the container that the tab Advanced names as their origin")
    if any(grant.entry is None and grant.trustee == "S-1-1-0" for grant in grants):
        steps.append("give it a list of entries again (`dsacls` with /S restores the default of its class)")
    return steps
