"""Who is asking: accounts, what is known of a connection, and the two ways to log on that take one request.

A scheme is one way to log on. It sees the ``Authorization`` header and the line that it came by, and gives one of
three answers: come in, go on (there is another leg of the handshake to walk), or nothing, which is a 401.
:mod:`orchestrator.lab.wire.negotiate` holds the schemes whose handshake takes several requests.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.lab.wire.certificates import upn
from orchestrator.lab.wire.sealed import Sealer

MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
"""What stands in ``Authorization`` when the client's certificate is to count (MS-WSMV 3.1.4.1.29.2)."""


@dataclass(frozen=True)
class Account:
    """Somebody who may log on: *principal* is what the estate knows it as (``CORP\\name``).

    A *locked* account is refused whatever it shows; one that is not *remote* is let in by no endpoint (it is in
    none of the groups that the session configurations name).
    """

    principal: str
    password: str = field(repr=False)
    locked: bool = False
    remote: bool = True


class Accounts:
    """Accounts by each of their spellings; names are compared without regard to case."""

    def __init__(self, spelled: Mapping[str, Account]) -> None:
        self.spelled = {name.lower(): account for name, account in spelled.items()}

    def named(self, name: str) -> Account | None:
        """Return the account that *name* spells and that may log on."""
        account = self.spelled.get(name.lower())
        return None if account is None or account.locked else account


@dataclass(frozen=True)
class Logon:
    """Somebody who has proved to be *account*. *delegated* names the owner of the ticket that came along, if any."""

    account: Account
    delegated: str | None = None


@dataclass
class Line:
    """One connection of a client to *host*: what its TLS says, and what a handshake has made of it so far.

    ``binding`` is the hash of the host's certificate that a handshake is bound to (RFC 5929, tls-server-end-point);
    there is none without TLS. ``certificate`` is the client's, whose chain TLS has checked.
    """

    host: str
    binding: bytes | None = None
    certificate: bytes | None = None
    handshake: object = None
    logon: Logon | None = None
    sealer: Sealer | None = None
    known: bool = False
    """Whether somebody has logged on by it."""

    @property
    def secure(self) -> bool:
        """Whether nobody else can read what travels here."""
        return self.binding is not None


@dataclass(frozen=True)
class Admitted:
    """The caller is known, for this request; *challenge* is the host's last word of the handshake."""

    logon: Logon
    challenge: str | None = None


@dataclass(frozen=True)
class Continued:
    """The handshake goes on: a 401 with this ``WWW-Authenticate``."""

    challenge: str


Answer = Admitted | Continued | None


class Scheme(Protocol):
    """One way to log on, as HTTP sees it."""

    def challenges(self, line: Line) -> tuple[str, ...]:
        """Return what a 401 offers in ``WWW-Authenticate``; nothing on a line where it must not be used."""

    def answer(self, authorization: str, line: Line) -> Answer:
        """Judge this ``Authorization`` header; None if it proves nothing, or is another scheme's."""


class Basic(Accounts):
    """User name and password in each request (RFC 7617), on a line that nobody else can read."""

    def challenges(self, line: Line) -> tuple[str, ...]:
        """Offer it where there is TLS."""
        return ('Basic realm="WSMAN"',) if line.secure else ()

    def answer(self, authorization: str, line: Line) -> Answer:
        """Admit whose name and password these are."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic" or not line.secure:
            return None
        try:
            name, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self.named(name)
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
            return None
        return Admitted(Logon(account))


class ClientCertificate(Accounts):
    """A certificate that TLS has checked, mapped to an account by the UPN in its alternative names.

    Windows has a table of such mappings, from a pattern on that name (MS-WSMV 2.2.4.3).
    """

    def challenges(self, line: Line) -> tuple[str, ...]:
        """Offer nothing: who has a certificate shows it."""
        del line
        return ()

    def answer(self, authorization: str, line: Line) -> Answer:
        """Admit the account that the certificate is mapped to."""
        if authorization != MUTUAL or line.certificate is None:
            return None
        account = self.named(upn(line.certificate) or "")
        return Admitted(Logon(account)) if account else None
