"""NTLM and Kerberos, bare or within SPNEGO: handshakes of several requests that belong to their connection.

pyspnego and MIT Kerberos do the work. They find what callers are proved against in the environment only, so it is
there while one of them is asked, and at no other time.

Channel binding: on TLS, a handshake is bound to the host's certificate, so that a token which somebody got a
client to make for another certificate is worth nothing here. What Windows calls the hardening level (WinRM service
configuration, CbtHardeningLevel: None, Relaxed, Strict) is :class:`Hardening`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import spnego
from spnego._ntlm_raw.crypto import ntowfv1
from spnego.channel_bindings import GssChannelBindings

from orchestrator.lab.wire.auth import Accounts, Admitted, Answer, Continued, Line, Logon
from orchestrator.lab.wire.sealed import Sealer

_CHANNEL_BOUND = 0x800
"""GSS_C_CHANNEL_BOUND_FLAG (MIT Kerberos 1.19, gssapi_ext.h): the bindings were there, and are right."""
_NTLM = b"NTLMSSP\0"
_NTLM_BINDING = b"\x0a\x00\x10\x00"
"""The head of MsvAvChannelBindings (MS-NLMP 2.2.2.1)."""
_NTLM_NO_BINDING = _NTLM_BINDING + bytes(16)
"""What a client says that knows of no channel (MS-NLMP 3.1.5.1.2); pyspnego takes it for any."""
_NO_LM_HASH = "0" * 32
_NTLMV2_ONLY = "5"


class Hardening(StrEnum):
    """What becomes of a handshake on TLS that is not bound to it. One that is bound to another is always refused."""

    STRICT = "strict"
    RELAXED = "relaxed"
    NONE = "none"
    """Bindings are not even looked at."""


class Negotiate:
    """Takes NTLM for *ntlm* accounts, and Kerberos tickets for the hosts whose keys are in *keytab*.

    *folder* is for files of its own. With Kerberos alone it offers the scheme ``Kerberos``, as Windows does where
    Negotiate is switched off.
    """

    def __init__(
        self,
        accounts: Accounts,
        folder: Path,
        *,
        ntlm: bool = True,
        keytab: Path | None = None,
        hardening: Hardening = Hardening.STRICT,
    ) -> None:
        self._accounts = accounts
        self._protocols = {name for name, wanted in (("ntlm", ntlm), ("kerberos", keytab)) if wanted}
        self._offered = (*(("Negotiate",) if ntlm else ()), *(("Kerberos",) if keytab else ()))
        self._hardening = hardening
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        hashes = folder / "ntlm"
        _write(hashes, self._hashes() if ntlm else "")
        self._surroundings = {
            "NTLM_USER_FILE": str(hashes),
            "LM_COMPAT_LEVEL": _NTLMV2_ONLY,  # an answer of version 1 cannot be bound to a channel
            "KRB5_KTNAME": f"FILE:{keytab or folder / 'no keytab'}",
            "KRB5RCACHEDIR": str(folder),
        }

    def challenges(self, line: Line) -> tuple[str, ...]:
        """Offer it on every line: without TLS it seals what it carries."""
        del line
        return self._offered

    def answer(self, authorization: str, line: Line) -> Answer:
        """Walk one leg of the handshake; the connection is the caller's once it is done."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() not in {"negotiate", "kerberos"}:
            return None
        line.logon = line.sealer = None
        try:
            token = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            return None
        with self._surrounded():
            return self._leg(scheme, token, line)

    def _leg(self, scheme: str, token: bytes, line: Line) -> Answer:
        context: Any = None
        try:
            context = line.handshake or self._acceptor(line)
            reply = context.step(token, channel_bindings=self._binding(token, line))
            logon = self._logon(context, token, line) if context.complete else None
        except Exception:  # noqa: BLE001 - whatever a security library raises at what a stranger sent
            line.handshake = None
            return _told(scheme, _parting_word(context))
        if not context.complete:
            line.handshake = context
            return _told(scheme, reply)
        line.handshake, line.logon = None, logon
        if logon is None:
            return None
        line.sealer = Sealer(context)
        return Admitted(logon, f"{scheme} {base64.b64encode(reply).decode()}" if reply else None)

    @staticmethod
    def _acceptor(line: Line) -> Any:
        return spnego.server(
            protocol="negotiate",
            options=spnego.NegotiateOptions.wrapping_winrm,
            credentials=spnego.CredentialCache(username=f"host@{line.host}"),
        )

    def _binding(self, token: bytes, line: Line) -> GssChannelBindings | None:
        """Return what *token* is to be bound to. NTLM's is left alone if it is bound to nothing and that may be."""
        bound = _NTLM not in token or _is_bound(token)
        if line.binding is None or self._hardening is Hardening.NONE or not (bound or self._is_strict):
            return None
        return GssChannelBindings(application_data=b"tls-server-end-point:" + line.binding)

    @property
    def _is_strict(self) -> bool:
        return self._hardening is Hardening.STRICT

    def _logon(self, context: Any, token: bytes, line: Line) -> Logon | None:
        """Return who has come to the end of the handshake; None if that is not enough here."""
        account = self._accounts.named(context.client_principal or "")
        if account is None or context.negotiated_protocol not in self._protocols:
            return None
        kerberos = _kerberos(context)
        bound = _is_bound(token) if kerberos is None else bool(int(kerberos.actual_flags) & _CHANNEL_BOUND)
        if line.secure and self._is_strict and not bound:
            return None
        if kerberos is None:
            return Logon(account)
        ticket = kerberos.delegated_creds
        return Logon(account, delegated=str(ticket.name) if ticket is not None else None)

    def _hashes(self) -> str:
        """Return the accounts as lines of an smbpasswd file: it takes any password, and keeps none."""
        lines = []
        for name, account in self._accounts.spelled.items():
            if not account.locked:
                lines.append(f"{name}:0:{_NO_LM_HASH}:{ntowfv1(account.password).hex().upper()}:[U]:LCT-0\n")
        return "".join(lines)

    @contextlib.contextmanager
    def _surrounded(self) -> Iterator[None]:
        before = {name: os.environ.get(name) for name in self._surroundings}
        os.environ.update(self._surroundings)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _told(scheme: str, token: bytes | None) -> Answer:
    return Continued(f"{scheme} {base64.b64encode(token).decode()}") if token else None


def _is_bound(token: bytes) -> bool:
    """Say whether an NTLM token is bound to some channel; to which one, pyspnego checks."""
    return _NTLM_BINDING in token and _NTLM_NO_BINDING not in token


def _kerberos(context: Any) -> Any:
    """Return the GSSAPI context within pyspnego's two; None for NTLM. pyspnego has no word for what it knows."""
    return getattr(context._context, "_context", None)


def _parting_word(context: Any) -> bytes | None:
    """Return the KRB-ERROR that GSSAPI wants the client to have, such as: your clock and mine disagree."""
    with contextlib.suppress(Exception):
        token: bytes | None = _kerberos(context)._last_err.token
        return token
    return None


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
