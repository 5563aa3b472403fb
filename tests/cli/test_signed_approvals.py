"""Approvals with signatures: keys in files, what is refused, and rows of the journal that somebody forged."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jsonschema import Draft202012Validator

from orchestrator.cli.signing import Signer
from orchestrator.errors import InputInvalid
from orchestrator.model.words import Approved
from orchestrator.planfile import load_plan
from tests.cli.desk import SHAPES
from tests.cli.office import AT, GATE, Office
from tests.signers import key_of, line_of, private_of, raw_of, signed_by


def keyed(plan: dict[str, Any]) -> None:
    plan["policy"]["approvals"]["keys"] = {"ann": line_of("ann"), "Ben": raw_of("ben")}


@pytest.fixture
def signing(tmp_path: Path) -> Office:
    office = Office(tmp_path, lab=True, change=keyed).begin()
    for name in ("ann", "ben", "eve"):
        (tmp_path / name).write_bytes(private_of(name))
    (tmp_path / "ann.pem").write_bytes(private_of("ann", PrivateFormat.PKCS8))
    return office


@pytest.mark.parametrize("file", ["ann", "ann.pem"])
def test_a_signed_approval_counts_and_the_journal_bears_it_out(signing, file):
    approved = signing.approve(*GATE, "--key", str(signing.folder / file), by="ann")
    assert approved.code == 0
    assert "    ann until 2026-03-09T12:00:00Z, signed\n" in approved.said
    (word,) = signing.words()
    assert word == signed_by("ann", word, "erp")
    checked = signing.dmsa("journal", "verify")
    assert checked.code == 0
    assert checked.said.endswith(": 1 signed approval, each by the key in its plan\n")
    document = json.loads(signing.dmsa("journal", "verify", "--json").said)
    assert document["signatures"] == 1


@pytest.mark.parametrize(
    ("by", "key", "code", "said"),
    [
        ("ann", None, 4, "is not signed, and the plan has keys. Nothing was done. `--key FILE` signs it."),
        ("eve", None, 4, "is by somebody who has no key in the plan"),
        ("eve", "eve", 4, "is by somebody who has no key in the plan"),
        ("ann", "eve", 4, "it is not the private key of the public key that the plan has for ann"),
        ("ann", "ben", 4, "it is not the private key of the public key that the plan has for ann"),
        ("operator", None, 4, "is by somebody who has no key in the plan"),
        ("CORP\\ann", "ann", 4, "is by somebody who has no key in the plan"),
        ("ann", "nowhere", 3, "it cannot be read: No such file or directory"),
        ("ann", "plan.yaml", 3, "no private key can be read from it"),
    ],
)
def test_what_is_not_signed_as_the_plan_wants_it_is_refused(signing, by, key, code, said):
    ended = signing.approve(*GATE, *(("--key", str(signing.folder / key)) if key else ()), by=by)
    assert ended.code == code
    assert said in ended.said
    assert "Nothing was done." in ended.said
    assert signing.words() == []


def test_capitals_of_a_name_do_not_matter_to_its_key(signing):
    assert signing.approve(*GATE, "--key", str(signing.folder / "ben"), by="BEN").code == 0


def test_a_key_where_the_plan_has_none_is_refused(tmp_path):
    lab = Office(tmp_path, lab=True).begin()
    (lab.folder / "ann").write_bytes(private_of("ann"))
    ended = lab.approve(*GATE, "--key", str(lab.folder / "ann"), by="ann")
    assert ended.code == 3
    assert "names no public keys" in ended.said


def test_the_key_itself_is_nowhere_afterwards(signing):
    secret = key_of("ann").private_bytes_raw()
    signing.approve(*GATE, "--key", str(signing.folder / "ann"), by="ann")
    for file in signing.folder.iterdir():
        if file.name.startswith("journal"):
            assert secret not in file.read_bytes()
            assert secret.hex().encode() not in file.read_bytes()


def test_a_key_with_a_passphrase_is_asked_for_it(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(private_of("ann", PrivateFormat.PKCS8, "open sesame"))
    assert Signer.of(file, lambda _file: "open sesame").public == key_of("ann").public_key().public_bytes_raw()
    with pytest.raises(InputInvalid, match="or the passphrase is wrong") as wrong:
        Signer.of(file, lambda _file: "hunter2")
    assert "hunter2" not in str(wrong.value)
    with pytest.raises(InputInvalid, match="there is no terminal to ask for it"):
        Signer.of(file)


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())],
    ids=["rsa", "ecdsa"],
)
@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8], ids=["openssh", "pem"])
def test_a_key_of_another_kind_is_refused(tmp_path, key, form):
    (tmp_path / "key").write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    with pytest.raises(InputInvalid, match="it is a key of another kind"):
        Signer.of(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x00\xff", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(InputInvalid, match="no private key can be read from it"):
        Signer.of(tmp_path / "key")


# What the journal holds is checked.


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({}, None),
        ({"by": "Ben"}, "has a signature that does not fit"),
        ({"by": "eve"}, "is by somebody who has no key in the plan"),
        ({"gate": "complete"}, "has a signature that does not fit"),
        ({"given": AT + timedelta(days=300)}, "has a signature that does not fit"),
        ({"reason": "another"}, "has a signature that does not fit"),
        ({"signature": None}, "is not signed, and the plan has keys"),
        ({"digest": "0" * 64}, "is of a plan (digest 000000000000) that the run did not go by"),
    ],
)
def test_a_row_that_somebody_forged_is_named_and_counts_for_nothing(signing, forged, why):
    signing.approve(*GATE, "--key", str(signing.folder / "ben"), by="ben")
    digest = load_plan(signing.file).digest
    true = signed_by("ann", Approved(wave="main", gate="start", digest=digest, by="ann", given=AT), "erp")
    signing.tell(true.model_copy(update=forged))
    checked = signing.dmsa("journal", "verify")
    given = {one["by"]: one["counts"] for gate in signing.status()["waves"][0]["approvals"] for one in gate["given"]}
    if why is None:
        assert (checked.code, given) == (0, {"ben": True, "ann": True})
        return
    assert checked.code == 5
    assert (
        f"row 4 is as it was written, but wave main, before {forged.get('gate', 'start')}: the approval of"
        in checked.said
    )
    assert why in checked.said
    assert given.pop(forged.get("by", "ann")) is False
    document = json.loads(signing.dmsa("journal", "verify", "--json").said)
    Draft202012Validator(SHAPES["journal", "verify"]()).validate(document)
    assert (document["intact"], document["row"], document["exit"]) == (True, 4, 5)
