"""The questions that are put to a domain controller's Security log: who logged on as an account, and from where.

The fields of an event do not survive serialisation and its message is localised, so each question is an XPath that
holds what is known, and whatever comes back is the answer. Event numbers and fields: Microsoft Learn, "4768(S, F)",
"4769(S, F)", "4776(S, F)". A query holds at most :data:`MOST` expressions (Microsoft Learn, "Consuming Events");
nobody says whether the test of a field's name counts, so here it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias, TypeVar

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.directory import Account
from orchestrator.model.escape import event_data

TICKET, SERVICE_TICKET, NTLM = 4768, 4769, 4776
MOST = 20
_FIELDS = (MOST - 2) // 2
"""How many fields a query may test beside the event's number and its age."""
EXCLUDED = _FIELDS - 1
"""How many clients one query can leave out."""
_NAMES = 3
"""How many spellings of the account go into a query that also names the clients."""

SOME = 20
"""So many foreign events are enough to refuse."""
MANY = 4000
"""So many events of an account are read at most where its clients do not fit into one query."""
MARGIN = timedelta(minutes=10)
"""What lies between the window and the event that shows how far the log reaches: two clocks may disagree by half."""

Address: TypeAlias = IPv4Address | IPv6Address
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Question:
    """One kind of event: its number, the fields that name the account, and the one that names the client."""

    number: int
    names: tuple[tuple[str, str], ...]
    client: str

    def named(self, names: Iterable[tuple[str, str]]) -> str:
        """Return the condition that the event is about one of these names."""
        return _any(event_data(field, "=", value) for field, value in names)


def questions(account: Account, domain: str) -> tuple[Question, ...]:
    """Return every kind of event that tells of a log-on as *account*.

    4768 names the account's SID. 4769 writes ``account@REALM``, and 4776 what the client sent, so a name that the
    client chose stands here in several cases: nobody says whether the event log compares them alike. Every account
    answers to ``name@domain`` beside its own UPN (MS-ADTS 5.1.1.1.1).
    """
    names = _cases(account.sam)
    principals = (f"{name}@{domain.upper()}" for name in names)
    ntlm = (*names, *_cases(f"{account.sam}@{domain}"), *(_cases(account.upn) if account.upn else ()))
    return (
        Question(TICKET, (("TargetSid", account.sid), ("TargetUserName", account.sam)), "IpAddress"),
        Question(SERVICE_TICKET, tuple(("TargetUserName", name) for name in principals), "IpAddress"),
        Question(NTLM, tuple(("TargetUserName", name) for name in dict.fromkeys(ntlm)), "Workstation"),
    )


def _cases(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((name, name.lower(), name.upper())))


def spellings(addresses: Iterable[Address]) -> tuple[str, ...]:
    """Return how the Security log writes clients' addresses, each in its usual spelling at least.

    IPv4 comes as ``::ffff:10.0.0.1`` and, as the page of 4768 allows, bare; the bare spelling is left out where it
    would take the room in the query. A client that is missed here is refused, never overlooked.
    """
    known = sorted(set(addresses), key=lambda one: (one.version, int(one)))
    usual = tuple(f"::ffff:{one}" if isinstance(one, IPv4Address) else str(one) for one in known)
    bare = tuple(str(one) for one in known if isinstance(one, IPv4Address))
    return usual + bare if len(usual + bare) <= EXCLUDED else usual


def client_address(text: str) -> Address | None:
    """Return the address that a text is; None for another text, and for one that says "this machine"."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    found = mapped or found
    return None if found.is_unspecified else found


def foreign(question: Question, known: Sequence[str], window: timedelta) -> tuple[Cmdlet, ...]:
    """Ask for events of the window from any client but the known ones; these must be :data:`EXCLUDED` at most."""
    others = [event_data(question.client, "!=", client) for client in known]
    return tuple(
        _ask(question.number, window, [question.named(part), *others], SOME)
        for part in _parts(question.names, _FIELDS - len(known))
    )


def everything(question: Question, window: timedelta) -> tuple[Cmdlet, ...]:
    """Ask for all events of the window."""
    return tuple(
        _ask(question.number, window, [question.named(part)], MANY) for part in _parts(question.names, _FIELDS)
    )


def expected(question: Question, known: Sequence[str], window: timedelta) -> tuple[Cmdlet, ...]:
    """Ask for the events from known clients, of a window a little longer, for it is asked a little later."""
    return tuple(
        _ask(
            question.number,
            window + MARGIN / 2,
            [
                question.named(names),
                _any([event_data(question.client, "=", client) for client in clients]),
            ],
            MANY,
        )
        for names in _parts(question.names, _NAMES)
        for clients in _parts(known, _FIELDS - _NAMES)
    )


def reaches(window: timedelta) -> Cmdlet:
    """Ask for some ticket of anybody from before the window."""
    older = _milliseconds(window + MARGIN)
    query = f"*[System[EventID={TICKET} and TimeCreated[timediff(@SystemTime) >= {older}]]]"
    return cmdlet("Get-WinEvent", LogName="Security", FilterXPath=query, MaxEvents=1)


def _ask(number: int, window: timedelta, conditions: list[str], most: int) -> Cmdlet:
    within = f"EventID={number} and TimeCreated[timediff(@SystemTime) <= {_milliseconds(window)}]"
    query = f"*[System[{within}] and EventData[{' and '.join(conditions)}]]"
    return cmdlet("Get-WinEvent", LogName="Security", FilterXPath=query, MaxEvents=most)


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _any(tests: Iterable[str]) -> str:
    return "(" + " or ".join(tests) + ")"


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)


def addresses_in(message: str) -> Iterator[Address]:
    """Yield the addresses in an event's message, whatever its language: for people, never for a decision."""
    for word in message.split():
        found = client_address(word) if "." in word or ":" in word else None
        if found is not None:
            yield found
