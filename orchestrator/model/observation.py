"""What came back from a remote endpoint, as data.

Remote trouble is never an exception: it is an :class:`Outcome` and a :class:`Fault`. A missing property is
never a default: :meth:`Record.need` raises :class:`Unreadable`, which the engine turns into a question that
could not be answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from orchestrator.model.call import Value


class Outcome(StrEnum):
    """How a call ended."""

    SUCCEEDED = "succeeded"
    """The pipeline ran to its end. Non-terminating errors may stand in :attr:`Reply.errors`."""
    FAILED = "failed"
    """The pipeline did not run, or ended with an error; nothing of it is still running."""
    UNKNOWN = "unknown"
    """The request may have arrived, may have taken effect, and may still be running."""


class FaultKind(StrEnum):
    """What a fault means for the next attempt."""

    TRANSIENT = "transient"
    """Worth repeating later, unchanged."""
    PERMANENT = "permanent"
    """Repeating it cannot help; a person must change something."""
    UNKNOWN = "unknown"
    """Nothing may be repeated before somebody has looked."""


@dataclass(frozen=True)
class Fault:
    """Why a call did not succeed, for a person.

    ``code`` is a stable word or number (``refused``, ``untrusted-certificate``, a WSMan fault code, a
    PowerShell error id); ``message`` says what happened to which host; ``remedy`` what to do about it.
    ``reached`` is False where the endpoint never answered as ours. ``busy``: nothing is wrong, the endpoint has no room
    for the call just now, which certainly did not run; that is no failed try. ``after``: seconds for which the endpoint
    itself asked to be left alone.
    """

    kind: FaultKind
    code: str
    message: str
    remedy: str = ""
    reached: bool = True
    busy: bool = False
    after: float = 0.0


@dataclass(frozen=True)
class RemoteError:
    """One PowerShell error record."""

    id: str
    category: str
    exception: str
    message: str
    target: str = ""
    cmdlet: str = ""


class Unreadable(Exception):
    """A fact that should have been in a reply is not there, or is of another type than expected."""


@lru_cache(1024)
def _last_word(type_name: str) -> str:
    return type_name.replace("/", ".").rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Record:
    """One object of a pipeline's output: its .NET type name and its properties (names without regard to case).

    A bare value (``True``, a string) arrives as a record whose only property is the empty name.
    """

    type: str
    properties: Mapping[str, Value] = field(default_factory=dict)

    _folded: Mapping[str, Value] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", {name.lower(): value for name, value in self.properties.items()})

    @property
    def kind(self) -> str:
        """The last word of the type name, after dots and slashes: ``ADUser``, ``Win32_Service``."""
        return _last_word(self.type)

    @property
    def value(self) -> Value:
        """The bare value of a primitive record."""
        return self.need("")

    def has(self, name: str) -> bool:
        """Say whether the property came back at all."""
        return name.lower() in self._folded

    def get(self, name: str) -> Value:
        """Return a property that Active Directory or CIM leaves out when it is unset; absent means None."""
        return self._folded.get(name.lower())

    def need(self, name: str) -> Value:
        """Return a property that must be there.

        Raises:
            Unreadable: it is not.
        """
        folded = name.lower()
        if folded not in self._folded:
            raise Unreadable(f"{self.kind or self.type} came back without {name or 'a value'}")
        return self._folded[folded]

    def text(self, name: str) -> str:
        """Return a property that must be a string, or a value whose text is meant."""
        value = self.need(name)
        if type(value) is str:
            return value
        if value is None or isinstance(value, tuple | Mapping):
            raise Unreadable(f"{self.kind}.{name} is not text")
        return str(value)

    def number(self, name: str) -> int:
        """Return a property that must be an integer (digits in a string count)."""
        value = self.need(name)
        try:
            return int(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise Unreadable(f"{self.kind}.{name} is not a number") from None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a multi-valued property as strings; unset is the empty tuple, a single value a tuple of one."""
        value = self.get(name)
        if value is None:
            return ()
        if isinstance(value, tuple):
            return tuple(str(item) for item in value)
        return (str(value),)


@dataclass(frozen=True)
class Reply:
    """Everything that one call brought back.

    ``again``: a read came to nothing because its session had died or was used up; another may carry it at once.
    """

    outcome: Outcome
    records: tuple[Record, ...] = ()
    errors: tuple[RemoteError, ...] = ()
    fault: Fault | None = None
    again: bool = False

    def of(self, kind: str) -> Iterator[Record]:
        """Yield the records of one kind (the last word of their type name)."""
        return (record for record in self.records if record.kind == kind)
