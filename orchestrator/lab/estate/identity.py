"""Identifiers that are the same in every run: object GUIDs, security identifiers, addresses."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID, uuid5

_NAMESPACE = UUID("6d5a3f0e-8f2b-5c1d-9a47-1e0c7b9d2f64")

FIRST_FREE_RID = 1103
"""RIDs of new objects start here, a little above where a fresh domain's do."""


def guid(*parts: object) -> UUID:
    """Return the GUID that belongs to these words."""
    return uuid5(_NAMESPACE, "\0".join(str(part) for part in parts))


def domain_sid(seed: int, dns: str) -> str:
    """Return the domain's security identifier."""
    digest = sha256(f"{seed}\0{dns.lower()}".encode()).digest()
    parts = (int.from_bytes(digest[start : start + 4], "big") | 1 << 30 for start in (0, 4, 8))
    return "S-1-5-21-" + "-".join(str(part) for part in parts)


def sid_bytes(sid: str) -> bytes:
    """Return the binary form of a security identifier (MS-DTYP 2.4.2.2)."""
    revision, authority, *rest = (int(part) for part in sid.split("-")[1:])
    head = bytes((revision, len(rest))) + authority.to_bytes(6, "big")
    return head + b"".join(part.to_bytes(4, "little") for part in rest)


def sid_text(octets: bytes) -> str:
    """Return a security identifier as text from its binary form."""
    parts = (int.from_bytes(octets[at : at + 4], "little") for at in range(8, len(octets), 4))
    return "-".join(("S", str(octets[0]), str(int.from_bytes(octets[2:8], "big")), *map(str, parts)))


def address(index: int) -> str:
    """Return the loopback address of the estate's machine number *index*, from 0."""
    return f"127.77.{index // 254}.{index % 254 + 1}"
