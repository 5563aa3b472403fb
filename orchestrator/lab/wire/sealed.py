"""Message encryption: an envelope sealed by the security context of its connection (MS-WSMV 2.2.9.1).

The body is a multipart of two parts. The first has only headers, which say what the second is: the length of the
signature, the signature, and the sealed envelope.
"""

from __future__ import annotations

import re
import struct
from typing import Any

_BOUNDARY = b"--Encrypted Boundary"
_HEAD = re.compile(
    rb"--Encrypted Boundary\r\n"
    rb"\s*Content-Type: (?P<protocol>application/HTTP-(?:SPNEGO|Kerberos)-session-encrypted)\r\n"
    rb"\s*OriginalContent: [^\r\n]*Length=\d+\r\n"
    rb"--Encrypted Boundary\r\n"
    rb"\s*Content-Type: application/octet-stream\r\n"
)
_TAIL = _BOUNDARY + b"--\r\n"
_ORIGINAL = "application/soap+xml;charset=UTF-8"


class NotSealed(ValueError):
    """A body that was not sealed by this context, or was changed on its way."""


class Sealer:
    """Seals and opens the bodies of one connection, in the order in which they travel."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._protocol = b""

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` of what :meth:`seal` returns."""
        return f'multipart/encrypted;protocol="{self._protocol.decode()}";boundary="Encrypted Boundary"'

    def open(self, body: bytes) -> bytes:
        """Return the envelope in a sealed body.

        Raises:
            NotSealed: it is none, or not of this connection.
        """
        head = _HEAD.match(body)
        if head is None or not body.endswith(_TAIL):
            raise NotSealed("this is no multipart of a header and a sealed message")
        content = body[head.end() : -len(_TAIL)]
        (length,) = struct.unpack_from("<i", content.ljust(4, b"\0"))
        if not 0 <= length <= len(content) - 4:
            raise NotSealed("the signature is longer than the message")
        self._protocol = head["protocol"]
        try:
            return bytes(self._context.unwrap_winrm(content[4 : 4 + length], content[4 + length :]))
        except Exception as error:  # whatever a security library raises at what a stranger sent
            raise NotSealed(f"the message cannot be opened ({type(error).__name__})") from error

    def seal(self, envelope: bytes) -> bytes:
        """Return a sealed body, worded as the last request was."""
        wrapped = self._context.wrap_winrm(envelope)
        return b"".join(
            (
                _BOUNDARY + b"\r\n\tContent-Type: " + self._protocol + b"\r\n",
                f"\tOriginalContent: type={_ORIGINAL};Length={len(envelope) + wrapped.padding_length}\r\n".encode(),
                _BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n",
                struct.pack("<i", len(wrapped.header)) + wrapped.header + wrapped.data,
                _TAIL,
            )
        )
