"""Who may log on to a lab that is served, and what its state directory holds for it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from orchestrator.errors import InputInvalid, PersonNeeded
from orchestrator.lab import access as access_module
from orchestrator.lab.access import Access
from orchestrator.lab.embedded import EmbeddedLab
from orchestrator.lab.estate import EstateInvalid, load_spec
from orchestrator.lab.serve import _Ready
from orchestrator.lab.wire.certificates import Authority

HOST = "dc01.corp.example"


def estate(**access) -> str:
    """An estate file with this ``access``."""
    return json.dumps({"domain": {"dns": "corp.example", "netbios": "CORP"}, "dcs": [{"name": HOST}], "access": access})


def given(folder: Path, **access) -> Access:
    return Access(load_spec(estate(**access)), folder, folder)


def asked(lab: EmbeddedLab, **connection) -> PowerShell:
    address, port = lab.addresses[HOST].split(":")
    with WSMan(address, port=int(port), cert_validation=str(lab.ca), **connection) as client:
        with RunspacePool(client) as pool:
            shell = PowerShell(pool).add_cmdlet("Get-ADRootDSE")
            shell.invoke()
        return shell


@pytest.mark.parametrize(
    ("access", "says"),
    [
        ({"methods": []}, "at least 1 item"),
        ({"methods": ["digest"]}, "basic"),
        ({"methods": ["kerberos"]}, "keytab need each other"),
        ({"keytab": "k"}, "keytab need each other"),
        ({"callers": [{"name": "a"}, {"name": "A"}]}, "listed twice"),
        ({"callers": [{"name": "../a"}]}, "match pattern"),
    ],
)
def test_what_no_estate_can_say(access, says):
    with pytest.raises(EstateInvalid, match=says):
        load_spec(estate(**access))


def test_each_caller_logs_on_as_far_as_it_may(tmp_path):
    (tmp_path / "secret").write_text("chosen: by hand\n")
    callers = [
        {"name": "operator", "password_file": "secret"},
        {"name": "second"},
        {"name": "late", "locked": True},
        {"name": "stranger", "remote": False},
    ]
    file = tmp_path / "estate.yaml"
    file.write_text(estate(methods=["basic", "ntlm", "certificate"], callers=callers))
    with EmbeddedLab(file, tmp_path / "state") as lab:
        made_up = {path.name: path.read_text() for path in (lab.state / "passwords").iterdir()}
        assert set(made_up) == {"second", "late", "stranger"}
        assert lab.password == "chosen: by hand"
        for auth in ("basic", "ntlm"):
            asked(lab, auth=auth, username="CORP\\operator", password="chosen: by hand")
            asked(lab, auth=auth, username="CORP\\second", password=made_up["second"])
            with pytest.raises(AuthenticationError):
                asked(lab, auth=auth, username="CORP\\late", password=made_up["late"])
            with pytest.raises(WSManFaultError):
                asked(lab, auth=auth, username="CORP\\stranger", password=made_up["stranger"])
        pem = lab.state / "certificates" / "second.pem"
        asked(lab, auth="certificate", certificate_pem=str(pem), certificate_key_pem=str(pem.with_suffix(".key")))
        who = [json.loads(line)["principal"] for line in (lab.state / "commands.jsonl").read_text().splitlines()]
        assert who == ["CORP\\operator", "CORP\\second"] * 2 + ["CORP\\second"]
        secret = [*lab.state.glob("passwords/*"), *lab.state.glob("certificates/*.key"), *lab.state.glob("logon/*")]
        assert secret
        assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
        assert not (lab.state / "password").exists(), "what somebody chose is not copied"
    with EmbeddedLab(file, tmp_path / "state") as lab:
        assert made_up == {path.name: path.read_text() for path in (lab.state / "passwords").iterdir()}


@pytest.mark.parametrize(
    ("access", "says"),
    [
        ({"callers": [{"name": "operator", "password_file": "nowhere"}]}, "nowhere, which cannot be read"),
        ({"methods": ["kerberos"], "keytab": "nowhere"}, "access.keytab is .*nowhere, which is not a file"),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch, access, says):
    monkeypatch.setattr(access_module, "find_spec", lambda name: name)
    with pytest.raises(InputInvalid, match=says):
        given(tmp_path, **access).schemes()


def test_kerberos_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(access_module, "find_spec", lambda _: None)
    with pytest.raises(PersonNeeded, match=r"pip install 'dmsa-orchestrator\[kerberos\]'"):
        given(tmp_path, methods=["kerberos"], keytab="k").schemes()


@pytest.mark.parametrize("method", ["basic", "ntlm", "kerberos", "certificate"])
def test_the_page_shows_a_connection_of_the_first_method(tmp_path, method):
    keytab = {"keytab": "k"} if method == "kerberos" else {}
    access = given(tmp_path, methods=[method], http=True, **keytab)
    certificates = access.certify(Authority())
    page = _Ready(access, {HOST: "127.0.0.1:1"}, {HOST: "127.0.0.1:2"}, certificates, tmp_path / "ca.pem").page()
    (connection,) = yaml.safe_load(page.split("\n\n")[1])["estate"]["connections"]
    assert connection["auth"] == method
    assert (connection.get("username"), connection.get("certificate")) == {
        "basic": ("CORP\\operator", None),
        "ntlm": ("CORP\\operator", None),
        "kerberos": ("operator@CORP.EXAMPLE", None),
        "certificate": (None, str(tmp_path / "certificates" / "operator.pem")),
    }[method]
    assert f"{HOST}: 127.0.0.1:2" in page
