"""Calls and what came of them as text: how they travel between the runner that drives and the runners of other sites.

What is packed is JSON in ASCII, and what is unpacked from it is equal to what was packed, of the same types. An object
of JSON stands for one thing only and has one key, which says for what: a moment, a hashtable, a read. Reading is
strict: what this version would not write, it does not guess at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from orchestrator.errors import Exit, OrchestratorError
from orchestrator.model.call import Call, Cmdlet, Read, Ticket, Value, Write
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply

EXACT: Final = 2**53
"""Integers from here on are no numbers of JSON that everybody reads alike (RFC 8259, section 6)."""
_MICROSECOND = timedelta(microseconds=1)

Thing = TypeVar("Thing")


class ParcelUnreadable(OrchestratorError):
    """A text that this version would not have written: runners of different versions, or somebody else's work."""

    exit_code = Exit.INVALID


@dataclass(frozen=True)
class Carry:
    """Order: carry a call under a ticket that the runner which drives has issued and written down."""

    call: Call
    ticket: Ticket


@dataclass(frozen=True)
class End:
    """Order: delete a shell on its host, and with it whatever still runs in it."""

    endpoint: str
    shell: UUID


@dataclass(frozen=True)
class Carried:
    """What came of :class:`Carry`. ``gone``: the shell is certainly no longer on its host."""

    reply: Reply
    gone: bool


@dataclass(frozen=True)
class Ended:
    """What came of :class:`End`. ``gone``: the host acknowledged, or does not know the shell."""

    gone: bool


@dataclass(frozen=True)
class Declined:
    """Nothing was sent. ``code``: a stable word, ``outside-catalogue`` where the gate refused; ``why``: a sentence."""

    code: str
    why: str


Order: TypeAlias = Carry | End
Result: TypeAlias = Carried | Ended | Declined


def packed(thing: Order | Result) -> str:
    """Return an order or a result as JSON text, in ASCII."""
    return json.dumps(_thing(thing), separators=(",", ":"), allow_nan=False)


def order_of(text: str) -> Order:
    """Return the order that was packed.

    Raises:
        ParcelUnreadable: it is none, or not of this version.
    """
    return _unpacked(text, "order", _ORDERS)


def result_of(text: str) -> Result:
    """Return the result that was packed.

    Raises:
        ParcelUnreadable: it is none, or not of this version.
    """
    return _unpacked(text, "result", _RESULTS)


def _unpacked(text: str, what: str, readers: Mapping[str, Callable[[Any], Thing]]) -> Thing:
    try:
        data = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once_each)
        tag, inner = _tagged(data)
        return readers[tag](inner)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        why = f"unknown word {error}" if isinstance(error, KeyError) else str(error)
        raise ParcelUnreadable(
            f"the {what} cannot be read: {why}. Nothing was done with it. "
            "Let every runner have the same version of this program"
        ) from error


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


# Packing.


def _thing(thing: Order | Result) -> dict[str, Any]:
    match thing:
        case Carry(call, ticket):
            return {"carry": [_call(call), ticket.endpoint, str(ticket.shell), str(ticket.pipeline)]}
        case End(endpoint, shell):
            return {"end": [endpoint, str(shell)]}
        case Carried(reply, gone):
            return {"carried": [_reply(reply), gone]}
        case Ended(gone):
            return {"ended": gone}
        case Declined(code, why):
            return {"declined": [code, why]}


def _call(call: Call) -> dict[str, Any]:
    if isinstance(call, Read):
        return {"read": [call.endpoint, [_statement(one) for one in call.statements]]}
    return {"write": [call.endpoint, _statement(call.statement)]}


def _statement(statement: Cmdlet) -> list[Any]:
    return [statement.name, {name: _value(value) for name, value in statement.parameters.items()}]


def _reply(reply: Reply) -> list[Any]:
    records = [[one.type, {name: _value(value) for name, value in one.properties.items()}] for one in reply.records]
    errors = [[one.id, one.category, one.exception, one.message, one.target, one.cmdlet] for one in reply.errors]
    return [reply.outcome.value, records, errors, None if reply.fault is None else _fault(reply.fault), reply.again]


def _fault(fault: Fault) -> list[Any]:
    said = [fault.kind.value, fault.code, fault.message, fault.remedy]
    return [*said, fault.reached, fault.busy, _value(float(fault.after))]


def _value(value: Value) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -EXACT < value < EXACT else {"int": str(value)}
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case datetime():
            return {"time": value.isoformat()}
        case timedelta():
            return {"span": _value(value // _MICROSECOND)}
        case UUID():
            return {"uuid": str(value)}
        case tuple():
            return [_value(one) for one in value]
        case Mapping():
            return {"map": {name: _value(one) for name, one in value.items()}}


# Reading.


def _tagged(data: Any) -> tuple[str, Any]:
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("an object with one key was expected")
    return next(iter(data.items()))


def _list(data: Any, length: int | None = None) -> list[Any]:
    if not isinstance(data, list) or (length is not None and len(data) != length):
        raise ValueError("a list" + (f" of {length}" if length else "") + " was expected")
    return data


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise TypeError("a text was expected")
    return data


def _flag(data: Any) -> bool:
    if not isinstance(data, bool):
        raise TypeError("true or false was expected")
    return data


def _uuid(data: Any) -> UUID:
    found = UUID(_text(data))
    if str(found) != data:
        raise ValueError("an id was expected")
    return found


def _map(data: Any) -> dict[str, Value]:
    if not isinstance(data, dict):
        raise TypeError("names with values were expected")
    return {name: _value_of(one) for name, one in data.items()}


def _value_of(data: Any) -> Value:
    if data is None or isinstance(data, str | bool | float):
        return data
    if isinstance(data, int):
        if not -EXACT < data < EXACT:
            raise ValueError("a number is too large to be exact")
        return data
    if isinstance(data, list):
        return tuple(_value_of(one) for one in data)
    tag, inner = _tagged(data)
    return _TAGS[tag](inner)


def _large(data: Any) -> int:
    found = int(_text(data))
    if -EXACT < found < EXACT or str(found) != data:
        raise ValueError("a large number was expected")
    return found


def _boundless(data: Any) -> float:
    if data not in {"nan", "inf", "-inf"}:
        raise ValueError("no number that JSON lacks")
    return float(data)


def _span(data: Any) -> timedelta:
    count = _value_of(data)
    if type(count) is not int:
        raise TypeError("microseconds were expected")
    return count * _MICROSECOND


_TAGS: Mapping[str, Callable[[Any], Value]] = {
    "int": _large,
    "float": _boundless,
    "time": lambda data: datetime.fromisoformat(_text(data)),
    "span": _span,
    "uuid": _uuid,
    "map": _map,
}


def _carry(data: Any) -> Carry:
    call, endpoint, shell, pipeline = _list(data, 4)
    return Carry(_call_of(call), Ticket(_text(endpoint), _uuid(shell), _uuid(pipeline)))


def _end(data: Any) -> End:
    endpoint, shell = _list(data, 2)
    return End(_text(endpoint), _uuid(shell))


def _call_of(data: Any) -> Call:
    tag, inner = _tagged(data)
    endpoint, said = _list(inner, 2)
    if tag == "read":
        return Read(_text(endpoint), tuple(_statement_of(one) for one in _list(said)))
    if tag == "write":
        return Write(_text(endpoint), _statement_of(said))
    raise KeyError(tag)


def _statement_of(data: Any) -> Cmdlet:
    name, parameters = _list(data, 2)
    return Cmdlet(_text(name), _map(parameters))


def _carried(data: Any) -> Carried:
    reply, gone = _list(data, 2)
    return Carried(_reply_of(reply), _flag(gone))


def _declined(data: Any) -> Declined:
    code, why = _list(data, 2)
    return Declined(_text(code), _text(why))


def _reply_of(data: Any) -> Reply:
    outcome, records, errors, fault, again = _list(data, 5)
    return Reply(
        Outcome(outcome),
        tuple(Record(_text(type_), _map(found)) for type_, found in (_list(one, 2) for one in _list(records))),
        tuple(RemoteError(*map(_text, _list(one, 6))) for one in _list(errors)),
        None if fault is None else _fault_of(fault),
        _flag(again),
    )


def _fault_of(data: Any) -> Fault:
    kind, code, message, remedy, reached, busy, after = _list(data, 7)
    seconds = _value_of(after)
    if not isinstance(seconds, float):
        raise TypeError("seconds were expected")
    said = (_text(code), _text(message), _text(remedy))
    return Fault(FaultKind(kind), *said, reached=_flag(reached), busy=_flag(busy), after=seconds)


_ORDERS: Mapping[str, Callable[[Any], Order]] = {"carry": _carry, "end": _end}
_RESULTS: Mapping[str, Callable[[Any], Result]] = {
    "carried": _carried,
    "ended": lambda data: Ended(_flag(data)),
    "declined": _declined,
}
