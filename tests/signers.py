"""People with Ed25519 keys of their own, the same in every test."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from orchestrator.model.signature import message
from orchestrator.model.words import Approval


def key_of(name: str) -> Ed25519PrivateKey:
    """Return somebody's private key."""
    return Ed25519PrivateKey.from_private_bytes(name.casefold().encode().ljust(32, b".")[:32])


def line_of(name: str) -> str:
    """Return somebody's public key as OpenSSH writes it."""
    public = key_of(name).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public.decode()} {name}"


def raw_of(name: str) -> str:
    """Return somebody's public key as 32 bytes in base64."""
    return base64.b64encode(key_of(name).public_key().public_bytes_raw()).decode()


def private_of(name: str, form: PrivateFormat = PrivateFormat.OpenSSH, passphrase: str = "") -> bytes:
    """Return somebody's private key as it stands in a file."""
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase.encode())
    return key_of(name).private_bytes(Encoding.PEM, form, encryption)


def signed_by(name: str, word: Approval, plan: str) -> Approval:
    """Return an approval with somebody's signature."""
    signature = base64.b64encode(key_of(name).sign(message(word.signed(plan)))).decode()
    return word.model_copy(update={"signature": signature})
