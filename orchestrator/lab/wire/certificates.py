"""A certification authority for the life of one server; certificates for its hosts, and for people who log on.

The authority's key never leaves the process. Elliptic keys, because an estate of fifty hosts should not spend
seconds on primes.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW = timedelta(days=1)
_LIFE = timedelta(days=365)
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""szOID_NT_PRINCIPAL_NAME (wincrypt.h): a user principal name among the alternative names."""
_UTF8_STRING = 0x0C
_SHORT_FORM = 128


@dataclass(frozen=True)
class Identity:
    """A host's side of TLS, and the hash of its certificate that handshakes are bound to (RFC 5929, section 4)."""

    context: ssl.SSLContext
    binding: bytes


class Authority:
    """Signs certificates for hosts; :attr:`pem` is what a client has to trust."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("dmsa lab")
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = _builder(self._name, self._name, self._key.public_key())
        usage = _usage(signs_certificates=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True).add_extension(self._identifier, critical=False)
        self.pem = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def identity(self, host: str, address: str, *, ask: bool = False) -> Identity:
        """Return what *host* at *address* shows to clients. With *ask* they may show certificates of their own."""
        names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address(address))]
        certificate, chain, key = self._signed(host, names, ExtendedKeyUsageOID.SERVER_AUTH)
        context = _context(chain + key)
        if ask:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=self.pem.decode())
        return Identity(context, certificate.fingerprint(hashes.SHA256()))

    def server(self, host: str, address: str) -> tuple[bytes, bytes]:
        """Return certificate and key, in PEM, for a server that takes them from files."""
        names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address(address))]
        _, chain, key = self._signed(host, names, ExtendedKeyUsageOID.SERVER_AUTH)
        return chain, key

    def person(self, name: str) -> tuple[bytes, bytes]:
        """Return certificate and key, in PEM, for somebody whose user principal name is *name*."""
        text = name.encode()
        if len(text) >= _SHORT_FORM:
            raise ValueError(f"a user principal name has fewer than {_SHORT_FORM} bytes: {name}")
        other = x509.OtherName(_UPN, bytes((_UTF8_STRING, len(text))) + text)
        _, chain, key = self._signed(name, [other], ExtendedKeyUsageOID.CLIENT_AUTH)
        return chain, key

    def _signed(
        self, subject: str, names: Iterable[x509.GeneralName], use: x509.ObjectIdentifier
    ) -> tuple[x509.Certificate, bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(subject), self._name, key.public_key())
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.SubjectAlternativeName(names), False),
            (x509.ExtendedKeyUsage([use]), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier), False),
        ):
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(self._key, hashes.SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate, certificate.public_bytes(Encoding.PEM), secret


def upn(certificate: bytes) -> str | None:
    """Return the user principal name in a certificate (DER) that TLS has checked; None if there is none."""
    try:
        names = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound):
        return None
    found = (each.value for each in names.value if isinstance(each, x509.OtherName) and each.type_id == _UPN)
    return next((value[2:].decode(errors="replace") for value in found if value[:1] == bytes((_UTF8_STRING,))), None)


def _context(chain: bytes) -> ssl.SSLContext:
    """Return a context with *chain*; OpenSSL takes it from a file only, which is gone when this returns."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    handle, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(chain)
        context.load_cert_chain(path)
    finally:
        Path(path).unlink()
    return context


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _SKEW).not_valid_after(now + _LIFE)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
