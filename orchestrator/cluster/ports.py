"""Ports of loopback for servers of one's own, which may be stopped and started again on the same one."""

from __future__ import annotations

import contextlib
import secrets
import socket

_FROM, _BELOW = 15_000, 32_000
"""Below those that systems give to outgoing connections (RFC 6335, section 6: from 49152; Linux: from 32768, ip(7),
``ip_local_port_range``): one of these could have taken the port while its server is down."""


def free_ports(number: int) -> list[int]:
    """Return so many different ports that nobody listens on now."""
    found: list[int] = []
    while len(found) < number:
        port = _FROM + secrets.randbelow(_BELOW - _FROM)
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            found += [port] if port not in found else []
    return found
