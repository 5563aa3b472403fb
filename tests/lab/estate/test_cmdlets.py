import pytest

from orchestrator.lab.command import Command

APP01, APP02, APP03 = (f"{name}.corp.example" for name in ("app01", "app02", "app03"))
PARENT = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos"


@pytest.mark.parametrize(
    ("host", "name", "parameters", "error", "category"),
    [
        ("dc01", "Remove-ADUser", {"Identity": "svc-report"}, "CommandNotFoundException", "ObjectNotFound"),
        ("app01", "Get-ADUser", {"Identity": "svc-report"}, "CommandNotFoundException", "ObjectNotFound"),
        ("dc01", "Get-DmsaDescriptor", {"Identity": "x"}, "CommandNotFoundException", "ObjectNotFound"),
        ("app01", "Get-WebAppPoolState", {"Name": "x"}, "CommandNotFoundException", "ObjectNotFound"),
        ("dc01", "Get-ADUser", {"Identity": "x", "Nope": 1}, "NamedParameterNotFound", "InvalidArgument"),
        ("app01", "Restart-Service", {}, "MissingMandatoryParameter", "InvalidArgument"),
        ("app01", "Restart-Service", {"Name": None}, "CannotConvertArgument", "InvalidArgument"),
        ("app01", "Restart-Service", {"Name": "x", "Force": "yes"}, "CannotConvertArgument", "InvalidArgument"),
        ("dc01", "Get-ADUser", {"Identity": "nobody"}, "ActiveDirectoryCmdlet:", "ObjectNotFound"),
        ("dc01", "Get-ADUser", {"Identity": "DC01$"}, "ActiveDirectoryCmdlet:", "ObjectNotFound"),
        ("dc01", "Get-ADUser", {"LDAPFilter": "(("}, "ActiveDirectoryServer:8254", "ParserError"),
        (
            "dc01",
            "Get-ADUser",
            {"Identity": "x", "Server": "nowhere"},
            "ActiveDirectoryServer:0",
            "ResourceUnavailable",
        ),
        ("dc01", "New-ADServiceAccount", {"Name": "x"}, "MissingMandatoryParameter", "InvalidArgument"),
        ("app01", "Get-CimInstance", {"ClassName": "Win32_Fan"}, "HRESULT 0x80041010", "MetadataError"),
        (
            "app01",
            "Get-CimInstance",
            {"ClassName": "Win32_Service", "Filter": "x"},
            "HRESULT 0x80041017",
            "InvalidArgument",
        ),
    ],
)
def test_refusals(far, host, name, parameters, error, category):
    failure = far.send(f"{host}.corp.example", name, **parameters).failure
    assert failure.id.startswith(error)
    assert failure.category == category
    assert failure.message


def test_a_host_that_is_no_cluster_says_so_and_the_rest_of_the_pipeline_runs(far):
    sent = far.send("app01.corp.example", "Get-CimInstance", ClassName="X", Namespace="root/MSCluster")
    assert sent.failure is None
    assert [(error.id[:18], error.category) for error in sent.errors] == [("HRESULT 0x8004100e", "ObjectNotFound")]


def test_scripts_are_refused_and_counted(far):
    result = far.estate.execute(far.request(APP01, Command("Get-Service | Stop-Service", {}, is_script=True)))
    assert result.failure.id == "ScriptsNotAllowed"
    assert far.estate.describe()["refused_scripts"] == 1


def test_a_missing_identity_ends_the_pipeline_early(far):
    wanted = [Command("Get-ADUser", {"Identity": name}) for name in ("svc-web", "nobody", "svc-erp")]
    result = far.estate.execute(far.request(far.dc, *wanted))
    assert [item.properties["Name"] for item in result.output] == ["svc-web"]
    assert result.failure is not None


def test_the_rest_may_also_go_on(estate_with):
    far = estate_with(switches={"batch_goes_on_after_error": True})
    wanted = [Command("Get-ADUser", {"Identity": name}) for name in ("svc-web", "nobody", "svc-erp")]
    result = far.estate.execute(far.request(far.dc, *wanted))
    assert [item.properties["Name"] for item in result.output] == ["svc-web", "svc-erp"]
    assert len(result.errors) == 1
    assert result.failure is None


def test_another_dc_is_a_second_hop(estate_with):
    far = estate_with()
    ask = {"Identity": "svc-web", "Server": far.dc2}
    assert far.send(far.dc, "Get-ADUser", **ask).failure.id.startswith("ActiveDirectoryServer:0")
    assert far.send(far.dc, "Get-ADUser", configuration="DmsaMigration", **ask).failure is None
    assert estate_with(switches={"second_hop": True}).send(far.dc, "Get-ADUser", **ask).failure is None


def test_the_root_dse_says_that_this_is_a_lab(far):
    found = far.one(far.dc, "Get-ADRootDSE", Server=far.dc)
    assert found["dmsaLab"] is True
    assert found["defaultNamingContext"] == "DC=corp,DC=example"
    schema = far.one(far.dc, "Get-ADObject", Identity=found["schemaNamingContext"], Properties=["objectVersion"])
    assert schema["objectVersion"] == 91
    classes = "(lDAPDisplayName=msDS-DelegatedManagedServiceAccount)"
    assert far.one(far.dc, "Get-ADObject", LDAPFilter=classes, SearchBase=found["schemaNamingContext"])


def test_only_what_was_asked_for_comes_back_and_nothing_unset(far):
    assert set(far.user()) == {
        *("DistinguishedName", "Name", "ObjectClass", "ObjectGUID", "Enabled", "SamAccountName", "SID"),
        *("UserPrincipalName", "GivenName", "Surname"),
    }
    asked = far.user("msDS-SupersededServiceAccountState", "servicePrincipalName")
    assert "servicePrincipalName" in asked
    assert "msDS-SupersededServiceAccountState" not in asked
    assert not {name.lower() for name in far.user("*")} & {"rdn", "parent", "labtakenspns"}


def test_a_descriptor_survives_only_at_the_top(far):
    asked = {"Identity": far.dmsa, "Properties": ["nTSecurityDescriptor"]}
    (nested,) = far.ok(far.dc, "Get-ADObject", **asked)
    assert nested.properties["nTSecurityDescriptor"].properties == {}
    pipe = (Command("Get-ADObject", asked), Command("Select-Object", {"ExpandProperty": "nTSecurityDescriptor"}))
    (top,) = far.estate.execute(far.request(far.dc, pipe)).output
    assert top.properties["Sddl"].startswith("O:DAG:DAD:AI(A;;")


def test_selected_properties(far):
    pipe = (Command("Get-Service", {"Name": "Spooler"}), Command("Select-Object", {"Property": ["Name", "Nope"]}))
    (item,) = far.estate.execute(far.request(APP01, pipe)).output
    assert dict(item.properties) == {"Name": "Spooler", "Nope": None}
    assert item.types[0] == "Selected.System.ServiceProcess.ServiceController"


def test_a_new_dmsa(far):
    found = far.managed("*")
    assert found["ObjectClass"] == "msDS-DelegatedManagedServiceAccount"
    assert found["SamAccountName"] == "dmsa-report$"
    assert found["msDS-DelegatedMSAState"] == 0
    assert found["msDS-ManagedPasswordInterval"] == 30
    assert found["userAccountControl"] == 4096
    assert far.create().failure.category == "ResourceExists"
    assert far.create("other", Path="OU=Nowhere,DC=corp,DC=example").failure.category == "ObjectNotFound"


@pytest.mark.parametrize("age", [None, "9h"])
def test_without_an_effective_root_key_there_is_no_dmsa(estate_with, age):
    far = estate_with(domain={"dns": "corp.example", "netbios": "CORP", "kds_root_key_age": age})
    assert far.create().failure.id.startswith("ActiveDirectoryServer:-2146893811")


def test_setting_principals_replaces_the_list(far):
    name = "PrincipalsAllowedToRetrieveManagedPassword"
    for hosts in (["APP01$", "CN=APP02,CN=Computers,DC=corp,DC=example"], ["Domain Computers"]):
        far.ok(far.dc, "Set-ADServiceAccount", Identity=far.dmsa, Server=far.dc, **{name: hosts})
    assert far.principals() == ["CN=Domain Computers,CN=Users,DC=corp,DC=example"]
    missing = far.send(far.dc, "Set-ADServiceAccount", Identity=far.dmsa, **{name: ["APP99$"]})
    assert missing.failure.category == "ObjectNotFound"


def test_nobody_reads_a_dmsa_without_the_right(estate_with):
    far = estate_with(operator={"name": "operator", "rights": ["read", "write"]})
    far.create()
    assert far.send(far.dc, "Get-ADServiceAccount", Identity=far.dmsa).failure.category == "ObjectNotFound"
    assert far.ok(far.dc, "Get-ADServiceAccount", LDAPFilter="(cn=dmsa-report)") == []
    other = far.send(far.dc, "Get-ADServiceAccount", principal="CORP\\Administrator", Identity=far.dmsa)
    assert other.failure is None


@pytest.mark.parametrize(("host", "there"), [(APP01, [True, True]), (APP02, [False, False]), (APP03, [True, True])])
def test_keys(far, host, there):
    assert [far.ok(host, "Test-Path", LiteralPath=path)[0] for path in (PARENT, far.key)] == there


def test_a_key_is_created_from_above_and_never_twice(far):
    assert far.send(APP02, "New-Item", Path=far.key).errors[0].category == "InvalidArgument"
    far.ok(APP02, "New-Item", Path=PARENT)
    far.ok(APP02, "New-Item", Path=far.key)
    far.enable(APP02)
    assert far.send(APP02, "New-Item", Path=far.key).errors[0].category == "ResourceExists"
    value = {"LiteralPath": far.key, "Name": "DelegatedMSAEnabled"}
    assert far.one(APP02, "Get-ItemProperty", **value)["DelegatedMSAEnabled"] == 1
    far.ok(APP02, "New-Item", Path=far.key, Force=True)
    assert far.send(APP02, "Get-ItemProperty", **value).errors[0].category == "InvalidArgument"


def test_a_value_is_written_read_and_removed(far):
    value = {"LiteralPath": far.key, "Name": "DelegatedMSAEnabled"}
    write = {**value, "Value": 1, "PropertyType": "DWord"}
    assert far.send(APP03, "New-ItemProperty", **write).errors[0].category == "WriteError"
    far.ok(APP03, "New-ItemProperty", Force=True, **write)
    assert far.one(APP03, "Get-ItemProperty", **value)["DelegatedMSAEnabled"] == 1
    far.ok(APP03, "Remove-ItemProperty", **value)
    assert far.send(APP03, "Remove-ItemProperty", **value).errors != ()
    assert far.send(APP03, "Get-ItemProperty", ErrorAction="SilentlyContinue", **value).errors == ()
    assert far.send(APP03, "Get-ItemProperty", ErrorAction="Stop", **value).failure is not None
    missing = far.send(APP02, "Get-ItemProperty", **value).errors[0]
    assert (missing.category, missing.exception) == (
        "ObjectNotFound",
        "System.Management.Automation.ItemNotFoundException",
    )


def test_the_windows_version(far):
    path = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    found = far.one(far.dc, "Get-ItemProperty", LiteralPath=path, Name=["CurrentBuild", "UBR"])
    assert (found["CurrentBuild"], found["UBR"] >= 4946) == ("26100", True)


def test_machines_describe_themselves(far):
    system = far.one(APP01, "Get-CimInstance", ClassName="Win32_ComputerSystem", Property=["Name", "DomainRole"])
    assert (system["Name"], system["DomainRole"], system["Domain"]) == ("APP01", 3, None)
    assert far.one(far.dc, "Get-CimInstance", ClassName="Win32_OperatingSystem")["ProductType"] == 2


def test_identities_are_the_same_in_every_run(far, estate_with):
    assert far.user()["ObjectGUID"] == estate_with().user()["ObjectGUID"]
