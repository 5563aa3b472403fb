"""What goes wrong while a way back is under way, by name, and which holds it may lead to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from orchestrator.lab.estate import weather_spec as w
from tests.wayback.shapes import DC, HOST, SECOND, WORKLOADS

UNLINKING = ("Undo-ADServiceAccountMigration", "Reset-ADServiceAccountMigration")
REPAIR = ("Enable-ADAccount", "Set-ADUser", "Set-ADServiceAccount")
RESTORE = ("New-ItemProperty", "Remove-ItemProperty")
RESTART = ("Restart-Service", "Start-Service", "Restart-WebAppPool")
_AT = {"unlinking": UNLINKING, "repair": REPAIR, "restore": RESTORE, "restart": RESTART}
_RULE: TypeAdapter[w.WeatherSpec] = TypeAdapter(w.WeatherSpec)

_BEFALLS: dict[str, dict[str, Any]] = {
    "lost-request": {"kind": "lost-request"},
    "lost-reply": {"kind": "lost-reply"},
    "late": {"kind": "lost-reply", "late": "40s", "outlives": True},
    "denied": {"kind": "access-denied"},
    "busy": {"kind": "busy", "times": 2},
}
_AFTER_UNLINKING: dict[str, dict[str, Any]] = {
    "host down for a minute": {"kind": "host-down", "host": HOST, "lasts": "1m"},
    "host down for hours": {"kind": "host-down", "host": HOST, "lasts": "3h"},
    "DC down for a minute": {"kind": "host-down", "host": DC, "lasts": "1m"},
    "DC down for hours": {"kind": "host-down", "host": DC, "lasts": "3h"},
    "DCs apart for minutes": {"kind": "partition", "host": DC, "lasts": "10m"},
    "DCs apart for a day": {"kind": "partition", "host": DC, "lasts": "20h"},
    "service broken once": {"kind": "service-broken", "host": HOST, "service": "Api", "times": 1},
    "service broken for long": {"kind": "service-broken", "host": HOST, "service": "Api", "times": 3},
}
_ELSEWHERE: dict[str, list[dict[str, Any]]] = {
    "fair": [],
    "slow": [{"kind": "slow", "takes": "90s", "when": {"cmdlet": one, "times": 2}} for one in (*UNLINKING, *RESTART)],
    "session died": [{"kind": "session-died", "when": {"cmdlet": one}} for one in (*UNLINKING, *RESTORE)],
    "session disconnected": [{"kind": "session-disconnected", "when": {"cmdlet": one}} for one in UNLINKING],
    "endpoint unavailable": [{"kind": "unavailable", "when": {"cmdlet": one}} for one in (*UNLINKING, *RESTORE)],
    "hosts read in vain": [{"kind": "hang", "when": {"cmdlet": "Get-CimInstance", "times": 2}}],
    "directory read in vain": [{"kind": "hang", "when": {"cmdlet": "Get-ADUser", "times": 2}}],
    "directory read denied": [{"kind": "access-denied", "when": {"cmdlet": "Get-ADUser"}}],
    "second DC down": [{"kind": "host-down", "host": SECOND, "lasts": "30m", "when": {"cmdlet": "Get-ADUser"}}],
}
WEATHER = (
    *_ELSEWHERE,
    *(f"{what} at {where}" for what in _BEFALLS for where in _AT),
    *_AFTER_UNLINKING,
)
"""Every kind."""


def fits(reason: str, case: Any) -> bool:
    """Say whether a hold has a reason in a case: in what went wrong, or in a directory that keeps what it took."""
    weather = str(case["weather"])
    match reason:
        case "restored-by-hand":
            return bool(case["directory-keeps"])
        case "fault":
            return weather.startswith(("denied", "directory read denied", "service broken"))
        case "not-converged":
            return weather in {"DCs apart for a day", "DC down for hours"}
        case "retries-spent":
            # Twice at each of three repairs: the tries of the directory's writes are counted together.
            return weather in {"host down for hours", "DC down for hours", "busy at repair"}
        case _:
            return False


def rules(name: str, case: Any) -> tuple[w.WeatherSpec, ...]:
    """Return a kind of weather as the estate file's own rules; those about what a case has not are left out."""
    return tuple(_RULE.validate_python(rule) for rule in _rules(name) if _there(rule, case))


def _rules(name: str) -> Iterable[dict[str, Any]]:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if name in _AFTER_UNLINKING:
        return [_AFTER_UNLINKING[name] | {"when": {"cmdlet": one}} for one in UNLINKING]
    what, _, where = name.partition(" at ")
    made = dict(_BEFALLS[what])
    times = made.pop("times", 1)
    return [made | {"when": {"cmdlet": one, "times": times}} for one in _AT[where]]


def _there(rule: dict[str, Any], case: Any) -> bool:
    if rule["kind"] == "service-broken":
        return any(one["name"] == "Api" for one in WORKLOADS[case["workloads"]]["services"])
    return case["dcs"] > 1 or (rule["kind"] != "partition" and rule.get("host") != SECOND)
