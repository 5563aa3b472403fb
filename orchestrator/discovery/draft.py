"""What was found, as a plan: text that `check` accepts, with every decision as a comment at the place it is about.

A line that begins with ``# DECIDE`` needs a person. Waivers are drafted as comments, and without the names of those
who answer for them, so that nothing is waived by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.discovery.decisions import Decision, last_log_on, left_out, of_account, of_host, of_plan
from orchestrator.discovery.found import AccountFound, Discovered, HostFound, WorkloadFound, counted
from orchestrator.discovery.waves import WaveDrafted, waves
from orchestrator.discovery.yaml_text import block, comment, scalar, value
from orchestrator.model.guard_ids import GUARDS

_KEYS = ("services", "tasks", "app_pools")
_FACTS = 6


def draft(found: Discovered, estate: Mapping[str, Any], name: str, path: str | None = None) -> str:
    """Return the text of a plan for everything that can move; there must be something.

    Args:
        found: what was found.
        estate: the plan's estate, as plain data.
        name: the plan's name.
        path: where the dMSAs are created; None leaves it to the domain.
    """
    lines = [*_head(found, name), "", "estate:", *block(estate, 2), ""]
    lines += ["policy:", "  dwell: 14d   # two ticket lifetimes, Microsoft's advice; less needs a waiver", "", "waves:"]
    for place, wave in enumerate(waves(found)):
        lines += ([""] if place else []) + list(_wave(found, wave, path))
    lines += _unread(found)
    return "\n".join(lines) + "\n"


def _head(found: Discovered, name: str) -> Iterator[str]:
    asked = f"{counted(len(found.accounts), 'account')} and {counted(len(found.hosts), 'host')}"
    yield from comment(f"Drafted by `dmsa discover` at {_day(found.at)}, from {asked}.", 0)
    yield from comment(
        "Every line that begins with DECIDE needs a person. Then: dmsa check, dmsa rehearse, dmsa run.", 0
    )
    yield from comment(
        "What uses an account without running under it (a password in a file, a mapped drive, LDAP, old systems) was "
        "not looked for: nothing on a host says so.",
        0,
    )
    yield "version: 1"
    yield f"name: {scalar(name)}"
    yield "# DECIDE: the change ticket, and who answers for the run. change: …, owner: …"
    for one in of_plan(found):
        yield from comment(f"DECIDE: {_open(one.text)}.", 0)


def _wave(found: Discovered, wave: WaveDrafted, path: str | None) -> Iterator[str]:
    yield from comment(f"{wave.name}: {wave.why}.", 2)
    yield f"  - name: {scalar(wave.name)}"
    yield f"    at_once: {wave.at_once}"
    yield '    # DECIDE: when may work begin? window: {days: [sat], open: "22:00", close: "04:00", zone: Europe/Berlin}'
    yield "    migrations:"
    for place, account in enumerate(wave.accounts):
        if place:
            yield ""
        yield from _migration(found, account, path)


def _migration(found: Discovered, account: AccountFound, path: str | None) -> Iterator[str]:
    asks = tuple(of_account(found, account))
    for fact in _facts(found, account):
        yield from comment(fact, 6)
    for one in asks:
        if not one.waivable:
            yield from comment(f"DECIDE{_by(one)}: {_open(one.text)}.", 6)
    name = found.names[account.asked]
    yield f"      - account: {value(account.asked)}"
    yield "        dmsa:"
    yield f"          name: {scalar(name)}"
    yield f"          dns_host_name: {scalar(f'{name}.{found.domain}')}"
    yield f"          path: {value(path)}" if path else "          # path: …   # default: Managed Service Accounts"
    yield "        hosts:"
    of_hosts: list[Decision] = []
    for host in found.users_of(account.asked):
        yield from _host(host, account)
        of_hosts += [one for one in of_host(host) if one.waivable]
    yield from _waivers([*(one for one in asks if one.waivable), *of_hosts])


def _open(text: str) -> str:
    return text.removesuffix(".")


def _by(decision: Decision) -> str:
    return f" ({decision.guard})" if decision.guard else ""


def _facts(found: Discovered, account: AccountFound) -> Iterator[str]:
    set_at = account.password_set
    age = f", {(found.at - set_at).days} days before" if found.at and set_at else ""
    yield f"{account.sam}: password {f'set {set_at:%Y-%m-%d}{age}' if set_at else 'never set'}. {last_log_on(account)}"
    if account.spns:
        yield f"SPNs: {_some(account.spns)}"
    if account.delegates_to:
        how = "any protocol" if account.any_protocol else "Kerberos only"
        yield f"May delegate ({how}) to: {_some(account.delegates_to)}"
    if account.delegated_by:
        yield f"May be delegated to by (resource-based): {_some(account.delegated_by)}"


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _FACTS} more" if len(names) > _FACTS else ""
    return ", ".join(names[:_FACTS]) + more


def _host(host: HostFound, account: AccountFound) -> Iterator[str]:
    others = {one.account for one in host.workloads} - {account.asked}
    if others:
        yield from comment(
            f"{host.name} runs something under {counted(len(others), 'other account')} of these too.", 10
        )
    for one in of_host(host):
        if not one.waivable:
            yield from comment(f"DECIDE{_by(one)}: {_open(one.text)}.", 10)
    yield f"          - name: {scalar(host.name)}"
    named = [one for one in host.of(account.asked) if one.fits_a_plan]
    for work in named:
        if work.start_mode == "Disabled" or work.state in {"Stopped", "Disabled"}:
            yield from comment(f"the {work.kind} {work.name} is {_how(work)}, and stays so", 12)
    for key in _KEYS:
        names = [scalar(one.name) for one in named if one.key == key]
        if names:
            yield f"            {key}: [{', '.join(names)}]"


def _how(one: WorkloadFound) -> str:
    words = [word.lower() for word in (one.state, one.start_mode) if word in {"Stopped", "Disabled"}]
    return ", ".join(dict.fromkeys(words))


def _waivers(asks: Sequence[Decision]) -> Iterator[str]:
    """Yield the waivers that the plan will need, as comments."""
    by_guard: dict[str, list[str]] = {}
    for one in asks:
        if one.guard:
            by_guard.setdefault(one.guard, []).append(one.text)
    for guard, texts in by_guard.items():
        for text in texts:
            yield from comment(f"DECIDE ({guard}): {text}. Or let people answer for it by name:", 8)
    if by_guard:
        yield "        # waivers:"
    for guard in by_guard:
        people = GUARDS[guard].approvers
        yield f"        #   - guard: {guard}"
        yield "        #     reason: …"
        yield f"        #     approved_by: []   # {'two people' if people > 1 else 'one person'}"


def _unread(found: Discovered) -> Iterator[str]:
    """Yield what is in no migration: hosts that said nothing, accounts and computers that were left out."""
    using = {host.name for one in found.movable for host in found.users_of(one.asked)}
    hosts = [one for host in found.hosts if host.name not in using for one in of_host(host)]
    rest = [*hosts, *left_out(found)]
    if rest:
        yield ""
        yield from comment("Not in this plan:", 0)
    for one in rest:
        yield from comment(f"DECIDE: {one.text}", 0)


def _day(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
