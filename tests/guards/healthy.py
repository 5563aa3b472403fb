"""Healthy estates: whatever is on them besides the plan, no guard may refuse (``python -m tests.guards.healthy``).

The plans are those that are taken back at random (:mod:`tests.wayback.plans`), with the waivers that their workloads
need. Around them stands what a domain has besides: older and read-only domain controllers, groups, other accounts and
their services, somebody else's finished migration, delegations that concern nobody here.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import structlog

from orchestrator.lab.estate.descriptor_spec import AceSpec, DescriptorSpec
from orchestrator.lab.estate.spec import DcSpec, DmsaSpec, EstateSpec, GroupSpec, HostSpec, ServiceSpec, UserSpec
from orchestrator.model.event import GuardsAsked, Held
from orchestrator.model.lifecycle import Phase
from orchestrator.rehearsal.play import play
from orchestrator.rehearsal.rehearsed import Rehearsed
from tests.wayback.plans import rehearsed
from tests.wayback.shapes import MANAGED, ROOT

OTHERS = f"OU=Others,{ROOT}"
_TELEPHONE = "bf967a49-0de6-11d0-a285-00aa003049e2"
"""telephoneNumber's schemaIDGUID (MS-ADA3)."""
_USER = "bf967aba-0de6-11d0-a285-00aa003049e2"
"""user's schemaIDGUID (MS-ADSC)."""
_KEYS = "5b47d60f-6090-40b2-9f37-2a4de88f3063"
"""msDS-KeyCredentialLink's schemaIDGUID (MS-ADA2), which Key Admins may write on everything in a domain."""


def estate(seed: int) -> Rehearsed:
    """Return a plan on a healthy estate."""
    on, chance = rehearsed(seed), random.Random(f"healthy {seed}")
    spec = on.spec.model_copy(update=_around(on.spec, chance))
    return Rehearsed(on.plan, on.digest, on.canonical, EstateSpec.model_validate(spec.model_dump()))


def _around(spec: EstateSpec, chance: random.Random) -> dict[str, object]:
    """Return what stands around a plan, as changes of its estate."""
    everybody = [user.dn for user in spec.users]
    others = [UserSpec(dn=f"CN=other{n},{OTHERS}", spns=(f"HTTP/other{n}",)) for n in range(chance.randint(0, 3))]
    done = UserSpec(dn=f"CN=done,{OTHERS}", enabled=False)
    groups = [
        GroupSpec(dn=f"CN=readers{n},{OTHERS}", members=tuple(chance.sample(everybody, chance.randint(0, 1))))
        for n in range(chance.randint(0, 3))
    ]
    finished = [DmsaSpec(dn=f"CN=dmsa-done,{MANAGED}", state=2, supersedes=done.dn)] if chance.random() < 0.3 else []
    dcs = [DcSpec(name="old.corp.example", build=20348, ubr=1)] if chance.random() < 0.3 else []
    dcs += [DcSpec(name="branch.corp.example", writable=False)] if chance.random() < 0.3 else []
    hosts = [
        HostSpec(name="elsewhere.corp.example", services=tuple(_service(user) for user in others)),
        *(_busier(host, chance) for host in spec.hosts),
    ]
    helpdesk = GroupSpec(dn=f"CN=helpdesk,{OTHERS}", members=tuple(user.dn for user in others))
    delegated = [_harmless(of, helpdesk.dn, kind) for of, kind in chance.sample(_harmless_for(everybody), 2)]
    below = chance.sample(_INHERITABLE, chance.randint(0, len(_INHERITABLE)))
    delegated += [DescriptorSpec(of=MANAGED, entries=tuple(_inheritable(kind, helpdesk.dn) for kind in below))]
    return {
        "ous": (*spec.ous, OTHERS),
        "users": (*spec.users, *others, done),
        "groups": (*spec.groups, *groups, helpdesk),
        "dmsas": (*spec.dmsas, *finished),
        "dcs": (*spec.dcs, *dcs),
        "hosts": tuple(hosts),
        "descriptors": (*spec.descriptors, *delegated),
    }


def _harmless_for(accounts: list[str]) -> list[tuple[str, str]]:
    return [(OTHERS, "creates"), (MANAGED, "reads"), *((dn, "resets") for dn in accounts)]


def _harmless(of: str, to: str, kind: str) -> DescriptorSpec:
    """Delegate what concerns no dMSA: everything below another container, reading, or one attribute of an account."""
    match kind:
        case "creates":
            entry = AceSpec(flags="CI", rights="CCDC", to=to)
        case "reads":
            entry = AceSpec(rights="LCRP", to=to)
        case _:
            entry = AceSpec(kind="OA", rights="WP", about=_TELEPHONE, to=to)
    return DescriptorSpec(of=of, entries=(entry,))


_INHERITABLE = ("users", "reads", "keys")


def _inheritable(kind: str, to: str) -> AceSpec:
    """Delegate, where dMSAs will lie, what a new dMSA does not inherit, or what does no harm there."""
    match kind:
        case "users":
            return AceSpec(kind="OA", flags="CIIO", rights="GA", inherited_by=_USER, to=to)
        case "reads":
            return AceSpec(flags="CI", rights="GR", to=to)
        case _:
            return AceSpec(kind="OA", flags="CI", rights="RPWP", about=_KEYS, to="RID:526")


def _service(user: UserSpec) -> ServiceSpec:
    name = user.dn.partition(",")[0][3:]
    return ServiceSpec(name=f"{name}-api", log_on=f"CORP\\{name}")


def _busier(host: HostSpec, chance: random.Random) -> HostSpec:
    """Let services run there that are nobody's of the plan; a healthy host registers itself."""
    more = [ServiceSpec(name=f"local{n}") for n in range(chance.randint(0, 2))]
    return host.model_copy(update={"services": (*host.services, *more), "registers": True})


def refusals(seed: int) -> list[str]:
    """Return what guards had against a healthy estate, from the first question to the last, and what did not end."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    came = play(estate(seed), seed, (), attended=False)
    holds = [event for event in came.world.events() if isinstance(event, Held)]
    found = [f"{event.migration}: {event.reason}: {event.detail}" for event in holds]
    found += [
        f"{event.migration} before {event.step}: {one.guard} says {one.verdict}: {one.evidence}"
        for event in came.world.events()
        if isinstance(event, GuardsAsked)
        for one in event.answers
        if one.verdict != "pass" and not one.waived
    ]
    state = came.state
    found += [f"{id_} ended at {state[id_].phase}" for id_ in came.world.ids if state[id_].phase is not Phase.COMPLETED]
    return found


def main() -> int:
    """Draw estates, run their plans to the end, and print what guards had against them."""
    parser = argparse.ArgumentParser(description="Run plans on healthy estates; no guard may refuse.")
    parser.add_argument("--estates", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    began, wrong = time.monotonic(), Counter[str]()
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        numbers = range(given.first, given.first + given.estates)
        for seed, found in zip(numbers, pool.map(refusals, numbers, chunksize=10), strict=True):
            if found:
                wrong["estates"] += 1
                sys.stdout.write("\n".join((f"seed {seed}", *(f"  {line}" for line in found[:5]), "")))
    took = time.monotonic() - began
    sys.stdout.write(f"{given.estates:,} healthy estates in {took:,.0f} s, {wrong['estates']} with a refusal\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
