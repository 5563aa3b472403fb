"""How values are written in a plan: durations, times of day, names, references to secrets.

Each is an annotated type: its Python type, what it refuses (with the fix), and its JSON Schema. Three of them
carry :class:`Written`, because their Python type does not say how they must stand in YAML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestrator.model.dn import parse_dn

_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_LONGEST = timedelta(days=3660)
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_PERCENT = re.compile(r"(?:100|[1-9]?[0-9])%")
_REFERENCE = re.compile(r"\$\{(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}]+|keyring:[^{}/]+/[^{}]+)\}")
_DNS_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*")
_ADDRESS = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
)
_TASK = re.compile(r"\\(?:[^\\/:<>|\"]+\\)*[^\\/:<>|\"]+")
_WILDCARD = re.compile(r"[*?\[\]`]")
_URL = re.compile(r"https?://[^\s/]+\S*")


def _refused(id_: str, message: str, hint: str = "") -> PydanticCustomError:
    # The template has one placeholder, because values that are quoted in a message may contain braces.
    return PydanticCustomError(id_, "{message}", {"message": message, "hint": hint})


@dataclass(frozen=True)
class Written:
    """How a value must stand in YAML, where its Python type does not say so."""

    form: Literal["time", "allowance", "secret"]


def parse_duration(value: object) -> timedelta:
    """Read ``90s``, ``45m``, ``6h``, ``14d`` or a mixture such as ``2d12h``, up to ten years.

    Raises:
        ValueError: it is anything else.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise _refused(
            "duration",
            f"expected a duration such as 90s, 45m, 6h, 14d or 2d12h, found {value}",
            f"write {value}d for days or {value}s for seconds" if str(value).isdecimal() else "",
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if duration > _LONGEST:
        raise _refused("duration", f"expected a duration of at most ten years, found {value}")
    return duration


def write_duration(value: timedelta) -> str:
    """Return the shortest text that :func:`parse_duration` reads as this duration."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def write_moment(at: datetime) -> str:
    """Return a moment as people read it, to the second."""
    return at.isoformat(timespec="seconds")


_LONGEST_NAME = 256
"""What the longest name of a service may have (Microsoft Learn, CreateService); nothing longer is ever sent."""


def _not_padded(value: str) -> str:
    if not value.isprintable():
        raise _refused(
            "name",
            f"expected text without control characters, found {value!a}",
            r"between double quotes YAML reads \N, \t and the like as control characters; use single quotes",
        )
    if value != value.strip():
        raise _refused("name", f'expected text without spaces around it, found "{value}"')
    return value


def _exact_name(value: str) -> str:
    found = _WILDCARD.search(value)
    if found is not None:
        wildcard = found[0]
        would = "take ` for an escape" if wildcard == "`" else f"expand {wildcard}"
        raise _refused(
            "wildcard",
            f"expected the exact name, found {value}: the cmdlets would {would}",
            "list each name",
        )
    if len(value) > _LONGEST_NAME:
        raise _refused("name", f"expected a name of at most {_LONGEST_NAME} characters, found {len(value)}")
    return value


def _host_name(value: str) -> str:
    if not _DNS_NAME.fullmatch(value.removesuffix(".")) or len(value) > 255:
        raise _refused("host-name", f"expected a host name such as app01.corp.example, found {value}")
    return value


def _task_path(value: str) -> str:
    if not _TASK.fullmatch(value):
        hint = rf"write '\{value}'" if value.strip("\\") and "\\" not in value[:1] and "/" not in value else ""
        raise _refused("task-path", rf"expected the full path of a task such as \Reports\Nightly, found {value}", hint)
    return value


def _distinguished_name(value: str) -> str:
    try:
        parse_dn(value)
    except ValueError as wrong:
        raise _refused(
            "distinguished-name",
            f"expected a distinguished name, found {value}: {wrong}",
            "write it in full, such as CN=svc-erp,OU=Service Accounts,DC=corp,DC=example",
        ) from None
    return value


def _reference(value: str) -> str:
    if _REFERENCE.fullmatch(value):
        return value
    if "${" in value:
        raise _refused(
            "secret",
            "expected a reference and nothing else: ${env:NAME}, ${file:PATH} or ${keyring:SERVICE/USER}",
        )
    raise _refused(
        "secret",
        "a secret does not stand in a plan",
        "write ${env:NAME}, ${file:PATH} or ${keyring:SERVICE/USER}; change the secret, it stood in a file",
    )


def _literal_or_reference(value: str) -> str:
    return _reference(value) if "${" in value else value


def _time_of_day(value: str) -> str:
    if not _TIME.fullmatch(value):
        hint = f'write "0{value}"' if _TIME.fullmatch(f"0{value}") else ""
        if value == "24:00":
            hint = 'write "00:00"; a close at or before open means the next day'
        raise _refused("time-of-day", f'expected a time of day such as "22:00", found {value}', hint)
    return value


def _allowance(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        return value
    hint = f"write {value} without quotes" if str(value).isdecimal() else ""
    raise _refused("allowance", f'expected a count such as 2 or a percentage such as "5%", found {value}', hint)


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match[1] or 1) not in range(1, 65536):
        raise _refused(
            "address", f"expected an address such as 10.0.0.7, [fd00::7]:5986 or gateway:5986, found {value}"
        )
    return value


def _webhook(value: str) -> str:
    if "${" in value:
        return _reference(value)
    if not _URL.fullmatch(value):
        raise _refused("url", f"expected a URL that begins with https:// or http://, found {value}")
    return value


Duration: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: int(value.total_seconds()), return_type=int),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"}
    ),
]
"""A length of time; seconds in JSON."""
Name: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_not_padded)]
"""A name that is compared, never expanded."""
ExactName: TypeAlias = Annotated[
    str,
    Field(min_length=1, json_schema_extra={"pattern": r"^[^*?\[\]`]{1,256}$"}),
    AfterValidator(_not_padded),
    AfterValidator(_exact_name),
]
"""A name that goes to a cmdlet which would expand wildcards."""
HostName: TypeAlias = Annotated[ExactName, AfterValidator(_host_name)]
TaskPath: TypeAlias = Annotated[ExactName, AfterValidator(_task_path)]
DnText: TypeAlias = Annotated[Name, AfterValidator(_distinguished_name)]
Secret: TypeAlias = Annotated[str, AfterValidator(_reference), Written("secret")]
"""A reference to a secret; never the secret."""
Account: TypeAlias = Annotated[Name, AfterValidator(_literal_or_reference)]
"""A user name, or a reference to one."""
TimeOfDay: TypeAlias = Annotated[
    str,
    AfterValidator(_time_of_day),
    Written("time"),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
Allowance: TypeAlias = Annotated[
    int | str,
    BeforeValidator(_allowance),
    Written("allowance"),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^(100|[1-9]?[0-9])%$"}]}
    ),
]
"""A count, or a percentage."""
Address: TypeAlias = Annotated[Name, AfterValidator(_address)]
Webhook: TypeAlias = Annotated[Name, AfterValidator(_webhook)]
"""A URL, or a reference to one: whoever knows the URL may post there."""
