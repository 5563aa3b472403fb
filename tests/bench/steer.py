"""How soon a runner that stays obeys a word from another terminal, over the real wire.

    python -m tests.bench.steer --accounts 32

The runner is `dmsa run --watch` in a process of its own. A word is appended here, as `dmsa hold` and `dmsa release` do,
and what is measured is the time from its acknowledgement until the runner has taken it in and says so. Four situations:
a dwell, only a person is waited for, a burst of restarts that take long, and a domain controller that says nothing.
Beside it, the writes that arrived at the far side more than a second after a hold was acknowledged: there are none, or
the fence has a hole. Restarts are counted where they begin.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from orchestrator.cli.backwards import append_words
from orchestrator.model.event import Event, Held, Released
from tests.bench.table import show
from tests.bench.weeks import Weeks

HEAD = ("situation", "word", "times", "median, s", "worst, s", "writes a second later")
RESTARTS_TAKE = "8s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Words to a runner that stays.")
    parser.add_argument("--accounts", type=int, default=32)
    parser.add_argument("--times", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = Steered(Path(folder), given.accounts).rows_of(given.times)
    show(f"words to a runner of {given.accounts} accounts", HEAD, rows)


class Steered(Weeks):
    """One runner, one lab whose restarts take long, and a word again and again."""

    def __init__(self, folder: Path, accounts: int) -> None:
        super().__init__(folder, 30, accounts, hosts_each=3)
        estate = folder / "estates" / "p.yaml"
        slow = f"\nweather: [{{kind: slow, when: {{cmdlet: Restart-Service, times: 1000}}, takes: {RESTARTS_TAKE}}}]\n"
        estate.write_text(estate.read_text() + slow)
        self._plan["waves"][0]["at_once"] = accounts
        self._ids = [one["dmsa"]["name"] for one in self._plan["waves"][0]["migrations"]]

    def rows_of(self, times: int) -> list[tuple[object, ...]]:
        """Measure each situation."""
        with self._lab() as lab, self._runner():
            self._until(lambda: sum("restart: Restart-Service" in line for line in self._said) >= len(self._ids) // 2)
            rows = self._measured("a burst of restarts", 1)
            self._until(self._all_dwell)
            rows += self._measured("a dwell", times)
            self._word(Held, "hold")
            rows += self._measured("only a person", times, held=True)
            self._word(Released, "release")  # on a lab, who waits for a person does not ask for the time
            self._stop(lab)
            self._until(lambda: "NO ESTATE TIME" in "".join(self._said[-200:]))
            rows += self._measured("no estate time", times)
            lab.append(self._serve())
            return rows

    def _all_dwell(self) -> bool:
        return {line.split()[1] for line in self._said if "waits for dwell" in line} >= set(self._ids)

    def _measured(self, situation: str, times: int, *, held: bool = False) -> list[tuple[object, ...]]:
        took: dict[str, list[float]] = {"hold": [], "release": []}
        late = 0
        print(situation, file=sys.stderr, flush=True)
        for _ in range(times):
            order: list[tuple[str, type[Event]]] = [("hold", Held), ("release", Released)]
            for word, kind in reversed(order) if held else order:
                took[word].append(self._word(kind, word))
                if word == "hold":
                    late += self._arrives_late()
        return [
            (situation, word, times, statistics.median(found), max(found), late if word == "hold" else "-")
            for word, found in took.items()
        ]

    def _word(self, kind: type[Event], word: str) -> float:
        """Append a word about everybody; return the seconds until the runner has said of each that it took it in."""
        hold = {"reason": "operator", "detail": "measured", "release": "`dmsa release`", "by": "bench"}
        fields: dict[str, Any] = hold if word == "hold" else {"by": "bench", "reason": "measured"}
        words = [kind.model_validate({"migration": id_, **fields}) for id_ in self._ids]
        mark = len(self._heard(word))
        append_words(str(self._folder / ".dmsa" / "journal.db"), "p", lambda _state: words)
        began = time.monotonic()
        self._until(lambda: len(self._heard(word)) >= mark + len(self._ids))
        return self._heard(word)[-1] - began

    def _heard(self, word: str) -> list[float]:
        about = "HELD (operator): measured" if word == "hold" else "released by bench"
        return [at for at, line in self._times if about in line]

    def _arrives_late(self) -> int:
        time.sleep(1.0)
        before = self._writes()
        time.sleep(2.0)
        return self._writes() - before

    def _writes(self) -> int:
        lines = (self._folder / "state" / "commands.jsonl").read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line)["write"] for line in lines if line.endswith("}"))


if __name__ == "__main__":
    main()
