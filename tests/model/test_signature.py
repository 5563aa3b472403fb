"""Public keys as plans name them, and what is signed."""

import base64

import pytest

from orchestrator.model.signature import fits, message, public_key
from tests.signers import key_of, line_of, raw_of

GOOD = line_of("ann")
BLOB = GOOD.split()[1]


def test_a_key_as_openssh_writes_it_and_as_32_bytes_is_the_same():
    own = key_of("ann").public_key().public_bytes_raw()
    assert public_key(GOOD) == public_key(f"  ssh-ed25519 {BLOB}\n") == public_key(raw_of("ann")) == own


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("ssh-ed25519", "its second word is not the inner form"),
        (f"ssh-ed25519 {BLOB[:-4]}", "its second word is not the inner form"),
        (f"ssh-ed25519 {BLOB}AAAA", "its second word is not the inner form"),
        ("ssh-ed25519 !!!", "it is not base64"),
        (BLOB, "it holds 51 bytes"),
        (raw_of("ann")[:-4], "it holds 30 bytes"),
        ("ssh-rsa AAAAB3NzaC1yc2E=", "it is a key of type ssh-rsa"),
        ("sk-ssh-ed25519@openssh.com AAAA", "it is a key of type sk-ssh-ed25519@openssh.com"),
        ("ecdsa-sha2-nistp256 AAAA", "it is a key of type ecdsa-sha2-nistp256"),
        ("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", "it is a PEM block"),
        ("ann", "it is not base64"),
        ("ключ", "it is not base64"),
    ],
)
def test_what_is_no_key_says_why(text, why):
    with pytest.raises(ValueError, match=why):
        public_key(text)


def test_what_is_signed_is_canonical_json():
    """RFC 8785: keys in order, no white space, UTF-8; whoever checks a signature elsewhere makes the same bytes."""
    assert message({"b": "é", "a": None}) == '{"a":null,"b":"é"}'.encode()


def test_a_signature_fits_its_message_and_key_alone():
    signed = base64.b64encode(key_of("ann").sign(b"yes")).decode()
    assert fits(signed, GOOD, b"yes")
    assert not fits(signed, GOOD, b"no")
    assert not fits(signed, line_of("ben"), b"yes")
    assert not fits(signed, "no key", b"yes")
    assert not fits(None, GOOD, b"yes")


def test_the_vectors_of_the_standard_fit():
    """RFC 8032, section 7.1, TEST 1 to 3."""
    for public, signed, signature in VECTORS:
        key, made = (base64.b64encode(bytes.fromhex(one)).decode() for one in (public, signature))
        assert fits(made, key, bytes.fromhex(signed))
        assert not fits(made, key, bytes.fromhex(signed) + b".")


VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
)
