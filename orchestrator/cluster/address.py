"""Where the broker is, and with what one logs on there.

``amqps://USER@HOST[:PORT]/VHOST[?cacertfile=FILE]``: AMQP 0-9-1 over TLS. ``cacertfile`` is the name that RabbitMQ's
own URIs have for the authorities that are trusted ("AMQP URI Query Parameters"); without it, they are the system's.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from orchestrator.errors import InputInvalid

PASSWORD, PASSWORD_FILE = "DMSA_BROKER_PASSWORD", "DMSA_BROKER_PASSWORD_FILE"
_PORTS = {"amqp": 5672, "amqps": 5671}
"""AMQP without and with TLS (RabbitMQ, "Networking and RabbitMQ", Port Access)."""


@dataclass(frozen=True)
class BrokerAddress:
    """A broker as a person writes it. It holds no password, so it may be shown."""

    host: str
    port: int
    user: str
    vhost: str
    tls: bool
    authorities: Path | None = None

    def __str__(self) -> str:
        return f"amqp{'s' * self.tls}://{self.user}@{self.host}:{self.port}/{self.vhost.lstrip('/')}"

    def tls_options(self) -> dict[str, Any] | bool:
        """Return what py-amqp wants to hear: a certificate of these authorities, for this very name."""
        if not self.tls:
            return False
        trusted = {} if self.authorities is None else {"ca_certs": str(self.authorities)}
        return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": self.host, **trusted}


@dataclass(frozen=True)
class Credentials:
    """A broker and the password for it, which no text of ours has in it."""

    address: BrokerAddress
    password: str = field(repr=False)


def broker_address(url: str) -> BrokerAddress:
    """Read a broker's URL.

    Raises:
        InputInvalid: it cannot be used, or is not to be used: with a password in it, or without TLS to another host.
    """
    parts = _split(url)
    host, scheme = parts.hostname or "", parts.scheme
    if parts.password is not None:
        raise InputInvalid(
            "the broker's URL has a password in it, where lists of processes and shell histories show it. Nothing was "
            f"done. Take it out, and give it in {PASSWORD_FILE} (a file that only the runner may read) or {PASSWORD}."
        )
    if scheme not in _PORTS or not host or not parts.username:
        raise InputInvalid(f"{_shown(parts)} is no broker: it is written amqps://USER@HOST/VHOST. Nothing was done.")
    if scheme == "amqp" and not _is_loopback(host):
        raise InputInvalid(
            f"amqp://{host} has no TLS: whoever is in between reads the password, and can ring. Nothing was done. "
            "Write amqps://, and give the broker a certificate; without TLS, only a broker on loopback is used."
        )
    return BrokerAddress(
        host=host,
        port=parts.port or _PORTS[scheme],
        user=unquote(parts.username),
        vhost=unquote(parts.path[1:]) or "/",
        tls=scheme == "amqps",
        authorities=_authorities(parts),
    )


def broker_password(environment: Mapping[str, str]) -> str:
    """Look the broker's password up: a file's first line, or a variable.

    Raises:
        InputInvalid: it is nowhere, or the file cannot be read.
    """
    file = environment.get(PASSWORD_FILE)
    if file:
        try:
            password = Path(file).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise InputInvalid(f"the broker's password cannot be read: {error}. Nothing was done.") from None
    else:
        password = environment.get(PASSWORD, "")
    if not password:
        raise InputInvalid(
            f"there is no password for the broker. Nothing was done. Give it in {PASSWORD_FILE} (a file that only the "
            f"runner may read) or {PASSWORD}."
        )
    return password


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputInvalid(f"the broker's URL cannot be read: {error}. Nothing was done.") from None
    return parts


def _shown(parts: SplitResult) -> str:
    """Return a URL without what stands before the @."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() or "an empty text"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _authorities(parts: SplitResult) -> Path | None:
    asked = parse_qs(parts.query, keep_blank_values=True)
    unknown = sorted(set(asked) - {"cacertfile"})
    if unknown:
        raise InputInvalid(
            f"the broker's URL has {', '.join(unknown)}, which means nothing here, where only cacertfile does. "
            "Nothing was done."
        )
    if "cacertfile" not in asked:
        return None
    file = Path(asked["cacertfile"][-1])
    if not file.is_file():
        raise InputInvalid(f"the broker's URL names the authorities {file}, which is no file. Nothing was done.")
    return file
