"""The deletion rule is a property of the catalogue, and a row that would break it is told why it may not be."""

from __future__ import annotations

import pytest

from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.host_cmdlets import PARAMETERS
from orchestrator.remote.kinds import DN, EXACT_NAME, HOST, SWITCH, TEXT, Kind, one_of
from orchestrator.remote.law import objections
from orchestrator.remote.rows import form, reads, writes

IDENTITY = {"Identity": DN, "Server": HOST}
ONE_VALUE = {"LiteralPath": one_of(PARAMETERS), "Name": one_of("DelegatedMSAEnabled")}
BOOL = Kind("true or false", lambda value: isinstance(value, bool))


def bad(cmdlet, *forms):
    return writes(cmdlet, *(forms or (form(IDENTITY),)), by="nobody", source="nowhere")


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.cmdlet)
def test_no_row_of_the_catalogue_can_delete_or_lose_an_account(row):
    assert objections(row) == ()
    assert row.source


@pytest.mark.parametrize(
    "verb", ["Remove", "Clear", "Disable", "Rename", "Move", "Uninstall", "Unregister", "Invoke", "Stop", "Format"]
)
@pytest.mark.parametrize("noun", ["ADUser", "ADObject", "ADAccount", "ADServiceAccount", "Item", "Service"])
def test_a_row_that_could_is_refused_and_told_why(verb, noun):
    (objection,) = objections(bad(f"{verb}-{noun}"))
    assert "never deleted" in objection


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (bad("Set-ADObject", form({**IDENTITY, "Clear": TEXT})), "may not take Clear"),
        (bad("Set-ADUser", form({**IDENTITY, "Enabled": BOOL})), "may not take Enabled"),
        (bad("Set-ADObject", form({**IDENTITY, "ProtectedFromAccidentalDeletion": BOOL})), "lift the protection"),
        (bad("Set-Content", form({"Path": TEXT})), "no step needs"),
        (bad("Reset-ADAccount"), "may only be enabled"),
        (bad("New-Item", form({"Path": one_of(PARAMETERS)}, Force=SWITCH)), "empties a registry key"),
        (bad("Remove-ItemProperty", form({"LiteralPath": TEXT, "Name": EXACT_NAME})), "one registry value"),
        (bad("Remove-ItemProperty", form({"LiteralPath": one_of(PARAMETERS)}, Name=TEXT)), "one registry value"),
        (bad("Remove-ItemProperty", form({**ONE_VALUE, "Path": TEXT})), "one registry value"),
        (bad("Remove-ItemProperty", form({"LiteralPath": one_of(PARAMETERS)})), "one registry value"),
        (bad("dsrm", form({"arguments": TEXT})), "not a cmdlet's name"),
        (bad("Restart-Computer", form({"Force": SWITCH}, ComputerName=HOST)), "past the endpoint"),
        (bad("Start-Job", form({"ScriptBlock": TEXT})), "carry code"),
        (reads("Invoke-Command", form(), by="nobody", source="nowhere"), "no reading verb"),
    ],
    ids=lambda value: value.cmdlet if hasattr(value, "cmdlet") else "",
)
def test_open_ends_are_refused(row, why):
    assert any(why in objection for objection in objections(row))
