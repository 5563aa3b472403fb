"""What is generated: the catalogue and nothing else, narrowed to the plan, in files that PowerShell reads."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lab.jea.commands import CMDLETS, FUNCTIONS
from orchestrator.lab.jea.datafile import parse
from orchestrator.lab.jea.role import read_role, read_session
from orchestrator.model.observation import FaultKind, Outcome, RemoteError
from orchestrator.model.plan import Plan
from orchestrator.remote.catalogue import CATALOGUE, Effect
from orchestrator.remote.faults import judge_record
from orchestrator.remote.jea import DIRECTORY, HOST, OTHER_CONTROLLERS, Domain, NotSeparable, Part, module_of, roles
from orchestrator.remote.jea_files import quoted
from orchestrator.remote.kinds import literally
from orchestrator.remote.wording import PLAIN_CONFIGURATION, in_role_file
from tests.endpoints import DC, DOMAIN, RUNNER, files, plan

GATE = yaml.safe_load((Path(__file__).parent / "cases" / "gate.yaml").read_text(encoding="utf-8"))
PLANS = ("quickstart", "one-account", "programme", "reboot", "shared-host", "web-farm", "erp", "probe")
FOUND = {name: roles(plan(name), DOMAIN) for name in PLANS}


def shown(name, machine):
    return {each.name: each for each in FOUND[name][machine].commands}


def limit(name, machine, command, parameter):
    return shown(name, machine)[command].parameters[parameter]


def accepts(name, machine, command, parameter, text):
    found = limit(name, machine, command, parameter)
    if found.choices:
        return text in found.choices
    if found.pattern is None:
        return True
    whole = re.compile(f"(?:{found.pattern})".replace(r"\z", r"\Z"), re.IGNORECASE)
    return whole.fullmatch(text) is not None


# Where everything comes from.


@pytest.mark.parametrize("name", PLANS)
def test_nothing_is_shown_that_the_catalogue_does_not_have(name):
    for role in FOUND[name].values():
        for each in role.commands:
            row = CATALOGUE[each.row.cmdlet]
            assert set(each.parameters) <= row.parameters, each.name
            assert len({command.name for command in role.commands}) == len(role.commands)


AHEAD = {
    "wevtutil",
}  # fmt: skip
"""What nothing of this version asks for; the next test fails when that changes."""


def test_every_row_has_its_place_and_what_nobody_uses_has_none():
    places = {part: set() for part in Part}
    for found in FOUND.values():
        for role in found.values():
            places[role.part] |= {each.row.cmdlet for each in role.commands}
    assert set.union(*places.values()) == CATALOGUE.keys() - AHEAD
    assert {row.cmdlet for row in CATALOGUE.values() if not row.used_by} == AHEAD
    discovering = roles(changed(lambda host: host.update(workloads="discover", services=[], tasks=[])), DOMAIN)
    (clusters,) = [each for each in discovering["app01.corp.example"].commands if each.name == "Get-CimInstance"]
    assert "Namespace" in clusters.parameters
    assert "Get-ADDomain" in {each.name for each in discovering[DC].commands}
    health = {"Get-ADReplicationPartnerMetadata", "Get-ADReplicationFailure", "Get-ItemProperty"}
    assert places[Part.COPY] == {"Get-ADUser", "Get-ADServiceAccount", "Get-WinEvent", *health}


def test_only_a_plan_with_a_disposable_pair_can_be_probed():
    more = shown("probe", DC).keys() - shown("quickstart", DC).keys()
    assert not more
    logs = [shown(name, DC)["Get-WinEvent"].parameters.keys() for name in ("probe", "quickstart")]
    assert logs == [{"LogName", "FilterXPath", "MaxEvents", "ListLog"}, {"LogName", "FilterXPath", "MaxEvents"}]
    allowed = "PrincipalsAllowedToRetrieveManagedPassword"
    assert allowed in shown("probe", DC)["Set-ADServiceAccount"].parameters
    assert allowed not in shown("quickstart", DC)["Set-ADServiceAccount"].parameters


def test_forms_that_nobody_uses_are_not_shown():
    for cmdlet in ("Get-ADServiceAccount", "Get-ADComputer"):
        assert "Identity" not in shown("quickstart", DC)[cmdlet].parameters
    assert limit("quickstart", "app01.corp.example", "Get-ItemProperty", "Name").choices == ("DelegatedMSAEnabled",)


def test_log_ons_are_read_on_domain_controllers_only():
    assert accepts("quickstart", DC, "Get-WinEvent", "LogName", "Security")
    assert not accepts("quickstart", DC, "Get-WinEvent", "LogName", "Application")
    assert "Get-WinEvent" not in shown("quickstart", "app01.corp.example")


def test_a_missing_original_can_be_looked_for_among_the_deleted_by_its_guid():
    assert accepts("quickstart", DC, "Get-ADObject", "IncludeDeletedObjects", "True")
    assert accepts("quickstart", DC, "Get-ADObject", "Identity", "3752e002-43be-48c8-b3ca-2cb2fffbc8a1")


def changed(change):
    """Return the quick start's plan with its first host changed."""
    data = yaml.safe_load((Path(__file__).parents[2] / "plans" / "quickstart.yaml").read_text(encoding="utf-8"))
    change(data["waves"][0]["migrations"][0]["hosts"][0])
    return Plan.model_validate(data)


@pytest.mark.parametrize("cmdlet", [name for name in CATALOGUE if name != "wevtutil"])
def test_both_sides_know_the_same_modules(cmdlet):
    role_function = CATALOGUE[cmdlet].role_function
    theirs = {**CMDLETS, **FUNCTIONS}.get(cmdlet.lower())
    assert (theirs is None) if role_function else (theirs == module_of(cmdlet))
    assert not role_function or module_of(cmdlet) == "ActiveDirectory"


SENT = [(case["cmdlet"], name, value) for case in GATE["passes"] for name, value in case.get("with", {}).items()]


@pytest.mark.parametrize(("cmdlet", "parameter", "value"), SENT)
def test_what_passes_the_gate_fits_the_kinds_own_expression(cmdlet, parameter, value):
    """A pattern may be wider than its kind, never narrower: the endpoint must not refuse what the program sends."""
    forms = [form for form in CATALOGUE[cmdlet].forms if parameter in form]
    patterns = [form.kind(parameter).pattern for form in forms]
    if not forms or None in patterns:
        return
    for item in value if isinstance(value, list) else [value]:
        text = str(item)
        assert any(re.fullmatch(pattern.replace(r"\z", r"\Z"), text, re.IGNORECASE) for pattern in patterns), patterns


def test_what_no_expression_holds_is_known():
    """Where an endpoint is weaker than the gate because a value has no expression: runbooks/jea.md names each."""
    open_ends = {
        (row.cmdlet, name)
        for row in CATALOGUE.values()
        for form in row.forms
        for name in (*form.required, *form.optional)
        if form.kind(name).pattern is None and row.cmdlet != "wevtutil"
    }
    assert {name for _, name in open_ends} == {
        "LDAPFilter", "Filter", "FilterXPath", "FilterHashtable", "ServicePrincipalNames",
    }  # fmt: skip


@given(st.text(min_size=1, max_size=20))
def test_a_literal_matches_itself_and_nothing_else(text):
    assert re.fullmatch(literally(text), text)
    assert not re.fullmatch(literally(text), text + "x")
    assert not re.fullmatch(literally(text), "x" + text)


# What is narrowed.


def test_the_copies_of_the_directory_only_read():
    names = shown("quickstart", OTHER_CONTROLLERS)
    assert all(each.row.effect is Effect.READS for each in names.values())
    assert FOUND["quickstart"][OTHER_CONTROLLERS].name == DIRECTORY
    assert accepts("quickstart", OTHER_CONTROLLERS, "Get-ADUser", "Server", "dc02.corp.example")
    assert not accepts("quickstart", OTHER_CONTROLLERS, "Get-ADUser", "Server", "dc02.corp.example.evil")
    named = roles(plan(), Domain("corp.example", DC, DC, (DC, "DC02.corp.example")))
    assert {each.name for each in named[OTHER_CONTROLLERS].commands} & {"Get-ADUser", "Get-ADServiceAccount"} == set()
    assert "Get-WinEvent" in {each.name for each in named[OTHER_CONTROLLERS].commands}
    assert named["dc02.corp.example"].part is Part.COPY
    assert named[DC].part is Part.DIRECTORY


@pytest.mark.parametrize(
    ("command", "parameter", "fits", "does_not"),
    [
        ("New-ADServiceAccount", "Name", "dmsa-web", "dmsa-other"),
        ("New-ADServiceAccount", "Path", "OU=Managed,DC=corp,DC=example", "DC=corp,DC=example"),
        ("New-ADServiceAccount", "Description", "dmsa run quickstart", "dmsa run other"),
        ("New-ADServiceAccount", "KerberosEncryptionType", "AES256", "RC4"),
        ("Set-ADObject", "ProtectedFromAccidentalDeletion", "True", "False"),
        (
            "Start-ADServiceAccountMigration",
            "Identity",
            "CN=dmsa-web,OU=N,DC=corp,DC=example",
            "CN=x,DC=corp,DC=example",
        ),
        (
            "Reset-ADServiceAccountMigration",
            "SupersededAccount",
            "cn=SVC-web,DC=corp,DC=example",
            "CN=krbtgt,CN=Users,DC=corp,DC=example",
        ),
        (
            "Complete-ADServiceAccountMigration",
            "SupersededAccount",
            "CN=svc-web,OU=Moved,DC=corp,DC=example",
            "CN=Administrator,CN=svc-web,DC=corp,DC=example",
        ),
        ("Undo-ADServiceAccountMigration", "Server", DC, "dc02.corp.example"),
        ("Get-ADObject", "Server", f"{DC}:3268", f"{DC}:389"),
    ],
)
def test_the_directory_is_narrowed_to_the_plans_objects(command, parameter, fits, does_not):
    assert accepts("quickstart", DC, command, parameter, fits)
    assert not accepts("quickstart", DC, command, parameter, does_not)
    assert not accepts("quickstart", DC, command, parameter, f"{fits}\n")


def test_what_the_plan_never_sends_is_not_there():
    allowed = "PrincipalsAllowedToRetrieveManagedPassword"
    narrow = shown("quickstart", DC)
    assert allowed not in narrow["New-ADServiceAccount"].parameters
    assert allowed not in narrow["Set-ADServiceAccount"].parameters
    data = yaml.safe_load((Path(__file__).parents[2] / "plans" / "quickstart.yaml").read_text(encoding="utf-8"))
    data["policy"]["hosts_missing"] = "add"
    data["waves"][0]["migrations"][0]["dmsa"]["principals"] = ["CN=APP01,CN=Computers,DC=corp,DC=example"]
    (role, *_) = roles(Plan.model_validate(data), DOMAIN).values()
    wider = {each.name: each.parameters for each in role.commands}
    assert allowed in wider["Set-ADServiceAccount"]
    assert allowed in wider["New-ADServiceAccount"]


def test_each_host_has_its_own_workloads():
    assert limit("quickstart", "app01.corp.example", "Restart-Service", "Name").choices == ("ReportServer",)
    erp = limit("quickstart", "app02.corp.example", "Restart-Service", "Name").choices
    assert erp == ("BatchRunner", "ErpApi", "ErpQueue"), "two migrations, one host"
    assert limit("quickstart", "app01.corp.example", "Get-ScheduledTask", "TaskPath").choices == ("\\Reports\\",)
    assert "Get-ScheduledTask" not in shown("quickstart", "app02.corp.example")
    assert not [name for name in FOUND["quickstart"] if "Restart-Computer" in shown("quickstart", name)]
    assert [name for name in FOUND["reboot"] if "Restart-Computer" in shown("reboot", name)]
    pools = [name for name in FOUND["web-farm"] if "Restart-WebAppPool" in shown("web-farm", name)]
    assert pools
    assert all("WebAdministration" in FOUND["web-farm"][name].modules for name in pools)
    assert "WebAdministration" not in FOUND["quickstart"]["app02.corp.example"].modules


def test_a_task_may_be_started_only_where_the_plan_runs_it():
    run = roles(changed(lambda host: host.update(tasks=[{"path": "\\A\\B", "run": True}, "\\C\\D"])), DOMAIN)
    commands = {each.name: each for each in run["app01.corp.example"].commands}
    assert commands["Start-ScheduledTask"].parameters["TaskName"].choices == ("B",)
    assert commands["Get-ScheduledTask"].parameters["TaskName"].choices == ("B", "D")


def test_no_task_is_run_on_a_host_that_says_itself_what_runs_there():
    found = roles(changed(lambda host: host.update(workloads="discover", services=[], tasks=[])), DOMAIN)
    assert "Start-ScheduledTask" not in {each.name for each in found["app01.corp.example"].commands}


def test_what_is_to_be_discovered_is_not_narrowed():
    found = roles(changed(lambda host: host.update(workloads="discover", services=[], tasks=[])), DOMAIN)
    commands = {each.name: each for each in found["app01.corp.example"].commands}
    assert not commands["Restart-Service"].parameters["Name"].choices
    assert {"Export-ScheduledTask", "Get-WebConfigurationProperty", "Restart-WebAppPool"} <= commands.keys()
    assert "Restart-Computer" not in commands


def test_one_machine_cannot_be_two_endpoints():
    with pytest.raises(NotSeparable, match="app01"):
        roles(plan(), Domain("corp.example", "APP01.corp.example", DC, None))


@pytest.mark.parametrize(
    ("dn", "sent"),
    [
        (r"CN=svc\, erp,OU=A,DC=corp,DC=example", r"CN=svc\, erp,OU=B,DC=corp,DC=example"),
        (r"CN=svc\2C erp,OU=A,DC=corp,DC=example", r"CN=svc\, erp,OU=A,DC=corp,DC=example"),
        (r"cn = caf\C3\A9 (x),DC=corp,DC=example", "CN=café (x),OU=A,DC=corp,DC=example"),
        (r"CN=a\\b,DC=corp,DC=example", r"CN=a\\b,OU=A,DC=corp,DC=example"),
        (r"CN=a\=b,DC=corp,DC=example", r"CN=a=b,DC=corp,DC=example"),
        (r"2.5.4.3=svc x,DC=corp,DC=example", r"CN=svc x,OU=A,DC=corp,DC=example"),
    ],
)
def test_an_account_is_known_in_every_spelling(dn, sent):
    data = yaml.safe_load((Path(__file__).parents[2] / "plans" / "quickstart.yaml").read_text(encoding="utf-8"))
    data["waves"][0]["migrations"][0]["account"] = dn
    (role, *_) = roles(Plan.model_validate(data), DOMAIN).values()
    found = {each.name: each for each in role.commands}["Start-ADServiceAccountMigration"]
    pattern = found.parameters["SupersededAccount"].pattern
    assert re.fullmatch(pattern, sent, re.IGNORECASE)
    assert not re.fullmatch(pattern, "CN=svc,OU=A,DC=corp,DC=example", re.IGNORECASE)


# How it is written.


@pytest.mark.parametrize("name", PLANS)
def test_the_files_are_what_the_lab_reads(name):
    for path, text in files(FOUND[name], name).items():
        assert parse(text, path)
        assert text.isascii() or name != "quickstart"
        if path.endswith(".psrc"):
            role = read_role(text, path)
            shown_here = FOUND[name][path.split("/")[0]].commands
            assert {*role.cmdlets, *role.functions} == {each.name.lower() for each in shown_here}
        elif path.endswith(".pssc"):
            session = read_session(text, path)
            assert session.runners == RUNNER
            assert session.virtual_account == (f"/{HOST}.pssc" in path)


@pytest.mark.parametrize("name", PLANS)
def test_no_command_has_sets_and_patterns(name):
    for role in FOUND[name].values():
        for each in role.commands:
            kinds = {bool(limit.choices) for limit in each.parameters.values() if limit.choices or limit.pattern}
            assert len(kinds) <= 1, each.name


def test_the_same_plan_gives_the_same_files():
    assert files(roles(plan(), DOMAIN), "quickstart") == files(FOUND["quickstart"], "quickstart")


@given(st.text(alphabet=st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=30))
def test_quoting_survives_every_quote(text):
    plain = text
    for quote in "\u2018\u2019\u201a\u201b":
        plain = plain.replace(quote, "")
    assert parse(f"@{{ A = {quoted(plain)} }}", "x").get("A") == plain


def test_typographic_quotes_are_doubled_as_powershell_wants_them():
    assert quoted("it\u2019s") == "'it\u2019\u2019s'"


# What is said when an endpoint refuses.


@pytest.mark.parametrize(
    ("error_id", "cmdlet", "target", "expected"),
    [
        (
            "CommandNotFoundException",
            "",
            "Get-KdsRootKey",
            "'Get-KdsRootKey' under VisibleCmdlets must be there",
        ),
        ("CommandNotFoundException", "", "Enable-DmsaEventLog", "'Enable-DmsaEventLog' under VisibleFunctions"),
        ("NamedParameterNotFound,Restart-Service", "Restart-Service", "", "must list the parameter under Parameters"),
        (
            "ParameterArgumentValidationError,Get-ScheduledTask",
            "Get-ScheduledTask",
            "",
            "Name = 'Get-ScheduledTask' under VisibleFunctions must let the value through",
        ),
        ("DriveNotFound,X", "New-Item", "HKLM", "VisibleProviders = 'Registry'"),
    ],
)
def test_a_refusal_names_the_entry_of_the_role_file(error_id, cmdlet, target, expected):
    error = RemoteError(error_id, "InvalidData", "", "No.", target, cmdlet)
    outcome, fault = judge_record(error, "app01", write=True, configuration="DmsaHost")
    assert (outcome, fault.kind, fault.code) == (Outcome.FAILED, FaultKind.PERMANENT, error_id)
    assert fault.remedy.startswith("in DmsaHost.psrc on the host the entry ")
    assert expected in fault.remedy
    assert "dmsa jea" in fault.remedy
    plain = judge_record(error, "app01", write=True, configuration=PLAIN_CONFIGURATION)[1]
    assert "psrc" not in plain.remedy


def test_entries_are_named_as_they_are_written():
    texts = "".join(files({**FOUND["quickstart"], **FOUND["web-farm"]}, "x").values())
    for role in FOUND["quickstart"].values():
        for each in role.commands:
            assert in_role_file(each.name).partition(" under ")[0].removeprefix("Name = ") in texts


def test_values_have_one_text():
    """The kinds that are no text: as .NET shows them, which is what a pattern sees."""
    from orchestrator.lab.jea.validation import shown as as_text

    assert [as_text(value) for value in (True, 7, UUID(int=1), "x", {"a": 1}, None)] == [
        "True", "7", "00000000-0000-0000-0000-000000000001", "x", "System.Collections.Hashtable", "",
    ]  # fmt: skip
    assert as_text(datetime(2026, 1, 1, tzinfo=None))  # noqa: DTZ001 - any text will do
