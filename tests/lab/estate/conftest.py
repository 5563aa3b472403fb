from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from orchestrator.lab.command import Command, LabObject, Request, Result
from orchestrator.lab.estate import Estate, load_spec

PLAIN = "Microsoft.PowerShell"
QUICKSTART = (Path(__file__).parents[3] / "plans/estates/quickstart.yaml").read_text(encoding="utf-8")


class Far:
    """An estate and short words for talking to it."""

    dc = "dc01.corp.example"
    dc2 = "dc02.corp.example"
    account = "CN=svc-report,OU=Service Accounts,DC=corp,DC=example"
    dmsa = "CN=dmsa-report,OU=Managed,DC=corp,DC=example"
    key = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters"

    def __init__(self, **changes):
        data = yaml.safe_load(QUICKSTART)
        data.update(changes)
        self.estate = Estate(load_spec(yaml.safe_dump(data)))
        self.calls = 0

    def request(self, host, *statements, configuration=PLAIN, principal="CORP\\operator", alone=True, shell=1):
        self.calls += 1
        lines = tuple((item,) if isinstance(item, Command) else tuple(item) for item in statements)
        return Request(host, UUID(int=shell), UUID(int=self.calls), principal, lines, configuration, alone)

    def send(self, host, name, /, configuration=PLAIN, principal="CORP\\operator", **parameters) -> Result:
        request = self.request(host, Command(name, parameters), configuration=configuration, principal=principal)
        return self.estate.execute(request)

    def ok(self, host, name, /, **parameters) -> list:
        result = self.send(host, name, **parameters)
        assert result.failure is None, result.failure
        assert result.errors == (), result.errors
        return list(result.output)

    def one(self, host, name, /, **parameters) -> dict:
        (item,) = self.ok(host, name, **parameters)
        assert isinstance(item, LabObject)
        return dict(item.properties)

    def pass_time(self, **delta):
        self.estate.advance(timedelta(**delta))

    def user(self, *properties, server=None, identity=None):
        dc = server or self.dc
        return self.one(dc, "Get-ADUser", Identity=identity or self.account, Properties=list(properties), Server=dc)

    def managed(self, *properties, server=None, identity=None):
        dc = server or self.dc
        asked = list(properties)
        return self.one(dc, "Get-ADServiceAccount", Identity=identity or self.dmsa, Properties=asked, Server=dc)

    def create(self, name="dmsa-report", **parameters):
        values = {"DNSHostName": f"{name}.corp.example", "CreateDelegatedServiceAccount": True, "Server": self.dc}
        values["Path"] = "OU=Managed,DC=corp,DC=example"
        return self.send(self.dc, "New-ADServiceAccount", Name=name, **(values | parameters))

    def migrate(self, verb, dmsa=None, account=None) -> Result:
        name = f"{verb}-ADServiceAccountMigration"
        pair = {"Identity": dmsa or self.dmsa, "SupersededAccount": account or self.account}
        return self.send(self.dc, name, Server=self.dc, **pair)

    def enable(self, host, value=1):
        if not self.ok(host, "Test-Path", LiteralPath=self.key)[0]:
            parent = self.key.rpartition("\\")[0]
            if not self.ok(host, "Test-Path", LiteralPath=parent)[0]:
                self.ok(host, "New-Item", Path=parent)
            self.ok(host, "New-Item", Path=self.key)
        values = {"Name": "DelegatedMSAEnabled", "Value": value, "PropertyType": "DWord", "Force": True}
        self.ok(host, "New-ItemProperty", LiteralPath=self.key, **values)

    def service(self, host, name):
        return self.one(host, "Get-CimInstance", ClassName="Win32_Service", Filter=f"Name = '{name}'")

    def principals(self, server=None):
        name = "PrincipalsAllowedToRetrieveManagedPassword"
        return self.managed(name, server=server).get(name, [])


@pytest.fixture
def far() -> Far:
    """The quick-start estate with the dMSA of svc-report created."""
    made = Far()
    assert made.create().failure is None
    return made


@pytest.fixture(scope="session")
def estate_with() -> Callable[..., Far]:
    """Build the quick-start estate with top-level keys replaced."""
    return Far
