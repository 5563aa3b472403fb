"""What goes wrong, and when: the estate file's weather, counted against the requests that arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

from orchestrator.lab.command import Request
from orchestrator.lab.estate.weather_spec import (
    Busy,
    Event,
    Hang,
    LostReply,
    Slow,
    Trigger,
    Unavailable,
    WeatherSpec,
)

FaultName: TypeAlias = Literal[
    "down",
    "lost-request",
    "lost-reply",
    "reset",
    "hang",
    "hang-before",
    "unavailable",
    "session-died",
    "session-disconnected",
    "slow",
    "access-denied",
    "busy",
]


@dataclass(frozen=True)
class WeatherFault:
    """What befalls one request.

    ``down``: nothing listens. ``lost-request``: it never arrives, do not execute it. ``lost-reply``: execute
    it, answer nothing. ``reset``: execute it, break off in the reply. ``hang``: execute it, answer nothing and stay
    connected; ``hang-before``: the same without executing it. ``slow``: execute it, answer after ``delay``. The
    others: refuse it without executing it.
    """

    kind: FaultName
    delay: timedelta = timedelta(0)
    outlives: bool = False
    """Whether the late effect comes even if the shell is deleted meanwhile."""
    quota: str = "operations"
    """Which quota is spent, of one that is busy."""
    retry_after: timedelta | None = None
    """When to come back, as one that is unavailable says it."""

    @property
    def executes(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.kind in {"lost-reply", "reset", "hang", "slow"}


@dataclass
class Weather:
    """The rules of one estate and how often each has met its trigger."""

    rules: tuple[WeatherSpec, ...]
    counts: dict[int, int] = field(default_factory=dict)

    def fault_for(self, request: Request) -> WeatherFault | None:
        """Count the request against the request weather, and return what befalls it."""
        return self._befalls(request.host, None, request)

    def fault_at(self, host: str, operation: str, request: Request | None) -> WeatherFault | None:
        """Count one message of the wire against the weather of its operation, and return what befalls it.

        *request* is the pipeline that the message is about, if it is about one.
        """
        return self._befalls(host, operation, request)

    def _befalls(self, host: str, operation: str | None, request: Request | None) -> WeatherFault | None:
        fault = None
        for number, rule in enumerate(self.rules):
            if isinstance(rule, Event) or rule.when.operation != operation:
                continue
            if self._meets(number, rule.when, host, request):
                fault = fault or _fault(rule)
        return fault

    def events_after(self, request: Request) -> list[Event]:
        """Count an executed request against the event weather, and return what it sets off."""
        return [
            rule
            for number, rule in enumerate(self.rules)
            if isinstance(rule, Event)
            and rule.when is not None
            and self._meets(number, rule.when, request.host, request)
        ]

    def _meets(self, number: int, when: Trigger, host: str, request: Request | None) -> bool:
        if not _matches(when, host, request):
            return False
        count = self.counts[number] = self.counts.get(number, 0) + 1
        return when.nth <= count < when.nth + when.times


def _matches(when: Trigger, host: str, request: Request | None) -> bool:
    if when.host is not None and when.host.lower() not in {host.lower(), host.partition(".")[0].lower()}:
        return False
    statements = () if request is None else request.statements
    used = {command.name.lower() for statement in statements for command in statement}
    return when.cmdlet is None or when.cmdlet.lower() in used


def _fault(rule: WeatherSpec) -> WeatherFault | None:
    match rule:
        case Event():
            return None
        case LostReply():
            return WeatherFault("lost-reply", rule.late, rule.outlives)
        case Slow():
            return WeatherFault("slow", rule.takes)
        case Busy():
            return WeatherFault("busy", quota=rule.quota)
        case Unavailable():
            return WeatherFault("unavailable", retry_after=rule.retry_after)
        case Hang(arrives=False):
            return WeatherFault("hang-before")
        case _:
            return WeatherFault(rule.kind)
