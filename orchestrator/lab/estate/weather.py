"""What goes wrong, and when: the estate file's weather, counted against the requests that arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

from orchestrator.lab.command import Request
from orchestrator.lab.estate.weather_spec import (
    AccessDenied,
    Busy,
    Event,
    LostReply,
    LostRequest,
    Slow,
    Trigger,
    WeatherSpec,
)

FaultName: TypeAlias = Literal["down", "lost-request", "lost-reply", "slow", "access-denied", "busy"]


@dataclass(frozen=True)
class WeatherFault:
    """What befalls one request.

    ``down``: nothing listens. ``lost-request``: it never arrives, do not execute it. ``lost-reply``: execute
    it, answer nothing. ``slow``: execute it, answer after ``delay``. ``access-denied``, ``busy``: refuse it
    without executing it.
    """

    kind: FaultName
    delay: timedelta = timedelta(0)

    @property
    def executes(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.kind in {"lost-reply", "slow"}


@dataclass
class Weather:
    """The rules of one estate and how often each has met its trigger."""

    rules: tuple[WeatherSpec, ...]
    counts: dict[int, int] = field(default_factory=dict)

    def fault_for(self, request: Request) -> WeatherFault | None:
        """Count the request against the request weather, and return what befalls it."""
        fault = None
        for number, rule in enumerate(self.rules):
            if not isinstance(rule, Event) and self._meets(number, rule.when, request):
                fault = fault or _fault(rule)
        return fault

    def events_after(self, request: Request) -> list[Event]:
        """Count an executed request against the event weather, and return what it sets off."""
        return [
            rule
            for number, rule in enumerate(self.rules)
            if isinstance(rule, Event) and rule.when is not None and self._meets(number, rule.when, request)
        ]

    def _meets(self, number: int, when: Trigger, request: Request) -> bool:
        if not _matches(when, request):
            return False
        count = self.counts[number] = self.counts.get(number, 0) + 1
        return when.nth <= count < when.nth + when.times


def _matches(when: Trigger, request: Request) -> bool:
    hosts = {request.host.lower(), request.host.partition(".")[0].lower()}
    if when.host is not None and when.host.lower() not in hosts:
        return False
    used = {command.name.lower() for statement in request.statements for command in statement}
    return when.cmdlet is None or when.cmdlet.lower() in used


def _fault(rule: WeatherSpec) -> WeatherFault | None:
    match rule:
        case LostRequest():
            return WeatherFault("lost-request")
        case LostReply():
            return WeatherFault("lost-reply", rule.late)
        case Slow():
            return WeatherFault("slow", rule.takes)
        case AccessDenied():
            return WeatherFault("access-denied")
        case Busy():
            return WeatherFault("busy")
        case _:
            return None
