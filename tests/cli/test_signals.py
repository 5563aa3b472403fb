"""What a signal does in the middle of something: it is heard, and what it came into ends as it would have."""

from __future__ import annotations

import io
import os
import signal
import sys

from orchestrator.cli.signals import Signals

TOLD = b"SIGTERM: nothing new begins; what is under way ends, or is recorded as unknown\n"


class Interrupted(io.FileIO):
    """A file, the first write to which is interrupted by a signal."""

    def write(self, data):
        if not os.fstat(self.fileno()).st_size:
            super().write(data[:5])
            signal.raise_signal(signal.SIGTERM)
            return 5
        return super().write(data)


def test_a_signal_in_the_middle_of_a_write_to_standard_error_is_told_there(tmp_path, monkeypatch):
    file = tmp_path / "stderr"
    signals, stopped = Signals(), []
    with io.TextIOWrapper(io.BufferedWriter(Interrupted(file, "w")), write_through=True) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with signals.heard(), signals.stopping(lambda: stopped.append(True)):
            stream.write("a log line\n")
            stream.flush()
    assert (signals.number, stopped) == (signal.SIGTERM, [True])
    assert file.read_bytes() == b"a log" + TOLD + b" line\n"
