"""From the plan's ``estate`` to what one host is reached with.

The first connection whose pattern matches the host applies; an address (and port) of ``estate.addresses``
changes where the packets go, never the name that TLS, the Host header and Kerberos are held to. Secrets are
references in the plan; they are looked up when a host is first called, and live in :class:`Secret`, which no
message, log line or traceback of ours prints.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from orchestrator.model.observation import Fault, FaultKind
from orchestrator.model.plan import Connection, Estate

_REFERENCE = re.compile(r"\$\{(env|file|keyring):([^}]+)\}")
_HTTP = 5985
"""The port of WinRM without TLS (Microsoft Learn, "Installation and configuration for WinRM")."""
_KERBEROS_MODULES = ("sspilib",) if sys.platform == "win32" else ("gssapi", "krb5")


class Unconfigured(Exception):
    """A host cannot even be tried with what the plan and the runner hold; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Secret:
    """A value that is not to be seen. Only :meth:`reveal` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__


@dataclass(frozen=True)
class Settings:
    """Everything needed to talk to one host. ``address`` is where to connect; ``host`` is who must answer."""

    host: str
    port: int
    address: str
    auth: str
    tls: bool = True
    username: Secret | None = None
    password: Secret | None = None
    certificate: Path | None = None
    key: Path | Secret | None = None
    verify: bool | str = True
    configuration: str = "Microsoft.PowerShell"
    delegate: bool = False
    timeout: float = 30.0


@dataclass(frozen=True)
class Connections:
    """The connections of an estate; relative paths are relative to *base*, the plan file's directory."""

    estate: Estate
    base: Path
    environment: Callable[[str], str | None] = field(default=os.environ.get, repr=False)

    def settings(self, host: str) -> Settings:
        """Return what *host* is reached with. Looks secrets up and files, but touches no network.

        Raises:
            Unconfigured: no connection matches, a secret or file is missing, or Kerberos is not installed.
        """
        connection = self._connection(host)
        address, port = self._address(host, connection)
        if connection.auth in {"kerberos", "negotiate"}:
            _need_kerberos(host, connection.auth)
        if connection.transport == "http" and connection.auth in {"basic", "certificate"}:
            raise unconfigured(
                host,
                "not-without-tls",
                f"auth: {connection.auth} would go over transport: http, where anybody could read along",
                "take transport out, or use kerberos, negotiate or ntlm, which encrypt each message",
            )
        lookup = _Lookup(host, self.base, self.environment)
        if connection.auth == "certificate" and not (connection.certificate and connection.key):
            raise unconfigured(host, "missing-certificate", "certificate authentication needs certificate and key")
        if connection.auth == "basic" and not (connection.username and connection.password):
            raise unconfigured(host, "missing-secret", "basic authentication needs username and password")
        return Settings(
            host=host,
            port=port,
            address=address,
            auth=connection.auth,
            tls=connection.transport == "https",
            username=lookup.username(connection),
            password=lookup.secret("password", connection.password),
            certificate=lookup.file("certificate", connection.certificate),
            key=lookup.key(connection.key),
            verify=str(lookup.file("tls.ca", connection.tls.ca) or "") or True if connection.tls.verify else False,
            configuration=connection.configuration,
            delegate=connection.delegate,
            timeout=connection.timeout.total_seconds(),
        )

    def _connection(self, host: str) -> Connection:
        for connection in self.estate.connections:
            if fnmatchcase(host.lower(), connection.match.lower()):
                return connection
        raise unconfigured(
            host, "no-connection", "no entry of estate.connections matches it", 'add one, for example match: "*"'
        )

    def _address(self, host: str, connection: Connection) -> tuple[str, int]:
        http = connection.transport == "http" and "port" not in connection.model_fields_set
        port = _HTTP if http else connection.port
        given = {name.lower(): address for name, address in self.estate.addresses.items()}.get(host.lower(), host)
        match = re.fullmatch(r"\[(?P<six>[^\]]+)\](?::(?P<port6>\d+))?|(?P<four>[^:]+):(?P<port4>\d+)", given)
        if match is None:
            return given, port
        return match["six"] or match["four"], int(match["port6"] or match["port4"] or port)


@dataclass(frozen=True)
class _Lookup:
    """Resolves references for one host."""

    host: str
    base: Path
    environment: Callable[[str], str | None] = field(repr=False)

    def username(self, connection: Connection) -> Secret | None:
        """Kerberos has users of realms; a name with a backslash would be taken for one word."""
        name = self.secret("username", connection.username)
        if name is not None and connection.auth in {"kerberos", "negotiate"} and "\\" in name.reveal():
            raise unconfigured(
                self.host,
                "username-form",
                f"its username has the form DOMAIN\\user, which auth: {connection.auth} does not take",
                "write it as user@REALM, the realm in capitals",
            )
        return name

    def secret(self, name: str, given: str | None) -> Secret | None:
        if given is None:
            return None
        match = _REFERENCE.fullmatch(given)
        if match is None:
            return Secret(given)  # a user's name; the plan's model refuses anything else that is literal
        kind, where = match.groups()
        if kind == "file":
            return Secret(self._read(name, where))
        if kind == "env":
            value = self.environment(where)
            if value is None:
                raise unconfigured(
                    self.host,
                    "missing-secret",
                    f"{name} is to come from the environment variable {where}, which is not set",
                    f"set {where} for the runner",
                )
            return Secret(value)
        return Secret(self._from_keyring(name, where))

    def key(self, given: str | None) -> Path | Secret | None:
        """A key file is used where it lies; a key from elsewhere is a secret."""
        match = _REFERENCE.fullmatch(given or "")
        return self.file("key", match[2]) if match and match[1] == "file" else self.secret("key", given)

    def file(self, name: str, given: str | None) -> Path | None:
        if given is None:
            return None
        path = self.base / given
        if not path.is_file():
            raise unconfigured(
                self.host,
                "missing-file",
                f"{name} is to be {path}, which is not a file",
                f"put it there, or correct {name}",
            )
        return path

    def _read(self, name: str, where: str) -> str:
        path = self.file(name, where)
        assert path is not None
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise unconfigured(
                self.host,
                "missing-secret",
                f"{name} is to come from {path}, which cannot be read ({type(error).__name__})",
                "let the runner's account read it",
            ) from None

    def _from_keyring(self, name: str, where: str) -> str:
        service, _, user = where.rpartition("/")
        if importlib.util.find_spec("keyring") is None:
            raise unconfigured(
                self.host,
                "keyring-missing",
                f"{name} is to come from the keyring, and keyring is not installed",
                "pip install 'dmsa-orchestrator[keyring]'",
            )
        import keyring
        from keyring.errors import KeyringError

        try:
            value = keyring.get_password(service, user)
        except KeyringError as error:
            value, cause = None, type(error).__name__
        else:
            cause = "no such entry"
        if value is None:
            raise unconfigured(
                self.host,
                "missing-secret",
                f"{name} is to come from the keyring entry {where} ({cause})",
                f"keyring set {service} {user}",
            )
        return str(value)


def secret_of(
    whose: str, name: str, given: str, base: Path, environment: Callable[[str], str | None] = os.environ.get
) -> Secret:
    """Return what a value of the plan is, or refers to.

    Args:
        whose: what messages say it is for.
        name: the plan's key.
        given: the value, or a reference to it.
        base: where relative paths begin.
        environment: looks a variable up.

    Raises:
        Unconfigured: what it refers to is not there.
    """
    found = _Lookup(whose, base, environment).secret(name, given)
    assert found is not None
    return found


def _need_kerberos(host: str, auth: str) -> None:
    """Refuse at once where Kerberos cannot work: ``negotiate`` never falls back to NTLM."""
    if any(importlib.util.find_spec(module) is None for module in _KERBEROS_MODULES):
        raise unconfigured(
            host,
            "kerberos-missing",
            f"auth: {auth} needs Kerberos, and its library is not installed",
            "pip install 'dmsa-orchestrator[kerberos]', or choose another auth",
        )


def unconfigured(host: str, code: str, says: str, remedy: str = "complete its connection in the plan") -> Unconfigured:
    """Return the exception for a host that cannot be tried: permanent, and nothing was sent."""
    return Unconfigured(Fault(FaultKind.PERMANENT, code, f"{host}: {says}", remedy, reached=False))
