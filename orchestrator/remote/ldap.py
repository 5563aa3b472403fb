"""The second witness's way to a domain controller: LDAP with python-ldap, read only, sealed.

Each reading is a connection of its own, for one is asked for only when something is about to be believed. It goes to
port 389 and is never open to others: with ``auth: basic`` it is put under TLS before the log-on (StartTLS, RFC 4511
4.14) and the certificate checked against the name; with ``kerberos`` or ``negotiate`` a ticket logs on, the runner's
own or that of the plan's user, and Kerberos encrypts what follows (RFC 4752), so that no policy on LDAP signing or
channel binding is in the way (Microsoft Learn, "LDAP signing for Active Directory Domain Services").

The library is OpenLDAP's, over a socket of ours: ``estate.addresses`` says where packets go, the plan's name says who
must answer. Importing this module needs no python-ldap; using it does.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

from orchestrator.model.call import Call, Cmdlet, Read, Ticket, Value
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, Reply
from orchestrator.model.witness import WITNESS
from orchestrator.remote import gate
from orchestrator.remote.connection import Settings, Unconfigured, unconfigured
from orchestrator.remote.tickets import NoTicket, bought
from orchestrator.remote.transport import Leave

PORT = 389
SEALED = 128
"""Strength below which a Kerberos connection is refused (bits; AES has 128 or 256)."""
_ANYTHING = "(objectClass=*)"
_BINARY = "objectguid"


class LdapTransport:
    """Carries reads to ``ldap:<domain controller>``; the contract is :class:`orchestrator.remote.transport.Transport`.

    Args:
        settings: what a host is reached with; asked again for each reading.
        log_on: waits until the log-on to a domain controller may begin; each reading has one.
    """

    def __init__(
        self, settings: Callable[[str], Settings], log_on: Callable[[str], None] = lambda _server: None
    ) -> None:
        self._settings, self._log_on = settings, log_on
        self._issued: set[Ticket] = set()
        self._lock = threading.Lock()

    def ticket(self, endpoint: str) -> Ticket | None:
        """Return the ids of the next reading; never None."""
        ticket = Ticket(endpoint, uuid4(), uuid4())
        with self._lock:
            self._issued.add(ticket)
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        with self._lock:
            self._issued.discard(ticket)

    def run(self, call: Call, ticket: Ticket, _leave: Leave | None = None) -> Reply:
        """Read, and wait for the end. Trouble is in the reply.

        Raises:
            Refused: the gate did not let the call through.
            ValueError: the ticket is not for this call, was used, or was given back.
        """
        with self._lock:
            if ticket not in self._issued or ticket.endpoint != call.endpoint:
                raise ValueError(f"the ticket for {ticket.endpoint} was not issued here, or was used before")
            self._issued.discard(ticket)
        gate.check(call)
        assert isinstance(call, Read)
        server = call.endpoint.removeprefix(WITNESS)
        try:
            settings = self._settings(server)
            self._log_on(server)
            with _connected(settings) as connection:
                records = [record for each in call.statements for record in _search(connection, each)]
        except Unconfigured as error:
            return Reply(Outcome.FAILED, fault=error.fault)
        except _Trouble as trouble:
            return Reply(Outcome.FAILED, fault=trouble.fault)
        return Reply(Outcome.SUCCEEDED, tuple(records))

    def discard(self, _endpoint: str, shell: UUID) -> bool:
        """Take a ticket back; nothing stays behind on the far side."""
        with self._lock:
            self._issued = {ticket for ticket in self._issued if ticket.shell != shell}
        return True

    def gone(self) -> list[Ticket]:
        """Return nothing: a connection ends with its reading, and no later than this process."""
        return []

    def close(self) -> None:
        """Forget all tickets that were not used."""
        with self._lock:
            self._issued.clear()


class _Trouble(Exception):
    """The reading came to nothing."""

    def __init__(self, server: str, code: str, says: str, remedy: str, *, passes: bool, reached: bool = True) -> None:
        super().__init__(says)
        kind = FaultKind.TRANSIENT if passes else FaultKind.PERMANENT
        self.fault = Fault(kind, code, f"{server} by LDAP: {says}", remedy, reached)


@contextmanager
def _connected(settings: Settings) -> Iterator[Any]:
    """Log on, and leave politely afterwards."""
    ldap = _library(settings)
    if settings.auth not in {"basic", "kerberos", "negotiate"}:
        raise unconfigured(
            settings.host,
            "witness-auth",
            f"witness: ldap does not log on with auth: {settings.auth}",
            "use kerberos, negotiate or basic in its connection, or witness: none",
        )
    connection = ldap.initialize(f"ldap://{settings.host}:{PORT}", fileno=_socket(settings))
    try:
        with _explained(ldap, settings):
            connection.set_option(ldap.OPT_REFERRALS, 0)  # another server's word is not this one's
            connection.set_option(ldap.OPT_NETWORK_TIMEOUT, settings.timeout)
            connection.set_option(ldap.OPT_TIMEOUT, settings.timeout)
            if settings.auth == "basic":
                _under_tls(ldap, connection, settings)
            else:
                _by_ticket(ldap, connection, settings)
            yield connection
    finally:
        with suppress(ldap.LDAPError):
            connection.unbind_s()


def _library(settings: Settings) -> Any:
    try:
        import ldap
        import ldap.sasl
    except ImportError:
        raise unconfigured(
            settings.host,
            "ldap-missing",
            "witness: ldap needs python-ldap, which is not installed",
            "pip install 'dmsa-orchestrator[ldap]', or witness: none",
        ) from None
    return ldap


def _socket(settings: Settings) -> int:
    """Connect, and hand the descriptor over: whoever gets it closes it."""
    try:
        return socket.create_connection((settings.address, PORT), settings.timeout).detach()
    except TimeoutError:
        code, says = "connect-timeout", f"it did not accept a connection on port {PORT} in time"
    except ConnectionRefusedError:
        code, says = "refused", f"it refuses connections on port {PORT}"
    except socket.gaierror:
        code, says = "name-unresolved", "its name does not resolve"
    except OSError:
        code, says = "unreachable", f"no connection to port {PORT} can be made"
    remedy = "let the runner reach LDAP on every domain controller of converge_on, or set witness: none"
    raise _Trouble(settings.host, code, says, remedy, passes=True, reached=False)


def _under_tls(ldap: Any, connection: Any, settings: Settings) -> None:
    if settings.verify is False:
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
    else:
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        if isinstance(settings.verify, str):
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, settings.verify)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    try:
        connection.start_tls_s()
    except ldap.CONNECT_ERROR:
        raise _Trouble(
            settings.host,
            "untrusted-certificate",
            "its TLS certificate is not trusted, or is for another name",
            "set tls.ca of its connection to the authority that issued the certificate of LDAP, or renew it",
            passes=False,
            reached=False,
        ) from None
    assert settings.username is not None
    assert settings.password is not None
    connection.simple_bind_s(settings.username.reveal(), settings.password.reveal())


def _by_ticket(ldap: Any, connection: Any, settings: Settings) -> None:
    connection.set_option(ldap.OPT_X_SASL_NOCANON, 1)  # the name that is held to is the plan's, not DNS's
    connection.set_option(ldap.OPT_X_SASL_SECPROPS, f"minssf={SEALED},noanonymous,noplain")
    if settings.username is None or settings.password is None:
        connection.sasl_interactive_bind_s("", ldap.sasl.gssapi(""))
        return
    with bought(settings.username.reveal(), settings.password.reveal()):
        connection.sasl_interactive_bind_s("", ldap.sasl.gssapi(""))


@contextmanager
def _explained(ldap: Any, settings: Settings) -> Iterator[None]:
    """Turn what the library raises into what a person can act on. Nothing it says of a log-on is a secret."""
    try:
        yield
    except (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.INSUFFICIENT_ACCESS) as error:
        remedy = "check user name and password of its connection, and that the account may log on over LDAP"
        raise _Trouble(
            settings.host, "access-denied", f"it refuses the log-on ({_said(error)})", remedy, passes=False
        ) from None
    except (ldap.LOCAL_ERROR, ldap.AUTH_UNKNOWN, ldap.STRONG_AUTH_REQUIRED, ldap.CONFIDENTIALITY_REQUIRED) as error:
        remedy = (
            f"look at the runner's ticket (klist), the clock, and the service principal name ldap/{settings.host}"
            if settings.auth != "basic"
            else "let it accept a log-on with a password under TLS, or use auth: kerberos"
        )
        raise _Trouble(
            settings.host, "authentication-failed", f"the log-on failed ({_said(error)})", remedy, passes=False
        ) from None
    except NoTicket as error:
        remedy = "check user name (user@REALM) and password of its connection, and that the realm's KDC can be reached"
        raise _Trouble(
            settings.host, "authentication-failed", f"there is no ticket ({error})", remedy, passes=False
        ) from None
    except ldap.TIMEOUT:
        remedy = "look whether it is overloaded or hangs"
        raise _Trouble(settings.host, "no-answer", "it did not answer in time", remedy, passes=True) from None
    except ldap.SERVER_DOWN:
        remedy = "look whether it restarted or the network failed"
        raise _Trouble(settings.host, "connection-lost", "the connection was lost", remedy, passes=True) from None
    except ldap.LDAPError as error:
        raise _Trouble(
            settings.host, f"ldap-{_code(error)}", _said(error), "look at the domain controller", passes=True
        ) from None


def _code(error: Exception) -> object:
    return error.args[0].get("result", "unknown") if error.args and isinstance(error.args[0], dict) else "unknown"


def _said(error: Exception) -> str:
    """Return the library's own words in one line."""
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return " ".join(str(said.get("info") or said.get("desc") or type(error).__name__).replace("\0", "").split())


def _search(connection: Any, statement: Cmdlet) -> Iterator[Record]:
    """Yield what one statement finds. What is not there, or may not be seen, is not found."""
    import ldap
    import ldap.filter

    asked: Any = statement.parameters
    by_name = "Account" in asked
    wanted = ldap.filter.filter_format("(sAMAccountName=%s)", [asked["Account"]]) if by_name else _ANYTHING
    scope = ldap.SCOPE_SUBTREE if by_name else ldap.SCOPE_BASE
    try:
        found = connection.search_ext_s(asked["Base"], scope, wanted, list(asked["Properties"]))
    except ldap.NO_SUCH_OBJECT:
        return
    for dn, attributes in found:
        if dn is not None:  # else it is a referral to a part of the forest that was not meant
            yield Record("LdapEntry", {"dn": dn, **{name: _value(name, each) for name, each in attributes.items()}})


def _value(name: str, values: list[bytes]) -> Value:
    if name.lower() == _BINARY:
        return UUID(bytes_le=values[0])
    return tuple(value.decode(errors="replace") for value in values)
