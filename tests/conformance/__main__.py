"""How alike the lab and what is not ours are, as a table: ``python -m tests.conformance``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.table import show
from tests.conformance.answers import carried, has_pipeline
from tests.conformance.live import outcomes
from tests.conformance.recordings import recordings
from tests.conformance.replay import batched, replay
from tests.conformance.test_recorded_replies import PINNED, READ
from tests.directory.outcomes import outcomes as contract


def main() -> None:
    """Print the table."""
    alike = forgiven = total = control = 0
    found = recordings("test_psrp_*")
    for recording in found:
        with tempfile.TemporaryDirectory() as folder:
            exchanges = replay(recording, Path(folder))
        total += len(exchanges)
        alike += sum(each.alike for each in exchanges)
        forgiven += len(batched(exchanges))
        control += sum(each.control[0] == each.control[1] for each in exchanges)
    with tempfile.TemporaryDirectory() as folder:
        live = outcomes(Path(folder))
        directory = contract(Path(folder))
    pinned = [each for each in found if has_pipeline(each)]
    understood = sum(carried(each, READ).outcome.value == PINNED[each.name]["outcome"] for each in pinned)
    rows = [
        ("recorded requests answered as Windows did", alike, total),
        ("... batching of Receives forgiven", alike + forgiven, total),
        ("... with the same control messages in the same reply", control, total),
        ("recorded replies to a pipeline, understood", understood, len(pinned)),
        ("pypsrp's tests for a real Windows that pass", sum(live.values()), len(live)),
        ("what a directory does, in the estate", *directory["estate"]),
        ("... in Samba as a domain controller", *directory["samba"]),
    ]
    show("the lab beside Windows, and its directory beside another", ("what", "alike", "of"), rows)


if __name__ == "__main__":
    main()
