"""The connection under a session: where packets go, whom TLS must meet, how it logs on, and what is kept out.

pypsrp builds its connection from a host name alone and obeys the environment. Here the name stays what TLS,
the Host header and Kerberos are held to, while ``estate.addresses`` says where to connect; proxies, netrc and
CA bundles of the environment are ignored, and a redirect is an error, because it would carry a call to a host
that no plan names.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from pypsrp.wsman import WSMan
from requests import PreparedRequest, Request, Response, Session
from requests.adapters import HTTPAdapter
from requests.hooks import default_hooks
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from orchestrator.remote.connection import Secret, Settings, unconfigured
from orchestrator.remote.negotiation import Negotiation, check_offer

# A Kerberos token travels under the Negotiate scheme as well; asking pypsrp for Kerberos is what keeps
# ``negotiate`` from ever falling back to NTLM.
_AUTH = {"negotiate": "kerberos"}
_NEGOTIATED = frozenset({"kerberos", "negotiate", "ntlm"})
_LONGEST_BACKOFF_BASE = 0.5
_ALONE = threading.Lock()
"""Held while pypsrp makes a client. Each one enters the XML namespaces anew in a table of the process, which first
takes out what stands there (``xml.etree.ElementTree.register_namespace``): of two at once, one finds it gone."""


class AskedToWait(Exception):
    """The host answered that it is overloaded, and when to come back: ``after`` so many seconds."""

    def __init__(self, status: int, after: float) -> None:
        super().__init__(str(status))
        self.after = after


def dial(settings: Settings, log_on: Callable[[], None] = lambda: None) -> WSMan:
    """Return a WSMan client for one host. Nothing is sent before its first use.

    *log_on* is called on the calling thread whenever a connection has been made and nothing has been sent on it yet: it
    returns when a log-on may begin.

    ``timeout`` bounds connecting and each wait for an answer; the host is asked to answer a long poll within
    two thirds of it (MS-WSMV 2.2.5.8, OperationTimeout, must be the shorter of the two).

    Raises:
        Unconfigured: a certificate, its key or the authority's certificate cannot be used.
    """
    _check_authority(settings)
    auth = _AUTH.get(settings.auth, settings.auth)
    wsman = _client(settings, auth)
    transport = wsman.transport
    negotiation = _negotiation(settings, auth, transport.wrap_required)
    session = _Conversation(transport._build_session(), negotiation)
    session.verify = settings.verify
    session.mount("https://", _Adapter(settings, log_on, negotiation, _client_certificate(settings)))
    session.mount("http://", _Adapter(settings, log_on, negotiation, None))
    transport.session = session
    return wsman


def _client(settings: Settings, auth: str) -> WSMan:
    patience = max(2, round(settings.timeout))
    with _ALONE:
        return WSMan(
            settings.host,
            port=settings.port,
            username=_revealed(settings.username),
            password=_revealed(settings.password),
            ssl=settings.tls,
            auth=auth,
            cert_validation=settings.verify is not False,
            connection_timeout=patience,
            read_timeout=patience,
            operation_timeout=max(1, patience * 2 // 3),
            reconnection_backoff=_LONGEST_BACKOFF_BASE,
            no_proxy=True,
            certificate_pem=str(settings.certificate),
            certificate_key_pem=str(settings.key),
        )


def _negotiation(settings: Settings, provider: str, seal: bool) -> Negotiation | None:
    if settings.auth not in _NEGOTIATED:
        return None
    return Negotiation(
        username=_revealed(settings.username),
        password=_revealed(settings.password),
        provider=provider,
        delegate=settings.delegate,
        seal=seal,
    )


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret else None


def _client_certificate(settings: Settings) -> ssl.SSLContext | None:
    """Return a TLS context that holds the client's certificate; None where another way of logging on is used."""
    if settings.auth != "certificate" or settings.certificate is None or settings.key is None:
        return None
    context = create_urllib3_context()
    try:
        if isinstance(settings.key, Path):
            context.load_cert_chain(settings.certificate, settings.key)
        else:
            _load_key(context, settings.certificate, settings.key)
    except (OSError, UnicodeEncodeError) as error:  # an SSLError is an OSError
        raise unconfigured(
            settings.host,
            "unusable-certificate",
            f"{settings.certificate} and its key cannot be used ({type(error).__name__})",
            "check that both are PEM, that the key belongs to the certificate, and has no passphrase",
        ) from None
    return context


def _load_key(context: ssl.SSLContext, certificate: Path, key: Secret) -> None:
    """Load a key that is no file: it is one for this moment, in a folder of this user alone."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key.pem")
        file.write_text(key.reveal(), encoding="ascii")
        context.load_cert_chain(certificate, file)


def _check_authority(settings: Settings) -> None:
    """Refuse a CA file without certificates here, where its name is known, and not as a failed handshake."""
    if isinstance(settings.verify, str):
        try:
            ssl.create_default_context(cafile=settings.verify)
        except OSError as error:
            raise unconfigured(
                settings.host,
                "unusable-ca",
                f"tls.ca is {settings.verify}, which holds no usable certificate ({type(error).__name__})",
                "put the certificate of the issuing authority there, in PEM",
            ) from None


class _Conversation(Session):
    """Requests to one URL, which is taken apart, checked and put together once: for each of them that took as long as
    sending it. Proxies, netrc and redirects are for nobody here.
    """

    def __init__(self, built: Session, negotiation: Negotiation | None) -> None:
        """Say of oneself what a session that pypsrp *built* does, and log on as it would, or by *negotiation*."""
        super().__init__()
        self.trust_env, self.max_redirects = False, 0
        self.headers, self.auth = built.headers, negotiation or built.auth
        self._begun: dict[str, PreparedRequest] = {}

    def prepare_request(self, request: Request) -> PreparedRequest:
        url = str(request.url)
        begun = self._begun.get(url)
        if begun is None:
            begun = self._begun[url] = PreparedRequest()
            begun.prepare(method=request.method, url=url)
        prepared = begun.copy()
        prepared.hooks = default_hooks()  # a log-on that asks for more hangs itself there, and a copy shares them
        prepared.prepare_headers({**self.headers, **request.headers})
        if self.cookies:
            prepared.prepare_cookies(self.cookies)
        prepared.prepare_body(request.data, None)
        prepared.prepare_auth(self.auth)
        return prepared


class _Adapter(HTTPAdapter):
    """Connects to the address of *settings*, whatever the URL's host is, and only as they say: with TLS, or without."""

    def __init__(
        self,
        settings: Settings,
        log_on: Callable[[], None],
        negotiation: Negotiation | None,
        context: ssl.SSLContext | None,
    ) -> None:
        self._settings, self._log_on = settings, log_on
        self._negotiation = negotiation
        self._context = context
        self._pool: HTTPConnectionPool | None = None
        """The connections to the one host, once they know what its certificate is held to."""
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        address = self._settings.address
        tls, log_on = self._settings.tls, self._log_on
        pool = {"https": _tls_pool_to(address, log_on)} if tls else {"http": _open_pool_to(address, log_on)}
        self.poolmanager.pool_classes_by_scheme = pool

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        return self._pool or super().get_connection_with_tls_context(*args, **kwargs)

    def cert_verify(self, conn: HTTPConnectionPool, *args: Any) -> None:
        if conn is not self._pool:
            super().cert_verify(conn, *args)  # type: ignore[no-untyped-call]
            self._pool = conn

    def close(self) -> None:
        self._pool = None
        super().close()

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if self._negotiation is not None:
            self._negotiation.leaving(request)
        response = super().send(request, *args, **kwargs)
        if self._negotiation is not None:
            self._negotiation.arrived(response)
        check_offer(self._settings.auth, response)
        if response.status_code in {429, 503} and (after := asked_for(response.headers.get("Retry-After", ""))):
            response.close()
            raise AskedToWait(response.status_code, after)
        return response


def asked_for(retry_after: str) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3: a number of them, or a date)."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def _tls_pool_to(address: str, log_on: Callable[[], None]) -> type[HTTPSConnectionPool]:
    class Connection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            # The name is put aside for the one call that resolves it; TLS compares the certificate with it.
            name, self._dns_host = self._dns_host, address
            try:
                return super()._new_conn()
            finally:
                self._dns_host = name

        def connect(self) -> None:
            super().connect()
            log_on()

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _open_pool_to(address: str, log_on: Callable[[], None]) -> type[HTTPConnectionPool]:
    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            name, self._dns_host = self._dns_host, address
            try:
                return super()._new_conn()
            finally:
                self._dns_host = name

        def connect(self) -> None:
            super().connect()
            log_on()

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    return Pool
