"""One exported event as it is understood, whatever its fields were called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.expectation import content
from orchestrator.expectation.content import first, folded, plain
from orchestrator.expectation.forms import EventUnreadable, Row, TimeForm
from orchestrator.expectation.names import User
from orchestrator.expectation.numbers import (
    ACCOUNTS,
    KERBEROS,
    KEY_ISSUED,
    LOOKED_AT,
    NEEDS,
    OF_SYSTEM,
    OPERATIONS,
    TICKETS,
)

_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event. ``at`` is None where it is none of those that are looked at; ``log`` then says of which log it is."""

    line: int
    id: int
    at: datetime | None
    computer: str
    log: str
    record: str
    by: User
    data: Mapping[str, str]
    text: str = ""

    def get(self, name: str) -> str:
        """Return a value by its Windows name in small letters; empty where the event lacks it."""
        value = self.data.get(name, "")
        return "" if value == "-" else value

    @property
    def operation(self) -> str:
        """Whether a value was added or deleted (5136)."""
        return OPERATIONS[folded(self.get("operationtype"))]

    @property
    def target(self) -> str:
        """The account that it is about; of a renamed one the name that it had (4781 has no other)."""
        return self.get("targetusername") or self.get("oldtargetusername")


def understood(line: int, row: Row, times: TimeForm, computer: str = "") -> SeenEvent:
    """Return the event of a row.

    Args:
        line: where it stands.
        row: its fields.
        times: how its times are written.
        computer: what logged it, where the row does not say so.

    Raises:
        EventUnreadable: the row has no event id; or is of an event that is looked at, and lacks what that takes.
    """
    try:
        fields = content.flat(row)
    except RecursionError:
        raise EventUnreadable(line, "its fields are nested too deeply") from None
    number = _number(fields)
    if number is None:
        fields = content.with_xml(fields)
        number = _number(fields)
    if number is None:
        raise EventUnreadable(
            line,
            f"no column holds an event id; there are: {', '.join(map(str, row))[:200]}. Names that Windows translated "
            "are not known; export the events anew",
        )
    if number not in LOOKED_AT:
        return SeenEvent(line, number, None, "", "", "", User(), {})
    data = content.data_of(number, fields, row)
    if not _of_that_log(line, number, fields, data):
        return SeenEvent(line, number, None, "", _named_log(fields), "", User(), {})
    _whole(line, number, data)
    name, when = _when(fields)
    if when is None:
        raise EventUnreadable(line, f"no column holds the time of this event {number}")
    computer = plain(first(fields, content.COMPUTER)) or computer
    if not computer:
        raise EventUnreadable(
            line, f"no column says on which computer this event {number} was written; if all are of one, --computer"
        )
    at = times.read(when, line, utc=name in content.IN_UTC)
    record = plain(first(fields, content.RECORD))
    log, text = plain(first(fields, content.LOG)), content.message(fields)
    return SeenEvent(line, number, at, computer, log, record, _by(data, fields), data, text)


def _number(fields: Mapping[str, Any]) -> int | None:
    for name in content.ID:
        text = plain(fields.get(name))
        if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER:
            return int(text)
    return None


def _when(fields: Mapping[str, Any]) -> tuple[str, Any]:
    return next(((name, fields[name]) for name in content.TIME if name in fields), ("", None))


def _named_log(fields: Mapping[str, Any]) -> str:
    return f"{plain(first(fields, content.LOG))} {plain(first(fields, content.PROVIDER))}".strip()


def _of_that_log(line: int, number: int, fields: Mapping[str, Any], data: Mapping[str, str]) -> bool:
    """Whether an event of this number is the one that is meant: numbers are given out once per log, not once.

    A collector may call the log as it likes; an event that says what only the Security log says is one of it.
    """
    named = _named_log(fields).lower()
    if number in OF_SYSTEM:
        log, provider = (plain(first(fields, of)).lower() for of in (content.LOG, content.PROVIDER))
        return log == "system" or provider.startswith(("service control manager", "user32")) or ":system" in named
    if number in KERBEROS or number == KEY_ISSUED:
        if not named:
            raise EventUnreadable(line, f"no column names the log of this event {number}, which several logs have")
        return "kerberos" in named if number in KERBEROS else "directory" in named or "activedirectory" in named
    if not named or "security" in named or "forwarded" in named:
        return True
    return all(name in data for name in NEEDS.get(number, ("targetsid", "subjectusersid")))


def _whole(line: int, number: int, data: Mapping[str, str]) -> None:
    lacking = [name for name in NEEDS.get(number, ()) if name not in data]
    if lacking:
        raise EventUnreadable(
            line,
            f"this event {number} does not say {', '.join(lacking)}, neither as fields nor in an English message; "
            "export its EventData (runbooks/soc.md says how)",
        )
    if number == 5136 and folded(data["operationtype"]) not in OPERATIONS:
        raise EventUnreadable(line, f"the operation {data['operationtype']!r} is neither Value Added nor Value Deleted")
    if number in ACCOUNTS | TICKETS and not any(
        data.get(name) for name in ("targetusername", "oldtargetusername", "targetsid")
    ):
        raise EventUnreadable(
            line, f"this event {number} names no account; export its EventData (runbooks/soc.md says how)"
        )


def _by(data: Mapping[str, str], fields: Mapping[str, Any]) -> User:
    name, sid = data.get("subjectusername", ""), data.get("subjectusersid", "")
    if name and name != "-":
        return User(name, data.get("subjectdomainname", "").strip("-"), sid.upper() if sid.startswith("S-1-") else "")
    account = data.get("subjectaccount") or plain(fields.get("account"))
    if account and account != "-":
        return User.of(account)
    return User(sid=sid.upper()) if sid.startswith("S-1-") else User()
