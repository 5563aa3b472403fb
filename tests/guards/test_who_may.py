"""Whom the guards name, the lab's own access check lets in, and nobody else: on random groups and descriptors.

The lab was written from the same documents and shares no line with the guards: it holds letters where they hold masks,
asks for each person where they begin with trustees, and walks its own objects where they ask by filter. What a new dMSA
inherits the lab does not say; it is told here, in letters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine.merge import merge
from orchestrator.guards import all_guards, ask
from orchestrator.lab.estate import EstateSpec, access
from orchestrator.lab.estate.descriptor import Descriptor
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.case import Case, Seen
from orchestrator.model.guard_ids import Stage
from orchestrator.remote.catalogue import CATALOGUE
from tests.cases import MIGRATION, situation

DC = "dc01.corp.example"
BASE = "DC=corp,DC=example"
OU, ABOVE = f"OU=Managed,{BASE}", f"OU=Service Accounts,{BASE}"
ACCOUNT = f"CN=svc-app,{ABOVE}"
DMSA_CLASS, USER_CLASS = "0feb936f-47b3-49f2-9386-1dedc2c23765", "bf967aba-0de6-11d0-a285-00aa003049e2"
LINK, STATE = "3752e002-43be-48c8-b3ca-2cb2fffbc8a1", "a4693096-a4c3-4ecd-b8cb-73cd6398b7a2"
DMSA_LINK, DMSA_STATE = "a0945b2b-57a2-43bd-b327-4d112a4e8bd1", "2f5c138a-bd38-4016-88b4-0ec87cbb4919"
MEMBERSHIP = "888eedd6-ce04-df40-b462-b8a50e41ba38"
OTHER = "bf967aa5-0de6-11d0-a285-00aa003049e2"
PEOPLE = tuple(f"CN=user{number},{ABOVE}" for number in range(3))
GROUPS = tuple(f"CN=group{number},{ABOVE}" for number in range(4))
ASKED = {
    "ou-not-open": [("CC", [DMSA_CLASS]), ("WD", []), ("WO", [])],
    "link-attributes-guarded": [("WP", [LINK, USER_CLASS]), ("WP", [STATE, USER_CLASS]), ("WD", []), ("WO", [])],
}
OF_A_NEW_DMSA = [
    *(("WP", [guid, DMSA_CLASS]) for guid in (DMSA_LINK, DMSA_STATE, MEMBERSHIP)),
    ("WD", []),
    ("WO", []),
]

somebody = st.sampled_from([*PEOPLE, *GROUPS, ACCOUNT, "RID:512", "RID:500", "S-1-5-32-548", "S-1-5-11", "S-1-1-0"])
special = st.sampled_from(["S-1-3-4", "S-1-5-10", "S-1-3-0"])
flags = st.sampled_from(["", "CI", "CIID", "CIIO", "CIIOID", "CINP", "OI", "OIIO"])
rights = st.lists(st.sampled_from(["CC", "WP", "WD", "WO", "GA", "GW", "GR", "RPLC"]), min_size=1, max_size=3).map(
    "".join
)


@st.composite
def aces(draw: Any) -> dict[str, str]:
    kind = draw(st.sampled_from(["A", "A", "D", "OA", "OD"]))
    abouts = [DMSA_CLASS, LINK, STATE, USER_CLASS, DMSA_LINK, DMSA_STATE, MEMBERSHIP, OTHER, ""]
    about = draw(st.sampled_from(abouts)) if kind in {"OA", "OD"} else ""
    below = draw(st.sampled_from(["", DMSA_CLASS, USER_CLASS])) if kind in {"OA", "OD"} else ""
    to = draw(st.one_of(somebody, somebody, special))
    return {"kind": kind, "flags": draw(flags), "rights": draw(rights), "about": about, "inherited_by": below, "to": to}


@st.composite
def estates(draw: Any, of: str) -> dict[str, Any]:
    groups = []
    for number, dn in enumerate(GROUPS):
        inside = draw(st.lists(st.sampled_from([*PEOPLE, ACCOUNT, *GROUPS[:number]]), unique=True, max_size=3))
        groups.append({"dn": dn, "rid": 2000 + number, "members": inside})
    entries = draw(st.lists(aces(), min_size=1, max_size=5))
    descriptor = {"of": of, "entries": entries} | draw(
        st.sampled_from([{}, {}, {"owner": PEOPLE[0]}, {"owner": GROUPS[3]}])
    )
    return {
        "domain": {"dns": "corp.example", "netbios": "CORP"},
        "dcs": [{"name": DC}],
        "ous": [OU, ABOVE],
        "users": [{"dn": dn} for dn in (*PEOPLE, ACCOUNT)],
        "groups": groups,
        "descriptors": [descriptor],
    }


def of_a_new_dmsa(container: Descriptor, owner: str) -> Descriptor:
    """Return what somebody's new dMSA has from where it lies."""
    goes_on = [ace for ace in container.aces if "CI" in ace.flags and ace.inherited_guid in {"", DMSA_CLASS}]
    return Descriptor(owner, tuple(replace(ace, flags="ID") for ace in goes_on if ace.sid != "S-1-3-0"))


def judged(guard: str, case: Case, estate: Estate) -> tuple[str, str]:
    """Let a guard ask the lab until it asks nothing new; return its verdict and evidence."""
    probe = next(one for one in all_guards() if one.id == guard)
    far, seen = MemoryTransport(estate, "CORP\\operator"), Seen(MIGRATION)
    for _ in range(8):
        new = merge(seen.unasked(probe.probe(case, Stage.PREFLIGHT, seen)))
        if not new:
            break
        for read in new:
            assert all(statement.name in CATALOGUE for statement in read.statements)
            ticket = far.ticket(read.endpoint)
            assert ticket is not None
            seen = seen.plus([(read, far.run(read, ticket))])
    verdict = next(one.verdict for one in ask(case, Stage.PREFLIGHT, seen) if one.guard == guard)
    return verdict.word, verdict.evidence


@pytest.mark.parametrize("guard", ASKED)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_labs_access_check_agrees(guard, data):
    of = OU if guard == "ou-not-open" else ACCOUNT
    tier0 = data.draw(st.sampled_from([None, None, ["Domain Admins", "SYSTEM", "group0"]]))
    directory = {"endpoint": DC, "server": DC, "converge_on": [DC], "tier0": tier0}
    case = situation({"state": {"snapshot": False}, "estate": {"directory": directory}}).case
    estate = Estate(EstateSpec.model_validate(data.draw(estates(of))))
    replica, domain = estate.directory.replicas[DC], estate.directory.sid
    lonely = replica.at_dn(PEOPLE[2])
    estate.directory.seed(lonely.guid, {"primaryGroupID": 2000 + data.draw(st.integers(0, 3))}, estate.now)
    trusted = {f"{domain}-512", "S-1-5-18", *([f"{domain}-2000"] if tier0 else ["S-1-5-32-544", f"{domain}-519"])}
    trusted |= set() if tier0 else {f"{domain}-516"}
    entry = replica.at_dn(of)
    let_in = set()
    for principal in [one for one in replica.entries.values() if "user" in one.classes]:
        token = access.token(replica, principal)
        descriptor = estate.directory.descriptor(entry)
        if trusted.isdisjoint(token):
            may = [access.allows(descriptor, token, right, names, entry.sid or "-") for right, names in ASKED[guard]]
            if of == OU:
                new = of_a_new_dmsa(descriptor, f"{domain}-512")
                may += [access.allows(new, token, right, names, "-") for right, names in OF_A_NEW_DMSA]
            let_in |= {principal.sid} if any(may) else set()
    word, evidence = judged(guard, case, estate)
    assert word == ("refuse" if let_in else "pass"), (evidence, let_in)
