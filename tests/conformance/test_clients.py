"""Other people's clients, unmodified and each in an environment of its own, speak with the lab's wire."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.lab.command import LabError, Request, Result
from orchestrator.lab.record import Lab
from orchestrator.lab.wire.auth import Account, Accounts
from orchestrator.lab.wire.negotiate import Negotiate
from orchestrator.lab.wire.recorded import RecordedEstate
from tests.conformance.environment import python
from tests.lab.wire.conftest import PASSWORD, Scripted, wire

CLIENTS = Path(__file__).with_name("clients")
ESTATE = "domain: {dns: corp.example, netbios: CORP}\ndcs: [{name: dc01.corp.example}]\n"
COMMANDS = {
    "encryption": "auto",
    "configuration": "Microsoft.PowerShell",
    "commands": [["Get-Thing", {"Name": "x"}], ["Get-Nothing", {}]],
}
SCRIPT_REFUSED = "This endpoint runs commands only, never script text. Nothing was executed."

pytestmark = pytest.mark.service


def does(request: Request) -> Result:
    command = request.statements[0][0]
    if command.name == "Get-Nothing":
        return Result(failure=LabError("NothingThere", "ObjectNotFound", "System.Exception", "there is no such thing"))
    return Result(output=(command.name, command.parameters.get("Name")))


NTLM = {"auth": "ntlm", "username": "CORP\\operator"}
ACCOUNTS = {"CORP\\operator": Account("CORP\\operator", PASSWORD)}


def sealed(engine, folder: Path):
    """Return a wire that takes NTLM on a port without TLS, where each message must be sealed."""
    return wire(engine, folder, Negotiate(Accounts(ACCOUNTS), folder / "logon"), http=True)


def in_the_clear(opened) -> str:
    return next(iter(opened.running.server.http_addresses.values()))


def asked(opened, client: str, environment: str, **given: object) -> object:
    """Run a client in its environment, and return what it saw."""
    address = next(iter(opened.running.server.addresses.values()))
    given = {
        "url": f"https://{address}/wsman",
        "auth": "basic",
        "username": "operator",
        "password": PASSWORD,
        "ca": opened.ca,
        **given,
    }
    ended = subprocess.run(
        [python(environment), CLIENTS / client], input=json.dumps(given), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


class TestAsynchronous:
    """The client of pypsrp 1.0.0b1: its own WSMan on httpx, psrpcore above it."""

    def test_output_and_failure(self, tmp_path):
        with wire(Scripted(does=does), tmp_path) as opened:
            seen = asked(opened, "asynchronous.py", "psrp", **COMMANDS)
        assert seen == [{"output": ["Get-Thing", "x"], "errors": []}, {"failed": "there is no such thing"}]

    def test_ntlm_with_sealed_messages(self, tmp_path):
        with sealed(Scripted(does=does), tmp_path) as opened:
            url = f"http://{in_the_clear(opened)}/wsman"
            seen = asked(opened, "asynchronous.py", "psrp", url=url, **NTLM, **COMMANDS | {"encryption": "always"})
            assert {request.principal for request in opened.engine.seen} == {"CORP\\operator"}
        assert seen == [{"output": ["Get-Thing", "x"], "errors": []}, {"failed": "there is no such thing"}]

    def test_a_wrong_password(self, tmp_path):
        with wire(Scripted(does=does), tmp_path) as opened:
            seen = asked(opened, "asynchronous.py", "psrp", password="wrong", **COMMANDS)
            assert opened.engine.seen == []
        assert seen["raised"] == "WSManAuthenticationError"


class TestWinrs:
    """pywinrm: authentication, and the parsing of a fault; the shell that it wants is not here."""

    def test_a_fault_that_it_can_parse(self, tmp_path):
        with wire(Scripted(), tmp_path) as opened:
            seen = asked(opened, "winrs.py", "pywinrm")
        assert seen["raised"] == "WSManFaultError"
        assert "(http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd) was not found" in seen["text"]
        assert "'wsmanfault_code': 2150858811" in seen["text"]

    def test_ntlm_with_sealed_messages(self, tmp_path):
        with sealed(Scripted(), tmp_path) as opened:
            seen = asked(opened, "winrs.py", "pywinrm", url=f"http://{in_the_clear(opened)}/wsman", **NTLM)
        assert seen["raised"] == "WSManFaultError"
        assert "'wsmanfault_code': 2150858811" in seen["text"]

    def test_a_wrong_password(self, tmp_path):
        with wire(Scripted(), tmp_path) as opened:
            seen = asked(opened, "winrs.py", "pywinrm", password="wrong")
        assert (seen["raised"], seen["text"]) == (
            "InvalidCredentialsError",
            "the specified credentials were rejected by the server",
        )


class TestAnsible:
    """Ansible's psrp connection: it gets in, and its scripts are refused in words that a person understands."""

    @pytest.fixture
    def estate(self, tmp_path):
        lab = Lab(ESTATE, tmp_path / "state", time.monotonic)
        with wire(RecordedEstate(lab), tmp_path) as opened:
            yield opened
        lab.close()

    @staticmethod
    def raw(opened, folder: Path, at: str = "", **changes: object) -> subprocess.CompletedProcess[str]:
        host, port = (at or next(iter(opened.running.server.addresses.values()))).split(":")
        variables = {
            "ansible_port": int(port),
            "ansible_user": "operator",
            "ansible_password": PASSWORD,
            "ansible_psrp_protocol": "https",
            "ansible_psrp_auth": "basic",
            "ansible_psrp_ca_cert": opened.ca,
            "ansible_shell_type": "powershell",
            **changes,
        }
        home = {"HOME": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        command = (python("ansible").with_name("ansible"), "all", "-i", f"{host},", "-c", "psrp")
        task = ("-m", "ansible.builtin.raw", "-a", "Get-ADDomain", "-e", json.dumps(variables))
        return subprocess.run(
            [*command, *task], env={**os.environ, **home}, capture_output=True, text=True, timeout=120
        )

    def test_its_script_is_refused_and_recorded(self, estate, tmp_path):
        ended = self.raw(estate, tmp_path)
        assert ended.returncode == 2
        assert SCRIPT_REFUSED in ended.stdout
        (row,) = [json.loads(line) for line in (tmp_path / "state" / "commands.jsonl").read_text().splitlines()]
        assert (row["script"], row["outcome"]) == (True, "refused")

    def test_a_wrong_password(self, estate, tmp_path):
        ended = self.raw(estate, tmp_path, ansible_password="wrong")
        assert ended.returncode == 4
        assert "Failed to authenticate the user operator with basic" in ended.stdout
        assert (tmp_path / "state" / "commands.jsonl").read_text() == ""

    def test_ntlm_with_sealed_messages(self, tmp_path):
        lab = Lab(ESTATE, tmp_path / "state", time.monotonic)
        with sealed(RecordedEstate(lab), tmp_path) as opened:
            by_ntlm = {
                "ansible_user": NTLM["username"],
                "ansible_psrp_auth": "ntlm",
                "ansible_psrp_protocol": "http",
                "ansible_psrp_message_encryption": "always",
            }
            ended = self.raw(opened, tmp_path, in_the_clear(opened), **by_ntlm)
        lab.close()
        assert SCRIPT_REFUSED in ended.stdout
        assert '"principal": "CORP\\\\operator"' in (tmp_path / "state" / "commands.jsonl").read_text()
