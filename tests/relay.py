"""Somebody in between: takes TLS with a certificate of its own, and hands on to the real host what it is told."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator

from orchestrator.lab.wire.certificates import Authority


@contextlib.contextmanager
def relay(target: str) -> Iterator[int]:
    """Yield the port of a relay to *target* (``address:port``), on the same address."""
    address, _, port = target.rpartition(":")
    context = Authority().identity("relay", address).context
    with socket.create_server((address, 0)) as listener, contextlib.ExitStack() as ends:
        listening = threading.Thread(target=_listen, args=(listener, context, (address, int(port)), ends))
        listening.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listening.join(10)


def _listen(
    listener: socket.socket, context: ssl.SSLContext, target: tuple[str, int], ends: contextlib.ExitStack
) -> None:
    """Join whoever comes, until there is nobody to listen for; then hang up on all of them."""
    others: dict[socket.socket, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, *others], [], [])
        for end in ready:
            if end is listener:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                others |= _joined(ends.enter_context(plain), context, target, ends)
            elif end in others and not _handed_on(end, others[end]):
                for gone in (others.pop(end), end):
                    others.pop(gone, None)
                    gone.close()


def _joined(
    plain: socket.socket, context: ssl.SSLContext, target: tuple[str, int], ends: contextlib.ExitStack
) -> dict[socket.socket, socket.socket]:
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    near = ends.enter_context(context.wrap_socket(plain, server_side=True))
    far = ends.enter_context(unchecked.wrap_socket(ends.enter_context(socket.create_connection(target))))
    return {near: far, far: near}


def _handed_on(source: socket.socket, sink: socket.socket) -> bool:
    """Hand on what there is; False at the end."""
    source.setblocking(False)
    try:
        while data := source.recv(65536):
            sink.setblocking(True)
            sink.sendall(data)
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    return False
