"""Who is asking. One scheme so far: Basic, over TLS only."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Account:
    """Somebody who may log on: *principal* is what the estate knows it as (``CORP\\name``)."""

    principal: str
    password: str


class Scheme(Protocol):
    """One way to authenticate, as HTTP sees it."""

    challenge: str
    """What a 401 offers in ``WWW-Authenticate``."""

    def principal(self, authorization: str) -> str | None:
        """Return who sent this ``Authorization`` header; None if it proves nothing."""


class Basic:
    """User name and password in each request (RFC 7617). Names are compared without regard to case."""

    challenge = 'Basic realm="WSMAN"'

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = {name.lower(): account for name, account in accounts.items()}

    def principal(self, authorization: str) -> str | None:
        """Return the principal whose name and password these are."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self._accounts.get(name.lower())
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
            return None
        return account.principal
