"""What one migration calls its own: its account and its dMSA, whose long names a page says once, at the head."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

ACCOUNT, DMSA, HOST = "the account", "the dMSA", "a host"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?\+00:00")


class OwnWords:
    """The names of one migration, and how a page says what has them in it."""

    def __init__(self, one: Mapping[str, Any]) -> None:
        facts = {
            (fact["object"], fact["name"]): fact["again"] or fact["before"]
            for snapshot in one["snapshots"]
            for fact in snapshot["facts"]
        }
        names = {
            one["account"]: ACCOUNT,
            facts.get(("account", "dn")): ACCOUNT,
            facts.get(("dmsa", "dn")): DMSA,
            facts.get(("account", "sid")): "(the account's SID)",
        }
        self._names = {str(name): word for name, word in names.items() if name}
        longest_first = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._whole = re.compile(rf"(?<![\w-])(?:{'|'.join(longest_first)})(?![\w-])")
        self._roles: dict[str, str] = {name.casefold(): word for name, word in self._names.items()}
        self._roles |= {one["dmsa"].casefold(): DMSA}
        self._roles |= {str(host["name"]).casefold(): HOST for host in one["hosts"]}

    def of(self, text: str) -> str:
        """Return a text with the long names replaced where they stand whole, and moments to the second."""
        return _MOMENT.sub(r"\1Z", self._whole.sub(lambda found: self._names.get(found[0], found[0]), text))

    def value(self, value: Any) -> str:
        """Return a value of an attribute as a person reads it."""
        return self.of(written(value))

    def role(self, subject: str) -> str:
        """Return what a subject is to this migration: its account, its dMSA, a host of it; else the subject itself."""
        return self._roles.get(subject.casefold(), subject)


def written(value: Any) -> str:
    """Return a value of an attribute in one line."""
    if value is None:
        return "unset"
    if isinstance(value, list):
        return ", ".join(map(written, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
