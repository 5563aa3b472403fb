"""From the plan's estate to the settings of one host."""

from __future__ import annotations

import sys
import types

import pytest

from orchestrator.model.observation import FaultKind
from orchestrator.model.plan import Estate
from orchestrator.remote import connection
from orchestrator.remote.connection import Connections, Secret, Unconfigured

HOST = "app01.corp.example"


def settings(tmp_path, *entries, environment=None, addresses=None, host=HOST):
    estate = Estate(connections=entries, addresses=addresses or {})
    return Connections(estate, tmp_path, (environment or {}).get).settings(host)


def fault(tmp_path, *entries, **more):
    with pytest.raises(Unconfigured) as refusal:
        settings(tmp_path, *entries, **more)
    found = refusal.value.fault
    assert (found.kind, found.reached) == (FaultKind.PERMANENT, False)
    assert found.remedy
    assert "\n" not in found.message
    return found.code, found.message


def test_the_first_match_wins_without_regard_to_case(tmp_path):
    entries = (
        {"match": "*.DMZ.corp.example", "auth": "certificate", "certificate": "c", "key": "${file:c}"},
        {"match": "*", "auth": "ntlm"},
    )
    (tmp_path / "c").write_text("")
    assert settings(tmp_path, *entries, host="web01.dmz.corp.example").auth == "certificate"
    assert settings(tmp_path, *entries).auth == "ntlm"
    assert fault(tmp_path, {"match": "*.other", "auth": "ntlm"}) == (
        "no-connection",
        f"{HOST}: no entry of estate.connections matches it",
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", ("10.0.0.1", 5986)),
        ("10.0.0.1:443", ("10.0.0.1", 443)),
        ("other.example:443", ("other.example", 443)),
        ("fd00::1", ("fd00::1", 5986)),
        ("[fd00::1]", ("fd00::1", 5986)),
        ("[fd00::1]:443", ("fd00::1", 443)),
    ],
)
def test_an_address_says_where_and_its_port_wins(tmp_path, address, expected):
    found = settings(tmp_path, {"match": "*", "auth": "ntlm"}, addresses={HOST.upper(): address})
    assert (found.host, found.address, found.port) == (HOST, *expected)


def test_secrets_come_from_where_the_plan_says(tmp_path, monkeypatch):
    (tmp_path / "pw").write_text("from file\n")
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, user: "from keyring" if (service, user) == ("a/b", "u") else None
    keyring.__spec__ = types.SimpleNamespace()
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    base = {"match": "*", "auth": "ntlm", "username": "CORP\\runner"}
    found = settings(tmp_path, {**base, "password": "${env:PW}"}, environment={"PW": "from env"})
    assert (found.username.reveal(), found.password.reveal()) == ("CORP\\runner", "from env")
    assert settings(tmp_path, {**base, "password": "${file:pw}"}).password.reveal() == "from file"
    assert settings(tmp_path, {**base, "password": "${keyring:a/b/u}"}).password.reveal() == "from keyring"
    assert fault(tmp_path, {**base, "password": "${keyring:x/y}"})[0] == "missing-secret"
    assert "from" not in repr(found)
    assert "runner" not in repr(found)
    assert str(Secret("x")) == "<secret>"


def test_what_is_missing_is_named(tmp_path):
    basic = {"match": "*", "auth": "basic", "username": "u"}
    assert fault(tmp_path, {**basic, "password": "${env:NOPE}"}) == (
        "missing-secret",
        f"{HOST}: password is to come from the environment variable NOPE, which is not set",
    )
    where = tmp_path / "nope"
    assert fault(tmp_path, {**basic, "password": "${file:nope}"}) == (
        "missing-file",
        f"{HOST}: password is to be {where}, which is not a file",
    )
    assert fault(tmp_path, {**basic, "password": "${env:PW}", "tls": {"ca": "nope"}}, environment={"PW": "x"}) == (
        "missing-file",
        f"{HOST}: tls.ca is to be {where}, which is not a file",
    )
    assert fault(tmp_path, basic)[0] == "missing-secret"
    assert fault(tmp_path, {"match": "*", "auth": "certificate"})[0] == "missing-certificate"


def test_a_file_that_is_no_text_is_told_without_its_contents(tmp_path):
    (tmp_path / "pw").write_bytes(b"\xff\xfe")
    code, message = fault(tmp_path, {"match": "*", "auth": "ntlm", "password": "${file:pw}"})
    assert (code, "UnicodeDecodeError" in message) == ("missing-secret", True)


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
def test_kerberos_is_needed_before_a_host_is_tried(tmp_path, monkeypatch, auth):
    monkeypatch.setattr(connection, "_KERBEROS_MODULES", ("no_such_library",))
    assert fault(tmp_path, {"match": "*", "auth": auth}) == (
        "kerberos-missing",
        f"{HOST}: auth: {auth} needs Kerberos, and its library is not installed",
    )


def test_keyring_is_optional(tmp_path, monkeypatch):
    monkeypatch.setattr(connection.importlib.util, "find_spec", lambda _: None)
    assert fault(tmp_path, {"match": "*", "auth": "ntlm", "password": "${keyring:a/u}"})[0] == "keyring-missing"


def test_a_key_file_is_used_where_it_lies_and_a_key_from_elsewhere_is_a_secret(tmp_path):
    for name in ("c.pem", "k.pem", "ca.pem"):
        (tmp_path / name).write_text(name)
    base = {"match": "*", "auth": "certificate", "certificate": "c.pem", "tls": {"ca": "ca.pem"}}
    found = settings(tmp_path, {**base, "key": "${file:k.pem}"})
    assert (found.certificate, found.key) == (tmp_path / "c.pem", tmp_path / "k.pem")
    assert found.verify == str(tmp_path / "ca.pem")
    assert settings(tmp_path, {**base, "key": "${env:K}"}, environment={"K": "pem"}).key.reveal() == "pem"


def test_verification_is_on_unless_the_plan_turns_it_off(tmp_path):
    assert settings(tmp_path, {"match": "*", "auth": "ntlm"}).verify is True
    assert settings(tmp_path, {"match": "*", "auth": "ntlm", "tls": {"verify": False}}).verify is False


def test_without_tls_the_port_is_another_unless_the_plan_says_which(tmp_path):
    base = {"match": "*", "auth": "ntlm", "transport": "http"}
    assert (settings(tmp_path, base).port, settings(tmp_path, base).tls) == (5985, False)
    assert settings(tmp_path, {**base, "port": 5986}).port == 5986
    assert settings(tmp_path, base, addresses={HOST: "10.0.0.1:80"}).port == 80
    assert (settings(tmp_path, {"match": "*", "auth": "ntlm"}).port, settings(tmp_path, base).tls) == (5986, False)


@pytest.mark.parametrize("auth", ["basic", "certificate"])
def test_what_anybody_could_read_is_not_sent(tmp_path, auth):
    assert fault(tmp_path, {"match": "*", "auth": auth, "transport": "http"})[0] == "not-without-tls"


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
def test_kerberos_takes_no_name_of_the_other_form_and_does_not_repeat_it(tmp_path, monkeypatch, auth):
    monkeypatch.setattr(connection, "_KERBEROS_MODULES", ())
    found = fault(tmp_path, {"match": "*", "auth": auth, "username": "${env:U}"}, environment={"U": "CORP\\hidden"})
    assert (found[0], "hidden" in found[1]) == ("username-form", False)
    entry = {"match": "*", "auth": auth, "username": "runner@CORP.EXAMPLE"}
    assert settings(tmp_path, entry).username.reveal() == "runner@CORP.EXAMPLE"
