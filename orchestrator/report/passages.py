"""What a page shows of one migration, so that it is short: what is the same for many stands elsewhere, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from orchestrator.report.once import Once
from orchestrator.report.own_words import OwnWords, written
from orchestrator.report.shown import clock, spoken

_QUIET = frozenset({"clock", "admitted", "moved"})
"""Entries that a page says by what is around them: the step's head says the move, the write after it the rest."""
LONG = 48
"""From how many letters on a value that comes again is written once."""


class Said(NamedTuple):
    """What a guard said, whoever it was about."""

    guard: str
    role: str
    verdict: str
    waived: bool
    evidence: str


class Change(NamedTuple):
    """One expected change, and what showed it."""

    of: str
    attribute: str
    old: str
    new: str
    shown: str


class Changed(NamedTuple):
    """What one write was expected to change; ``maybe``: what it may have changed besides, and nothing reads."""

    cmdlet: str
    changes: tuple[Change, ...]
    maybe: str


class Line(NamedTuple):
    """One line of a step: when, what, and how it ended."""

    row: int
    at: str
    said: str
    end: str
    bad: bool


class Fact(NamedTuple):
    """One fact of a snapshot that was otherwise right before Complete."""

    object: str
    name: str
    before: str
    again: str


class HostLine(NamedTuple):
    """One host: its switch, since when it may use the dMSA, and its workloads with what their restarts took."""

    name: str
    switch: str
    allowed: str
    workloads: str


class Passages:
    """One migration, for a page."""

    def __init__(self, one: Mapping[str, Any], number: int, answer: Callable[[int], Mapping[str, Any]]) -> None:
        self.one, self.number, self.own = one, number, OwnWords(one)
        asked = {number: answer(number) for number in dict.fromkeys(self._asked())}
        self._said = {
            number: Said(
                said["guard"], self.own.role(said["subject"]), said["verdict"], said["waived"],
                self.own.of(said["evidence"]),
            )
            for number, said in asked.items()
        }  # fmt: skip
        self._subjects = {number: str(said["subject"]) for number, said in asked.items()}
        self.writes = [(write, self._changed(write)) for write in one["writes"]]

    def _asked(self) -> Iterator[int]:
        for _, numbers in self._asking():
            yield from numbers

    def _asking(self) -> Iterator[tuple[str, list[int]]]:
        for chapter in self.one["history"]:
            for entry in chapter["entries"]:
                if entry["answers"]:
                    yield str(entry["said"]).partition(":")[0].removeprefix("guards before "), entry["answers"]

    # What is the same for many.

    def said(self) -> Iterable[Said]:
        """Return what guards said."""
        return self._said.values()

    def changed(self) -> Iterator[Changed]:
        """Yield what its writes were expected to change."""
        return (changed for _, changed in self.writes if changed.changes or changed.maybe)

    def values(self) -> Iterator[str]:
        """Yield the long values of its snapshots."""
        for snapshot in self.one["snapshots"]:
            for fact in snapshot["facts"]:
                for name in ("before", "again") if fact["changed"] else ("before",):
                    value = self.own.value(fact[name])
                    if len(value) >= LONG:
                        yield value

    # What stands with it.

    def lines(self, chapter: Mapping[str, Any]) -> Iterator[Line]:
        """Yield the lines of a step; a day is said once."""
        day = (chapter["ended"] or "")[:10]
        for entry in chapter["entries"]:
            if entry["kind"] in _QUIET:
                continue
            at = (entry["at"] or "")[:19]
            shown = at[11:] if at[:10] == day else at.replace("T", " ")
            day = at[:10]
            yield Line(entry["row"], shown or "-", self.own.of(entry["said"]), self.own.of(_end(entry)), _bad(entry))

    def apart(self, shared: Once[Said]) -> Iterator[tuple[str, str, Said]]:
        """Yield what guards said of this migration alone: before which steps, about whom, and what."""
        steps: dict[int, list[str]] = {}
        for step, numbers in self._asking():
            for number in numbers:
                steps.setdefault(number, []).append(step)
        for number, before in steps.items():
            said = self._said[number]
            if shared.number(said) is None:
                subject = said.role if said.role != "a host" else self._subjects[number]
                yield ", ".join(dict.fromkeys(before)), subject, said

    def together(self, shared: Once[Said]) -> Iterator[tuple[str, str]]:
        """Yield before which step guards said what they said of others too: the numbers, by whom they are about."""
        told: set[tuple[str, tuple[int, ...]]] = set()
        for step, asked in self._asking():
            if (step, tuple(asked)) in told:
                continue
            told.add((step, tuple(asked)))
            found: dict[str, list[int]] = {}
            for number in asked:
                place = shared.number(self._said[number])
                if place is not None:
                    host = self._said[number].role == "a host"
                    found.setdefault(self._subjects[number] if host else "", []).append(place)
            if found:
                yield step, "; ".join(f"{whom} {_numbers(places)}".strip() for whom, places in found.items())

    def alike(self, lists: Once[Changed]) -> Iterator[tuple[Mapping[str, Any], int]]:
        """Yield the writes of which the same was expected and shown as of others, and the number of that."""
        for write, changed in self.writes:
            number = lists.number(changed)
            if number is not None:
                yield write, number

    def facts(self, snapshot: Mapping[str, Any], values: Once[str]) -> Iterator[Fact]:
        """Yield the facts that were otherwise right before Complete."""
        new = _is_new(snapshot)
        for fact in snapshot["facts"]:
            if fact["changed"] and not (new and fact["object"] == "dmsa"):
                before, again = (self.here(fact[name], values) for name in ("before", "again"))
                yield Fact(self.own.of(fact["object"]), fact["name"], before, again)

    def created(self, snapshot: Mapping[str, Any], values: Once[str]) -> list[tuple[str, str | Markup]]:
        """Return the facts of a dMSA that was not there before the first write, as they were right before Complete."""
        facts = [fact for fact in snapshot["facts"] if fact["object"] == "dmsa"] if _is_new(snapshot) else []
        return [(fact["name"], self.here(fact["again"], values)) for fact in facts]

    def unchanged(
        self, snapshot: Mapping[str, Any], values: Once[str]
    ) -> Iterator[tuple[str, list[tuple[str, str | Markup]]]]:
        """Yield the other facts, by object."""
        found: dict[str, list[tuple[str, str | Markup]]] = {}
        for fact in snapshot["facts"]:
            if not fact["changed"]:
                named = fact["name"] in {"dn", "sid"}  # said here, so that it can be meant everywhere else
                value = written(fact["before"]) if named else self.here(fact["before"], values)
                found.setdefault(fact["object"], []).append((fact["name"], value))
        yield from found.items()

    def hosts(self) -> Iterator[HostLine]:
        """Yield its hosts as they were last seen."""
        seen = {one["name"]: one["first_seen"] for one in (self.one["ledger"] or {}).get("hosts", ())}
        took = {(one["host"], one["name"]): one["restarts"] for one in self.one["restarts"]["workloads"]}
        for host in self.one["hosts"]:
            works = {work["name"]: work["state"] for work in host["workloads"]}
            works |= {name: "" for of, name in took if of == host["name"] and name not in works}
            said = (_work(name, state, took.get((host["name"], name), ())) for name, state in works.items())
            yield HostLine(host["name"], _switch(host), clock(seen.get(host["name"])), "; ".join(said))

    def here(self, value: Any, values: Once[str]) -> str | Markup:
        """Return what stands where a value belongs: itself, or a reference to it."""
        text = self.own.value(value)
        number = values.number(text)
        return text if number is None else Markup('<a href="#v{0}">value {0}</a>').format(number)

    def _changed(self, write: Mapping[str, Any]) -> Changed:
        unread = (c["attribute"] for c in write["changes"] if not c["sure"] and c["shown"] == "not-read")
        found = (self._change(c) for c in write["changes"] if c["sure"] or c["shown"] != "not-read")
        return Changed(write["cmdlet"], tuple(found), ", ".join(dict.fromkeys(str(name) for name in unread if name)))

    def _change(self, change: Mapping[str, Any]) -> Change:
        old, new = (self.own.of(change[name] or "") for name in ("old", "new"))
        return Change(self.own.role(change["object"]), change["attribute"] or "", old, new or "unset", change["shown"])


def _work(name: str, state: str, restarts: Iterable[Mapping[str, Any]]) -> str:
    took = ", ".join(spoken(one["seconds"]) for one in restarts)
    return f"{name} {state}".strip() + (f" (restarts {took})" if took else "")


def _switch(host: Mapping[str, Any]) -> str:
    lost = host["lost"]
    said = str(host["registry"]) + (f" for {', '.join(host['kept_for'])}" if host["kept_for"] else "")
    if lost:
        said += f": lost, says {lost['by']} ({lost['reason']}); it was {lost['before'] or 'absent'}"
    return said


def _is_new(snapshot: Mapping[str, Any]) -> bool:
    """Whether the dMSA was created after the snapshot, and read again right before Complete."""
    own = [fact for fact in snapshot["facts"] if fact["object"] == "dmsa"]
    return bool(own) and snapshot["again"] is not None and all(fact["before"] is None for fact in own)


def _numbers(places: Iterable[int]) -> str:
    """Return numbers in order, those that follow each other as a span."""
    spans: list[list[int]] = []
    for place in sorted(set(places)):
        if spans and place == spans[-1][1] + 1:
            spans[-1][1] = place
        else:
            spans.append([place, place])
    return " ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)


def _end(entry: Mapping[str, Any]) -> str:
    """Return how an entry ended, in words."""
    parts = []
    if entry["kind"] == "write":
        parts.append({"succeeded": "done", "open": "NO END IN THE JOURNAL"}.get(entry["outcome"], entry["outcome"]))
        if entry["seconds"]:
            parts.append(f"{entry['seconds']} s")
        if entry["settled"]:
            parts.append(f"settled by looking at {entry['settled']}")
    if entry["fault"]:
        parts.append(f"{entry['fault']['code']}: {entry['fault']['message']}")
    if entry["read"]:
        parts.append(entry["read"])
    if entry["times"] > 1:
        parts.append(f"said {entry['times']} times, last at {entry['ended'] or '-'}")
    return "; ".join(parts)


def _bad(entry: Mapping[str, Any]) -> bool:
    return entry["kind"] in {"held", "refused"} or entry["outcome"] in {"failed", "unknown", "open"}
