"""Who receives notices, without what is secret about him: whoever knows the URL of a webhook may post there.

A plan names a receiver by a URL or, better, by a reference to one. In journal, log and report a URL is its host and a
hash, and a reference is itself.
"""

from __future__ import annotations

import re
from hashlib import sha256

_REFERENCE = re.compile(r"\$\{(.+)\}")
_HOST = re.compile(r"(?P<scheme>https?)://(?:[^/?#]*@)?(?P<host>[^/?#]*)")
_MASKED = re.compile(r"https?://[^/?#@]+/#sha256-(?P<hash>[0-9a-f]{64})")


def masked(webhook: str) -> str:
    """Return what stands for a webhook where others read it: host and hash of a URL; a reference as it is.

    What is masked already stays as it is.
    """
    if _REFERENCE.fullmatch(webhook) or _MASKED.fullmatch(webhook):
        return webhook
    url = _HOST.match(webhook)
    scheme, host = (url["scheme"], url["host"]) if url else ("https", "")
    return f"{scheme}://{host or 'unnamed'}/#sha256-{sha256(webhook.encode()).hexdigest()}"


def receiver_of(webhook: str) -> str:
    """Return the short name of a receiver: ``env:TEAMS``, or host and the beginning of the hash of a URL."""
    reference = _REFERENCE.fullmatch(webhook)
    if reference:
        return reference[1]
    known = masked(webhook)
    hashed = _MASKED.fullmatch(known)
    host = _HOST.match(known)
    return f"{host['host'] if host else ''}#{hashed['hash'][:8] if hashed else ''}"


def host_of(url: str) -> str:
    """Return the host that a URL names, in lower case and without its port; empty if there is none."""
    found = _HOST.match(url)
    host = found["host"].lower() if found else ""
    return host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
