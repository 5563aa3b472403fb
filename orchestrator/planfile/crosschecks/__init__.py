"""What no single value shows: contradictions, circles, duplicates, waivers that cannot count.

A check is a pure function from a plan to findings, with an id that tools and tests name. It may be given the
valid part of a broken plan (see :mod:`orchestrator.planfile.partial`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.model.plan import Plan
from orchestrator.planfile.crosschecks import approvals, estate, pairs, waves
from orchestrator.planfile.crosschecks.finding import Check, Finding

CHECKS: tuple[tuple[str, Check], ...] = (
    ("lab-alone", estate.lab_alone),
    ("estate-incomplete", estate.estate_incomplete),
    ("patterns", estate.patterns),
    ("second-hop", estate.second_hop),
    ("host-unreachable", estate.host_unreachable),
    ("witness", estate.witness),
    ("site-twice", estate.site_twice),
    ("credentials", estate.credentials),
    ("without-tls", estate.without_tls),
    ("wave-twice", waves.wave_twice),
    ("needs-unknown", waves.needs_unknown),
    ("needs-circular", waves.needs_circular),
    ("window-forms", waves.window_forms),
    ("zone-unknown", waves.zone_unknown),
    ("window-never-opens", waves.window_never_opens),
    ("blackout-backwards", waves.blackout_backwards),
    ("approvals-keys", approvals.approvals_keys),
    ("approvals-key-form", approvals.approvals_key_form),
    ("approvals-key-twice", approvals.approvals_key_twice),
    ("waiver-keys", approvals.waiver_keys),
    ("retry-waits", waves.retry_waits),
    ("account-twice", pairs.account_twice),
    ("dmsa-twice", pairs.dmsa_twice),
    ("dmsa-name-length", pairs.dmsa_name_length),
    ("dmsa-name-characters", pairs.dmsa_name_characters),
    ("outside-domain", pairs.outside_domain),
    ("host-twice", pairs.host_twice),
    ("host-workloads", pairs.host_workloads),
    ("host-reboot", pairs.host_reboot),
    ("dwell-minimum", pairs.dwell_floor),
    ("settle", pairs.settle_floor),
    ("waiver", pairs.waivers),
)
"""Id -> check, in the order of the plan."""


def run(plan: Plan) -> Iterator[Finding]:
    """Yield what every check finds, each finding with its check's id."""
    for id_, check in CHECKS:
        for finding in check(plan):
            yield replace(finding, id=id_)
