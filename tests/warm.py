"""Commands as processes of their own, without the second that each takes to read the program: they are forked.

One process has read the whole program and waits. ``dmsa`` and ``python -m orchestrator`` in :attr:`Warm.bin` ask it,
over a socket, for a fork of itself in their place: with their words, folder, environment and streams. Such a command
is killed with the one that asked for it, is sent the signals that that one is sent, and ends it with its exit code; so
a page, a shell or a test cannot tell the two apart, but by the time.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import gc
import importlib
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import typer.main
import typer.testing

ROOT = Path(__file__).parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MODULES = ("orchestrator", "orchestrator.lab.serve")
"""What can be asked for by ``python -m``; everything else is left to the interpreter itself."""

ASKS = f"""#!{sys.executable} -ISE
import os, signal, socket, sys
words, here = sys.argv[1:], os.path.realpath(sys.argv[0])
if here.endswith("/dmsa"):
    words = ["-m", "dmsa", *words]
elif words[:1] != ["-m"] or words[1:2] not in {[[each] for each in MODULES]!r}:
    os.execv({sys.executable!r}, [{sys.executable!r}, *words])
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(os.path.join(os.path.dirname(here), "socket"))
    for number in {[*map(int, SIGNALS)]!r}:
        signal.signal(number, lambda number, _: asked.send(bytes([number])))
    wanted = ascii((words[1:], here, os.getcwd(), dict(os.environ))).encode()
    socket.send_fds(asked, [len(wanted).to_bytes(4, "big")], [0, 1, 2])
    asked.sendall(wanted)
    os._exit((asked.recv(1) or b"\\1")[0])
"""


class Warm:
    """A process that becomes any command, for as long as the context lasts; what it became ends with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm")
        self.bin = Path(self._folder.name)
        """A folder for the front of ``PATH``."""

    def __enter__(self) -> Self:
        for name in ("dmsa", "python"):
            (self.bin / name).write_text(ASKS, encoding="utf-8")
            (self.bin / name).chmod(0o755)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DMSA_", "COV"))}
        environment["PYTHONPATH"] = str(ROOT)
        command = (sys.executable, "-m", "tests.warm", str(self.bin / "socket"))
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"warm\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()


@cache
def shared() -> Warm:
    """Return the one of this process: it is there from the first who asks until this process ends."""
    warm = Warm()
    warm.__enter__()
    atexit.register(warm.__exit__, None, None, None)
    return warm


def serve(place: str) -> Callable[[], None]:
    """Answer until standard input closes; return only in a fork, with what that is to become."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(16)
    os.write(1, b"warm\n")
    running: dict[socket.socket, tuple[int, int]] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ, None)
        ready.register(listener, selectors.EVENT_READ, listener)
        while True:
            # Whoever was killed is buried before anybody new is born: a lock that the dead one held is free then.
            for key, _ in sorted(ready.select(), key=lambda found: found[0].data is listener):
                if key.data is None:
                    _end(running)
                elif key.data is listener:
                    asked, _ = listener.accept()
                    wanted, streams = _wanted(asked)
                    child = os.fork()
                    if child == 0:
                        return lambda: _become(*wanted, streams)
                    for each in streams:
                        os.close(each)
                    running[asked] = (child, os.pidfd_open(child))
                    ready.register(asked, selectors.EVENT_READ, asked)
                    ready.register(running[asked][1], selectors.EVENT_READ, asked)
                elif key.data in running and _is_over(key.data, *running[key.data], key.fileobj):
                    ready.unregister(key.data)
                    ready.unregister(running[key.data][1])
                    os.close(running.pop(key.data)[1])
                    key.data.close()


def _wanted(asked: socket.socket) -> tuple[tuple[list[str], str, str, dict[str, str]], list[int]]:
    length, streams, _, _ = socket.recv_fds(asked, 4, 3)
    left, said = int.from_bytes(length, "big"), b""
    while len(said) < left:
        said += asked.recv(left - len(said))
    return ast.literal_eval(said.decode()), streams


def _is_over(asked: socket.socket, child: int, end: int, ready: object) -> bool:
    """Pass on what one end has said; return whether the command is over, and was buried."""
    if ready != end:
        with contextlib.suppress(ConnectionResetError):
            if number := asked.recv(1):
                signal.pidfd_send_signal(end, number[0])
                return False
        signal.pidfd_send_signal(end, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        asked.send(bytes([code if code >= 0 else 128 - code]))
    return True


def _end(running: dict[socket.socket, tuple[int, int]]) -> NoReturn:
    for child, _ in running.values():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os._exit(0)


def _become(words: list[str], asked_as: str, folder: str, environment: dict[str, str], streams: list[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, max(streams) + 64)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - as long as it lives
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = str(Path(asked_as).with_name("python"))
    module = "orchestrator" if words[0] == "dmsa" else words[0]
    # By these two a command line knows what it was called.
    sys.modules["__main__"].__package__ = None if words[0] == "dmsa" else module
    sys.argv = [asked_as if words[0] == "dmsa" else f"{ROOT}/{module}/__main__.py", *words[1:]]
    _end_with(importlib.import_module("orchestrator.cli" if module == "orchestrator" else module).main)


def _end_with(main: Callable[[], None]) -> NoReturn:
    """End as an interpreter does, but leave what it has read where it is: tidying that up takes longer than most verbs.

    What nobody caught goes on to the interpreter, which says so, or ends by that signal.
    """
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # every thread that is no daemon is waited for
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        code = 120  # as an interpreter's
    os._exit(code)


def _read_everything() -> None:
    """Import the program, and what it imports only when it is needed."""
    import orchestrator

    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ModuleNotFoundError):  # of an extra: the command will find it missing, too
                importlib.import_module(module.name)
    once_built()
    typer.main.get_command(importlib.import_module("orchestrator.cli").app)


def once_built() -> None:
    """Let a command line be made of its verbs once in this process, not by each call: it takes a tenth of a second."""
    typer.main.get_command = typer.testing._get_command = cache(typer.main.get_command)


if __name__ == "__main__":
    _read_everything()
    gc.freeze()
    serve(sys.argv[1])()
