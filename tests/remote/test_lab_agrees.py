"""The catalogue and the lab's own table, written apart from each other, say the same about every cmdlet."""

from __future__ import annotations

import pytest

from orchestrator.lab.estate.cmdlets import TABLE
from orchestrator.model.call import Cmdlet
from orchestrator.remote.catalogue import CATALOGUE, COMMON, Effect
from orchestrator.remote.searches import SEARCHES
from orchestrator.remote.wording import PLAIN_CONFIGURATION, worded

ONLY_ON_A_PLAIN_ENDPOINT = {"select-object"}
PROGRAM = "wevtutil"
LAB_IS_STRICTER = {"Export-ScheduledTask"}
"""Without a name it exports every task (Microsoft Learn); the lab wants one."""


def test_the_lab_has_no_other_cmdlets():
    named = {row.cmdlet.lower() for row in CATALOGUE.values()}
    named |= {row.role_function.lower() for row in CATALOGUE.values() if row.role_function}
    named |= SEARCHES.keys()
    assert set(TABLE) - ONLY_ON_A_PLAIN_ENDPOINT == named


@pytest.mark.parametrize(
    "row",
    [row for row in (*CATALOGUE.values(), *SEARCHES.values()) if row.cmdlet != PROGRAM],
    ids=lambda row: row.cmdlet,
)
def test_the_lab_knows_the_row(row):
    far = TABLE[row.cmdlet.lower()]
    assert far.name == row.cmdlet
    assert far.writes == (row.effect is Effect.WRITES)
    names = {name for name, _ in far.parameters.values()}
    assert row.parameters | COMMON.keys() <= names
    assert (far.where == "ldap") == (row.cmdlet in SEARCHES)
    if row.cmdlet not in LAB_IS_STRICTER:
        assert all(far.mandatory <= form.required.keys() for form in row.forms)


def test_what_is_worded_differently_is_known_too():
    asked = {"Identity": "CN=a,DC=b", "Attribute": "nTSecurityDescriptor", "Server": "dc01"}
    for statement in (
        Cmdlet("Get-DmsaDescriptor", asked),
        Cmdlet(PROGRAM, {"arguments": ("sl", "Microsoft-Windows-Security-Kerberos/Operational", "/e:true")}),
    ):
        for configuration in (PLAIN_CONFIGURATION, "DmsaMigration"):
            for command in worded(statement, configuration):
                far = TABLE[command.name.lower()]
                assert far.restricted_only == (configuration != PLAIN_CONFIGURATION)
                assert {name.lower() for name in command.parameters} <= far.parameters.keys()
