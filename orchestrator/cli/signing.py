"""The private key of an approver: read from its file, used once, and never shown, logged or kept."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from orchestrator.errors import InputInvalid

_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_LARGEST = 64 * 1024


def ask_passphrase(file: Path) -> str:
    """Ask for the passphrase of a key on the terminal, without showing it.

    Raises:
        InputInvalid: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise InputInvalid(
            f"--key {file}: the key has a passphrase, and there is no terminal to ask for it. Nothing was done. Run "
            "the command on a terminal."
        )
    passphrase: str = typer.prompt(f"Passphrase of {file}", hide_input=True, err=True)
    return passphrase


class Signer:
    """An Ed25519 private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def of(cls, file: Path, passphrase: Callable[[Path], str] = ask_passphrase) -> Signer:
        """Read the key from its file: OpenSSH's own form, or PEM (PKCS #8).

        Raises:
            InputInvalid: it cannot be read, or is no private Ed25519 key. The text holds nothing of what is in it.
        """
        try:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST)
        except OSError as wrong:
            raise InputInvalid(f"--key {file}: it cannot be read: {wrong.strerror}. Nothing was done.") from None
        key = _loaded(file, content, passphrase)
        if not isinstance(key, Ed25519PrivateKey):
            raise InputInvalid(
                f"--key {file}: it is a key of another kind. Nothing was done. Approvals are signed with Ed25519: "
                "`ssh-keygen -t ed25519` makes one."
            )
        return cls(key)

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> str:
        """Return the signature of a message, in base64."""
        return base64.b64encode(self._key.sign(message)).decode()


def _loaded(file: Path, content: bytes, passphrase: Callable[[Path], str]) -> object:
    load = load_ssh_private_key if content.lstrip().startswith(_OPENSSH) else load_pem_private_key
    try:
        try:
            return load(content, None)
        except TypeError:  # what the library raises where a passphrase is missing
            return load(content, passphrase(file).encode())
    except UnsupportedAlgorithm:
        raise InputInvalid(
            f"--key {file}: a key that OpenSSH has encrypted can only be read where the Python package bcrypt is "
            "installed beside dmsa. Nothing was done. Install it, or use an encrypted PEM key: `openssl genpkey "
            "-algorithm ed25519 -aes256 -out FILE` makes one."
        ) from None
    except (ValueError, TypeError):
        raise InputInvalid(
            f"--key {file}: no private key can be read from it, or the passphrase is wrong. Nothing was done. It takes "
            "an Ed25519 key as OpenSSH or PEM (PKCS #8) have it."
        ) from None
