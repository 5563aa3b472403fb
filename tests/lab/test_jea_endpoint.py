"""What an endpoint shows, and what PowerShell answers to everything else: by role files written by hand."""

from uuid import UUID

import pytest

from orchestrator.lab.command import Command, LabObject, Request
from orchestrator.lab.estate import Estate, load_spec
from orchestrator.lab.jea.datafile import DataFileInvalid
from orchestrator.lab.jea.endpoint import Endpoint
from orchestrator.lab.jea.registered import Entry, Registered
from orchestrator.lab.jea.role import Session, read_manifest, read_role, read_session
from tests.endpoints import ROOT

HOST = "app01.corp.example"
PARAMETERS = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters"
ROLE = r"""
@{
    ModulesToImport = 'Microsoft.PowerShell.Management', 'ScheduledTasks', 'ActiveDirectory'
    VisibleCmdlets = @(
        'Get-Service'
        @{ Name = 'Restart-Service'; Parameters = @{ Name = 'Name'; ValidateSet = 'Spooler', 'W32Time' } }
        @{ Name = 'Test-Path'; Parameters = @{ Name = 'LiteralPath' } }
        @{ Name = 'Get-ItemProperty'; Parameters = @{ Name = 'LiteralPath' }, @{ Name = 'Name' } }
        @{ Name = 'Remove-ItemProperty'; Parameters = @{ Name = 'LiteralPath' }, @{ Name = 'Name' } }
        @{ Name = 'Get-ScheduledTask'; Parameters = @{ Name = 'TaskName' } }
        @{ Name = 'Get-CimInstance'; Parameters = @{ Name = 'ClassName' } }
        @{ Name = 'Set-ADObject'; Parameters = @{ Name = 'ProtectedFromAccidentalDeletion'; ValidateSet = 'True' } }
        @{ Name = 'New-ADServiceAccount'; Parameters = @(
            @{ Name = 'KerberosEncryptionType'; ValidatePattern = '(AES128|AES256)(, (AES128|AES256))*' }
        ) }
        @{ Name = 'Start-Service'; Parameters = @{ Name = 'Name'; ValidatePattern = 'HR_\d+' } }
    )
    VisibleFunctions = @(
        @{ Name = 'Get-ScheduledTaskInfo'; Parameters = @{ Name = 'TaskName' } }
        'Get-Spooler'
        'Nobody-Defines'
    )
    FunctionDefinitions = @(
        @{
            Name = 'Get-Spooler'
            ScriptBlock = {
                param(
                    [Parameter(Mandatory)] [ValidateSet('Spooler', 'it''s')] [string] $Name,
                    [ValidatePattern('^[a-z]+\z')] [string] $Property
                )
                Microsoft.PowerShell.Management\Get-Service -Name $Name |
                    Microsoft.PowerShell.Utility\Select-Object -ExpandProperty Status
                Get-Service W32Time
            }
        }
        @{ Name = 'Hidden-One'; ScriptBlock = { param() Get-Service -Name Spooler } }
    )
}
"""


@pytest.fixture
def endpoint():
    return Endpoint("Jea", Session("CORP\\operator", "r", virtual_account=True), read_role(ROLE, "r.psrc"))


def through(endpoint, name, /, **parameters):
    request = Request(HOST, UUID(int=1), UUID(int=2), "CORP\\op", ((Command(name, parameters),),), "Jea")
    return endpoint.through(request)


def refusal(endpoint, name, /, **parameters):
    ((command, *_), *_) = through(endpoint, name, **parameters).statements
    return command.refused


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("get-service", {"Name": ["a"], "Exclude": "b"}),
        ("Restart-Service", {"Name": "spooler", "Verbose": True, "ErrorAction": "Stop"}),
        ("Restart-Service", {"name": ["Spooler", "W32Time"]}),
        ("Start-Service", {"Name": "hr_12"}),
        ("Set-ADObject", {"ProtectedFromAccidentalDeletion": True}),
        ("New-ADServiceAccount", {"KerberosEncryptionType": ["AES128", "AES256"]}),
        ("New-ADServiceAccount", {"KerberosEncryptionType": LabObject(("System.Enum",), {}, "AES256")}),
        ("Get-ScheduledTaskInfo", {"TaskName": UUID(int=3)}),
        ("Select-Object", {"Property": "Name"}),
    ],
)
def test_what_is_shown_runs(endpoint, name, parameters):
    assert refusal(endpoint, name, **parameters) is None


@pytest.mark.parametrize(
    "name",
    [
        "Stop-Service",  # not listed
        "Get-Service.exe",
        "Microsoft.PowerShell.Management\\Get-Service",  # the session's own proxy is what is visible
        "Get-ScheduledTask",  # a function, among the cmdlets
        "Get-CimInstance",  # its module is not imported
        "Nobody-Defines",
        "Hidden-One",  # defined, and not visible
        "Get-Command",
    ],
)
def test_what_is_not_shown_does_not_exist(endpoint, name):
    found = refusal(endpoint, name)
    assert (found.id, found.category, found.target) == ("CommandNotFoundException", "ObjectNotFound", name)


@pytest.mark.parametrize(
    ("name", "parameters", "shown"),
    [
        ("Restart-Service", {"Force": True}, "Restart-Service"),
        ("Get-ScheduledTaskInfo", {"TaskPath": "\\"}, "Get-ScheduledTaskInfo"),
        ("Select-Object", {"ExpandProperty": "Name"}, "Select-Object"),
        ("Get-Spooler", {"Name": "Spooler", "Force": True}, "Get-Spooler"),
    ],
)
def test_a_parameter_that_is_not_shown_is_none(endpoint, name, parameters, shown):
    found = refusal(endpoint, name, **parameters)
    assert (found.id, found.category) == (f"NamedParameterNotFound,{shown}", "InvalidArgument")
    assert found.exception.endswith(".ParameterBindingException")


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        (
            "Restart-Service",
            {"Name": "MSSQLSERVER"},
            (
                'The argument "MSSQLSERVER" does not belong to the set "Spooler,W32Time" specified by the ValidateSet '
                "attribute. Supply an argument that is in the set and then try the command again."
            ),
        ),
        (
            "Start-Service",
            {"Name": "HR_1 or more"},
            'The argument "HR_1 or more" does not match the "^(HR_\\d+)$" pattern. Supply an argument that',
        ),
        ("Restart-Service", {"Name": ["Spooler", "x"]}, 'The argument "x" does not belong'),
        ("Restart-Service", {"Name": {"a": 1}}, 'The argument "System.Collections.Hashtable" does not belong'),
        ("Restart-Service", {"Name": None}, 'The argument "" does not belong'),
        ("Set-ADObject", {"ProtectedFromAccidentalDeletion": False}, 'The argument "False" does not belong'),
        ("New-ADServiceAccount", {"KerberosEncryptionType": ["AES256", "DES"]}, 'The argument "AES256, DES"'),
        ("Get-Spooler", {"Name": "W32Time"}, '"Spooler,it\'s"'),
        ("Get-Spooler", {"Name": "Spooler", "Property": "a\n"}, "does not match"),
        ("Select-Object", {"Property": "Secret"}, "does not belong"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_powershells_words(endpoint, name, parameters, says):
    found = refusal(endpoint, name, **parameters)
    assert found.id == f"ParameterArgumentValidationError,{name}"
    assert found.category == "InvalidData"
    assert found.exception == "System.Management.Automation.ParameterBindingValidationException"
    assert found.message.startswith("Cannot validate argument on parameter '")
    assert says in found.message


def test_a_dollar_lets_a_line_feed_follow_as_in_dotnet(endpoint):
    assert refusal(endpoint, "Start-Service", Name="HR_1\n") is None


def test_a_mandatory_parameter_of_a_function_is_missed(endpoint):
    assert refusal(endpoint, "Get-Spooler", ErrorAction="Stop").id == "MissingMandatoryParameter,Get-Spooler"


def test_a_function_runs_what_it_is_made_of(endpoint):
    inside = through(endpoint, "get-spooler", Name="it's").statements
    assert [[(command.name, dict(command.parameters)) for command in statement] for statement in inside] == [
        [("Get-Service", {"Name": "it's"}), ("Select-Object", {"ExpandProperty": "Status"})],
        [("Get-Service", {"0": "W32Time"})],
    ]


def test_scripts_are_left_to_the_estate_which_runs_none(endpoint):
    request = Request(HOST, UUID(int=1), UUID(int=2), "CORP\\op", ((Command("1 + 1", {}, is_script=True),),), "Jea")
    ((command,),) = endpoint.through(request).statements
    assert command.is_script
    assert command.refused is None


def test_a_provider_that_is_not_visible_hides_what_is_there():
    spec = load_spec((ROOT / "plans/estates/quickstart.yaml").read_text())
    seen = {}
    for visible in ("", "VisibleProviders = 'Registry'"):
        role = read_role(ROLE.replace("@{\n", f"@{{\n{visible}\n", 1), "r.psrc")
        endpoint = Endpoint("Jea", Session("CORP\\operator", "r", virtual_account=True), role)
        estate = Estate(spec)
        found = estate.execute(through(endpoint, "Test-Path", LiteralPath=PARAMETERS))
        read = estate.execute(through(endpoint, "Get-ItemProperty", LiteralPath=PARAMETERS, Name="x"))
        removed = estate.execute(through(endpoint, "Remove-ItemProperty", LiteralPath=PARAMETERS, Name="x"))
        seen[bool(visible)] = (found.output, read.errors[0].id.split(",")[0], removed.failure and removed.failure.id)
    assert seen[False][:2] == ((False,), "PathNotFound")
    assert seen[False][2].startswith("DriveNotFound,")
    assert seen[True][0] == (True,)
    assert seen[True][1] != "PathNotFound"


# Who works, and who comes in.


def test_commands_run_as_the_sessions_account():
    role = read_role(ROLE, "r.psrc")
    sessions = (Session("a", "r", True), Session("a", "r", False, "CORP\\g"), Session("a", "r"))
    acting = [Endpoint("Jea", session, role).acting("CORP\\op") for session in sessions]
    assert acting == ["WinRM Virtual Users\\WinRM_VA_1_CORP_op", "CORP\\g", "CORP\\op"]


GROUPS = """
domain: {dns: corp.example, netbios: CORP}
dcs: [{name: dc01.corp.example}]
operator: {name: op}
users: [{dn: "CN=other,DC=corp,DC=example"}]
groups:
  - {dn: "CN=inner,DC=corp,DC=example", members: ["CN=op,CN=Users,DC=corp,DC=example"]}
  - {dn: "CN=outer,DC=corp,DC=example", members: ["CN=inner,DC=corp,DC=example"]}
"""


@pytest.mark.parametrize(
    ("principal", "named", "entry"),
    [
        ("CORP\\op", "CORP\\op", Entry.OPEN),
        ("corp\\OP", "corp.example\\op", Entry.OPEN),
        ("op@corp.example", "CORP\\op", Entry.OPEN),
        ("CORP\\op", "CORP\\outer", Entry.OPEN),
        ("CORP\\other", "CORP\\outer", Entry.DENIED),
        ("CORP\\other", "CORP\\op", Entry.DENIED),
        ("ELSE\\op", "CORP\\op", Entry.DENIED),
        ("CORP\\op", "ELSE\\op", Entry.DENIED),
        ("CORP\\op", "CORP\\nothing", Entry.DENIED),
    ],
)
def test_only_who_has_a_role_comes_in(principal, named, entry):
    estate = Estate(load_spec(GROUPS))
    session = Session(named, "r", virtual_account=True)
    endpoints = Registered({(HOST, "jea"): Endpoint("Jea", session, read_role(ROLE, "r.psrc"))})
    assert endpoints.entry(HOST, "JEA", principal, estate.belongs) is entry
    assert endpoints.entry(HOST, "Other", principal, estate.belongs) is Entry.UNKNOWN
    assert endpoints.entry("app02.corp.example", "Jea", principal, estate.belongs) is Entry.UNKNOWN
    assert endpoints.entry(HOST, "microsoft.powershell", principal, estate.belongs) is Entry.OPEN


# Files that the lab does not take.


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("VisibleAliases = 'a'", "does not follow VisibleAliases"),
        ("VisibleCmdlets = 'Get-*'", "plain name"),
        ("VisibleCmdlets = 'Module\\Get-X'", "plain name"),
        ("VisibleCmdlets = @{ Name = 'Get-X' }", "tables of Name and Parameters"),
        ("VisibleCmdlets = @{ Name = 'Get-X'; Parameters = @() }", "Parameters is empty"),
        ("VisibleCmdlets = @{ Name = 'Get-X'; Parameters = 'Name' }", "each with a Name"),
        ("VisibleCmdlets = @{ Name = 'Get-X'; Parameters = @{ Name = 'a'; Mandatory = 1 } }", "a: once, with"),
        ("VisibleCmdlets = @{ Name = 'Get-X'; Parameters = @{ Name = 'a' }, @{ Name = 'A' } }", "once, with"),
        (
            "VisibleCmdlets = @{ Name = 'X'; Parameters = @{ Name = 'a'; ValidateSet = 'b'; ValidatePattern = 'b' } }",
            "not both",
        ),
        (
            "VisibleCmdlets = @{Name='X'; Parameters = @{Name='a'; ValidateSet='b'}, @{Name='c'; ValidatePattern='b'}}",
            "patterns override sets",
        ),
        ("VisibleCmdlets = @{ Name = 'X'; Parameters = @{ Name = 'a'; ValidatePattern = '(' } }", "no expression"),
        (r"VisibleCmdlets = @{ Name = 'X'; Parameters = @{ Name = 'a'; ValidatePattern = '\p{L}' } }", "cannot read"),
        ("VisibleProviders = 'FileSystem'", "no provider but Registry"),
        ("ModulesToImport = 3", "lists names"),
        ("FunctionDefinitions = @{ Name = 'A' }", "Name and ScriptBlock"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = 'text' }", "between braces"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = { Get-Service } }", r"begins with param\(...\)"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = { param($a = 1) } }", "parameter block"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = { param($a,) } }", "parameter block"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = { param() $x.Delete() } }", "plain pipelines"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = { param() & $x } }", "plain pipelines"),
        ("FunctionDefinitions = @{ Name = 'A'; ScriptBlock = { param() Get-X | } }", "ends inside a pipeline"),
    ],
)
def test_a_role_that_the_lab_cannot_follow_is_refused(body, why):
    with pytest.raises(DataFileInvalid, match=why):
        read_role(f"@{{ {body} }}", "r.psrc")


SESSION = "SchemaVersion = '2.0.0.0'; SessionType = 'RestrictedRemoteServer'; RunAsVirtualAccount = $true; "
ONE = "RoleDefinitions = @{ 'A\\b' = @{ RoleCapabilities = 'r' } }"


def test_a_session_is_read():
    assert read_session(f"@{{ {SESSION}{ONE} }}", "s") == Session("A\\b", "r", virtual_account=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SESSION, "one account or group one role"),
        (SESSION + ONE.replace("'r'", "'r', 's'"), "one account or group one role"),
        (SESSION + ONE.replace("RoleCapabilities", "RoleCapabilityFiles"), "one account or group one role"),
        (ONE + "; SessionType = 'RestrictedRemoteServer'", "SchemaVersion is missing"),
        (ONE + "; SchemaVersion = '2.0.0.0'", "must be RestrictedRemoteServer"),
        (SESSION.replace("RestrictedRemoteServer", "Default") + ONE, "must be RestrictedRemoteServer"),
        (SESSION + ONE + "; GroupManagedServiceAccount = 'A\\g'", "or as one gMSA"),
        (SESSION + ONE + "; MountUserDrive = $true", "does not follow MountUserDrive"),
    ],
)
def test_a_session_that_is_no_jea_endpoint_is_refused(text, why):
    with pytest.raises(DataFileInvalid, match=why):
        read_session(f"@{{ {text} }}", "s.pssc")


def test_a_module_needs_its_manifest(tmp_path):
    with pytest.raises(DataFileInvalid, match="ModuleVersion is missing"):
        read_manifest("@{ }", "m.psd1")
    with pytest.raises(DataFileInvalid, match="no such folder"):
        Registered.read(tmp_path / "nothing", [HOST], [])
    with pytest.raises(DataFileInvalid, match="no session configuration"):
        Registered.read(tmp_path, [HOST], [])
    folder = tmp_path / HOST
    (folder / "M" / "RoleCapabilities").mkdir(parents=True)
    (folder / "Jea.pssc").write_text(f"@{{ {SESSION}{ONE} }}")
    with pytest.raises(DataFileInvalid, match="no module there has the role capability r"):
        Registered.read(tmp_path, [HOST], [])
    (folder / "M" / "RoleCapabilities" / "r.psrc").write_text(ROLE)
    with pytest.raises(DataFileInvalid, match="no module there"):
        Registered.read(tmp_path, [HOST], [])
    (folder / "M" / "M.psd1").write_text("@{ ModuleVersion = '1.0' }")
    assert Registered.read(tmp_path, [HOST], []).configuration_of(HOST.upper()) == "Jea"
    (folder / "M" / "M.psd1").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataFileInvalid, match="cannot be read"):
        Registered.read(tmp_path, [HOST], [])


def test_a_virtual_account_cannot_speak_for_itself_to_another_machine():
    """It goes out as the computer account; a gMSA goes out as itself."""
    role = read_role(
        "@{ ModulesToImport = 'ActiveDirectory'; VisibleCmdlets = "
        "@{ Name = 'Get-ADRootDSE'; Parameters = @{ Name = 'Server' } } }",
        "r.psrc",
    )
    spec = load_spec((ROOT / "plans/estates/quickstart.yaml").read_text())
    command = Command("Get-ADRootDSE", {"Server": "dc02.corp.example"})
    request = Request("dc01.corp.example", UUID(int=1), UUID(int=2), "CORP\\op", ((command,),), "Jea")
    seen = {}
    for session in (Session("CORP\\op", "r", True), Session("CORP\\op", "r", False, "CORP\\g")):
        result = Estate(spec).execute(Endpoint("Jea", session, role).through(request))
        seen[session.virtual_account] = result.failure and result.failure.category
    assert seen == {True: "ResourceUnavailable", False: None}
