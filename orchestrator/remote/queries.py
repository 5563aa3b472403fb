"""The three query languages that travel inside a parameter: LDAP filters, WQL conditions, event-log XPath.

Each is read to its end by a small grammar. What it does not know is refused: the point is not to understand
every legal query but to let through only the shapes that this program writes, with literals that cannot end
early. Escaping belongs to :mod:`orchestrator.model.escape`; here its result is checked once more.
"""

from __future__ import annotations

import re

from orchestrator.model.call import Value
from orchestrator.remote.kinds import Kind

_LIMIT = 16_384
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and half characters: nothing that is meant contains one, for escaping writes them as digits."""
_DEPTH = 20

_LDAP_ITEM = re.compile(
    r"(?P<attribute>[A-Za-z][A-Za-z0-9-]{0,63})(:(?P<rule>[0-9.]{3,64}):)?(?P<operator>>=|<=|~=|=)"
    r"(?P<value>(?:[^()\\\x00-\x1f\x7f]|\\[0-9a-fA-F]{2})*)",
    re.ASCII,
)


def _ldap_filter(text: str, at: int, depth: int) -> int:
    """Return the position behind the filter that begins at *at*; -1 if none does."""
    if depth > _DEPTH or text[at : at + 1] != "(":
        return -1
    at += 1
    if text[at : at + 1] in {"&", "|", "!"}:
        most = 1 if text[at] == "!" else len(text)
        at, found = at + 1, 0
        while text[at : at + 1] == "(" and found < most:
            at = _ldap_filter(text, at, depth + 1)
            if at < 0:
                return -1
            found += 1
        return at + 1 if found and text[at : at + 1] == ")" else -1
    item = _LDAP_ITEM.match(text, at)
    return item.end() + 1 if item and text[item.end() : item.end() + 1] == ")" else -1


def is_ldap_filter(value: Value) -> bool:
    """Say whether this is one complete filter of RFC 4515 (extensible matches by OID only)."""
    if type(value) is not str or not 0 < len(value) <= _LIMIT or _UNREADABLE.search(value):
        return False
    return len(value) == _ldap_filter(value, 0, 0)


_WQL_TOKEN = re.compile(
    r" *(?:(?P<open>\()|(?P<close>\))|(?P<operator><>|<=|>=|=|<|>)"
    r"|(?P<operand>'(?:[^'\"\\\x00-\x1f\x7f]|\\[\\'\"])*'|\d{1,19}|(?:TRUE|FALSE|NULL)\b)"
    r"|(?P<join>(?:AND|OR)\b)|(?P<negation>NOT\b)|(?P<name>[A-Za-z][A-Za-z0-9_]{0,63})) *",
    re.ASCII | re.IGNORECASE,
)

_XPATH_TOKEN = re.compile(
    r" *(?:(?P<open>[(\[])|(?P<close>[)\]])|(?P<operator>!=|<=|>=|=|<|>)"
    r"|(?P<operand>'[^'\x00-\x1f\x7f]*'|\"[^\"\x00-\x1f\x7f]*\"|\d{1,19})"
    r"|(?P<join>(?:and|or)\b)|(?P<negation>not(?= *\())|(?P<function>timediff)(?= *\()"
    r"|(?P<name>System|EventData|EventID|TimeCreated|Data|@Name|@SystemTime|\*)) *",
    re.ASCII,
)

_WQL_FOLLOWS = {
    "start": {"open", "negation", "name"},
    "open": {"open", "negation", "name"},
    "negation": {"open", "name"},
    "name": {"operator"},
    "operator": {"operand"},
    "operand": {"join", "close"},
    "join": {"open", "negation", "name"},
    "close": {"join", "close"},
}
_XPATH_FOLLOWS = {
    "start": {"name"},
    "open": {"open", "negation", "name", "function"},
    "negation": {"open"},
    "function": {"open"},
    "name": {"operator", "open", "close", "join"},
    "operator": {"operand"},
    "operand": {"join", "close"},
    "join": {"open", "negation", "name", "function"},
    "close": {"join", "close", "operator", "open"},
}


def _reads(value: Value, token: re.Pattern[str], follows: dict[str, set[str]], ends: set[str]) -> bool:
    """Walk a query token by token; every bracket must find its partner."""
    if type(value) is not str or not 0 < len(value) <= _LIMIT or _UNREADABLE.search(value):
        return False
    at, last, brackets = 0, "start", []
    while at < len(value):
        match = token.match(value, at)
        if match is None or match.lastgroup not in follows[last]:
            return False
        last, at = match.lastgroup, match.end()
        if last == "open":
            brackets.append("]" if match["open"] == "[" else ")")
        elif last == "close" and (not brackets or brackets.pop() != match["close"]):
            return False
        if len(brackets) > _DEPTH:
            return False
    return last in ends and not brackets


def is_wql_condition(value: Value) -> bool:
    """Say whether this is a WHERE condition of comparisons of properties with literals."""
    return _reads(value, _WQL_TOKEN, _WQL_FOLLOWS, {"operand", "close"})


def is_event_query(value: Value) -> bool:
    """Say whether this is an event-log XPath over System and EventData, as this program writes them."""
    return type(value) is str and value.startswith("*[") and _reads(value, _XPATH_TOKEN, _XPATH_FOLLOWS, {"close"})


LDAP_FILTER = Kind("an LDAP filter", is_ldap_filter)
WQL_CONDITION = Kind("a WQL condition", is_wql_condition)
EVENT_QUERY = Kind("an event-log XPath", is_event_query)
