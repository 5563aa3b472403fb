"""One migration of a run that goes on, in one line: name, mark, row of phases, and what it does or waits for.

Pure. A line is spans of text, each with the name of a style; whoever draws says what that looks like, and without any
style a line says the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

from orchestrator.engine.waves import Go
from orchestrator.model.event import DIRECTORY
from orchestrator.model.lifecycle import Intention, Phase, Trigger
from orchestrator.model.state import MigrationState, Waiting
from orchestrator.views.along import Along
from orchestrator.views.marks import BAR_WIDTH, MARK_WIDTH, PLAIN, Mark, Signs, bar, mark
from orchestrator.views.moment import brief, span
from orchestrator.views.output import visible

Style: TypeAlias = Literal["", "bold", "dim", "waits", "held", "failed", "done"]
Group: TypeAlias = Literal["person", "moving", "waiting", "planned", "ended", "apart"]


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    style: Style = ""


Line: TypeAlias = tuple[Span, ...]
NARROW = 60
"""Fewer columns than this leave no room for a row of phases."""
LONGEST_NAME = 20
_STYLES: dict[Mark, Style] = {"": "", "waits": "waits", "HELD": "held", "FAILED": "failed"}
_AT_HOSTS = frozenset({Trigger.REGISTRY, Trigger.RESTART, Trigger.CONFIRM, Trigger.RESTORE})


@dataclass(frozen=True)
class Look:
    """What there is to draw on, and how the plan is called in commands."""

    width: int = 80
    height: int = 24
    signs: Signs = PLAIN
    encoding: str = "utf-8"
    command: str = "PLAN"

    @property
    def narrow(self) -> bool:
        """Whether there is no room for a row of phases."""
        return self.width < NARROW

    def spelled(self, text: str) -> str:
        """Return a text on one line, without what would move a cursor, in signs that the terminal has."""
        one = visible(" ".join(text.split()))
        return one.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def cut(self, text: str, width: int) -> str:
        """Return a text that is no longer than *width*; one that was cut says so."""
        return text if len(text) <= width else text[: max(0, width - 1)] + self.signs.cut

    def fitting(self, width: int, *variants: str) -> str:
        """Return the first of these that fits, or the beginning of the last."""
        return next((one for one in variants if len(one) <= width), self.cut(variants[-1], width))


@dataclass(frozen=True)
class Seen:
    """One migration as it stands now."""

    state: MigrationState
    waiting: Waiting | None
    group: Group
    mark: Mark


def seen(along: Along, id_: str, chosen: frozenset[str]) -> Seen:
    """Return how one migration stands."""
    state, waiting = along.state[id_], along.waiting(id_)
    ended = along.ended(state)
    failed = state.failure == "failed"
    return Seen(
        state,
        waiting,
        "person" if state.held else _group(state, waiting, ended=ended, apart=id_ not in chosen),
        mark(held=state.held is not None, failed=failed, waits=waiting is not None),
    )


def _group(state: MigrationState, waiting: Waiting | None, *, ended: bool, apart: bool) -> Group:
    if ended:
        return "ended"
    if apart:
        return "apart"
    if state.phase is Phase.PLANNED and not state.open:
        return "planned"
    return "moving" if waiting is None else "waiting"


def row(along: Along, one: Seen, look: Look, now: datetime | None, name_width: int) -> Line:
    """Return a migration as a line, never longer than the terminal is wide."""
    name = look.cut(look.spelled(one.state.id), name_width).ljust(name_width)
    head = f"  {name}  "
    marked = Span(one.mark.ljust(MARK_WIDTH), _STYLES[one.mark])
    left = look.width - len(head) - MARK_WIDTH - 1
    if look.narrow:
        words = look.fitting(left, *reversed(_short(along, one, now)))
        return (Span(head), marked, Span(" "), Span(words, _words_style(one)))
    back = one.state.intention is Intention.BACK
    drawn = bar(one.state.phase, look.signs, back=back)
    words = look.fitting(left - BAR_WIDTH - 1, *_words(along, one, now))
    return (Span(head), marked, Span(" "), Span(drawn, _bar_style(one)), Span(" "), Span(words, _words_style(one)))


def _bar_style(one: Seen) -> Style:
    return "done" if one.group == "ended" else "dim" if one.group == "apart" else ""


def _words_style(one: Seen) -> Style:
    return "dim" if one.group in {"ended", "apart", "planned"} else ""


def _words(along: Along, one: Seen, now: datetime | None) -> tuple[str, ...]:
    """Return what is said of a migration behind its row of phases, the longest first."""
    phase = one.state.phase.value
    if one.group == "apart" and one.waiting is None:
        return (f"{phase}, not selected", phase)
    attempt = f" (attempt {one.state.attempt})" if one.state.attempt > 1 else ""
    going_back = one.state.intention is Intention.BACK and one.state.phase is not Phase.ROLLED_BACK
    stands = f"{phase}{' on the way back' if going_back else ''}"
    if one.state.held is not None:
        return (f"{stands}{attempt}, {one.state.held.reason}", f"{phase}, {one.state.held.reason}")
    if one.waiting is not None:
        wait = f"for {one.waiting.waiting_for}{_until(one.waiting, now)}"
        others = [doing for doing in _doing(along, one) if len(_hosts(along, one.state)) > 1 and "/" in doing]
        found = {f"{before}{doing}, {wait}" for before in (f"{phase}, ", "") for doing in others}
        found |= {f"{stands}{attempt}, {wait}", f"{phase}, {wait}", wait, wait.removeprefix("for ")}
        return tuple(sorted(found, key=len, reverse=True))
    if one.group == "ended":
        return (f"{stands}{attempt}", stands)
    return tuple(
        f"{before}{doing}" for before in (f"{stands}{attempt}, ", f"{phase}, ", "") for doing in _doing(along, one)
    )


def _short(along: Along, one: Seen, now: datetime | None) -> tuple[str, ...]:
    """Return what is said where there is hardly any room, the shortest first."""
    if one.state.held is not None:
        return (one.state.held.reason,)
    if one.waiting is not None:
        what, until = one.waiting.waiting_for, one.waiting.until
        if until is None or now is None:
            return (what,)
        return (what, f"{what} {span(until - now, units=1)}", f"{what} {brief(until, now)}")
    phase = one.state.phase.value
    if one.group in {"ended", "apart"}:
        return (phase,)
    doing = _doing(along, one)[-1]
    return (phase, doing, f"{phase} {doing}")


def _until(waiting: Waiting, now: datetime | None) -> str:
    return f" until {brief(waiting.until, now)}" if waiting.until else ""


def _doing(along: Along, one: Seen) -> tuple[str, ...]:
    """Return which step is under way and where, the longest first."""
    state, answer = one.state, along.answer(one.state.id)
    step = answer.step.value if isinstance(answer, Go) else "back" if state.intention is Intention.BACK else "next"
    if isinstance(answer, Go) and answer.step in _AT_HOSTS:
        hosts = _hosts(along, state)
        done = f"{sum(host in state.done or host in state.lost for host in hosts)}/{len(hosts)}"
        now = [short(host) for host in hosts if host in state.open]
        named = (f"{step} {done}: {', '.join(now)}", f"{step} {done}: {now[0]} +{len(now) - 1}") if now else ()
        return (*named, f"{step} {done}")
    at = state.open.get(DIRECTORY)
    return (f"{step} at {short(at.started.endpoint)}", step) if at else (step,)


def _hosts(along: Along, state: MigrationState) -> tuple[str, ...]:
    planned = (host.name for host in along.plan.migration(state.id).hosts)
    return tuple(dict.fromkeys((*planned, *state.baselines, *state.lost)))


def short(host: str) -> str:
    """Return a host's name without its domain."""
    return host.partition(".")[0]


def width_of_names(ids: Iterable[str], look: Look) -> int:
    """Return how wide the column of names is."""
    return min(max(map(len, ids)), look.width // 3 if look.narrow else LONGEST_NAME)
