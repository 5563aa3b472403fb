"""Ed25519 signatures of approvals: public keys as plans name them, what is signed, and whether a signature fits.

All of it is a function of what it is given; who holds a private key is none of this room's business.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

import rfc8785

_NAME = b"ssh-ed25519"
_LENGTH = 32
_SIGNATURE = 64


def public_key(text: str) -> bytes:
    """Return the 32 bytes of an Ed25519 public key.

    Args:
        text: a line as OpenSSH writes it (``ssh-ed25519 AAAA… comment``: RFC 8709, section 4, for the inner form), or
            the 32 bytes in base64 (RFC 8032, section 5.1.5, for the bytes).

    Raises:
        ValueError: it is neither; the text says why.
    """
    words = text.split()
    if not words:
        raise ValueError("it is empty")
    if words[0] == _NAME.decode():
        return _of_openssh(words)
    if "-----BEGIN" in text:
        raise ValueError("it is a PEM block")
    if words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise ValueError(f"it is a key of type {words[0]}")
    raw = _decoded(text.strip())
    if len(raw) != _LENGTH:
        raise ValueError(f"it holds {len(raw)} bytes, and an Ed25519 public key has {_LENGTH}")
    return raw


def _of_openssh(words: list[str]) -> bytes:
    blob = _decoded(words[1]) if len(words) > 1 else b""
    head = len(_NAME).to_bytes(4, "big") + _NAME + _LENGTH.to_bytes(4, "big")
    if not blob.startswith(head) or len(blob) != len(head) + _LENGTH:
        raise ValueError("its second word is not the inner form of an Ed25519 public key; it may be cut off")
    return blob[len(head) :]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None


def message(fields: dict[str, str | None]) -> bytes:
    """Return what is signed: the canonical JSON (RFC 8785) of what is approved, by whom and when, in UTF-8."""
    return bytes(rfc8785.dumps(dict(fields)))


def fits(signature: str | None, public: str, signed: bytes) -> bool:
    """Whether a signature (base64) is that of a message under a public key as a plan names it. Never raises."""
    if signature is None:
        return False
    try:
        return _verified(public_key(public), base64.b64decode(signature, validate=True), signed)
    except (binascii.Error, ValueError):
        return False


@lru_cache(maxsize=4096)
def _verified(public: bytes, signature: bytes, signed: bytes) -> bool:
    # Imported here: a plan without keys never needs it, and it is not quick to load.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(signature) != _SIGNATURE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True
