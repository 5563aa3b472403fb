"""Valid plans that say everything the format has a word for, and YAML of every style for the same values.

The values are what an author would write: durations as text, no key whose default is meant unless chance puts it
there. ``plan(chance, full=True)`` leaves no key out that can stand beside the others.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.plan import Day, Occasion

DAYS = Day.__args__  # type: ignore[attr-defined]
OCCASIONS = Occasion.__args__  # type: ignore[attr-defined]
TEXTS = (
    "CHG0031337",
    "identity@corp.example",
    "Größe, Maß",
    "a: b # c",
    "no",
    "22:00",
    "010",
    "it's",
    'say "so"',
    "😀",
)
KEYS = {
    "ann": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c ann@corp.example",
    "bob": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
    "eve": "7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E=",
}
ZONES = ("Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata")


class Author:
    """Writes plans; with ``full``, whatever may be left out stands there."""

    def __init__(self, chance: random.Random, full: bool = False) -> None:
        self.chance = chance
        self.full = full
        self.count = 0

    def plan(self, lab: bool = False) -> dict[str, Any]:
        """Return the values of a plan, on a simulated estate or a real one."""
        names = [f"wave-{number}" for number in range(self.chance.randint(2, 4))]
        whole = {
            "version": 1,
            "name": f"plan-{self.chance.randrange(1000)}",
            **self.maybe("description", self.text),
            **self.maybe("change", self.text),
            **self.maybe("owner", self.text),
            "estate": {"lab": "estates/some.yaml"} if lab else self.estate(),
            **self.maybe("policy", self.policy),
            **self.maybe("notify", lambda: [self.notify() for _ in range(self.chance.randint(1, 2))]),
        }
        return {**whole, "waves": [self.wave(name, names[:at]) for at, name in enumerate(names)]}

    def maybe(self, key: str, value: Callable[[], Any]) -> dict[str, Any]:
        """Return the key with its value, or nothing."""
        return {key: value()} if self.full or self.chance.random() < 0.4 else {}

    def text(self) -> str:
        return self.chance.choice(TEXTS)

    def flag(self) -> bool:
        return self.chance.random() < 0.5

    def some(self, *choices: Any) -> list[Any]:
        return self.chance.sample(choices, self.chance.randint(1, len(choices)))

    def between(self, least: int, most: int, unit: str) -> str:
        return f"{self.chance.randint(least, most)}{unit}"

    def estate(self) -> dict[str, Any]:
        directory = {
            "endpoint": "dc01.corp.example",
            "server": "dc01.corp.example",
            **self.maybe("converge_on", lambda: self.some("dc01.corp.example", "dc02.corp.example")),
            **self.maybe("tier0", lambda: self.some("S-1-5-32-544", "Domain Admins")),
            **self.maybe("witness", lambda: self.chance.choice(("none", "ldap"))),
        }
        by_ldap = directory.get("witness") == "ldap"  # not of a lab, and not with every way to log on
        return {
            **self.maybe("simulated", lambda: not by_ldap and self.flag()),
            "domain": "corp.example",
            "directory": directory,
            **self.maybe(
                "addresses", lambda: {"dc01.corp.example": "10.0.0.1", "app01.corp.example": "[fd00::7]:5986"}
            ),
            "connections": [self.connection("*.dmz.corp.example"), self.connection("*", by_ldap)],
            **self.maybe(
                "sites", lambda: [{"name": "North", "match": ["n*", "*1*"]}, {"name": "rest", "match": ["*"]}]
            ),
        }

    def connection(self, match: str, by_ldap: bool = False) -> dict[str, Any]:
        ways = ("kerberos", "negotiate", "basic", *(() if by_ldap else ("ntlm", "certificate")))
        return {
            "match": match,
            **self.maybe("transport", lambda: "https"),
            **self.maybe("port", lambda: self.chance.randint(1, 65535)),
            **self.maybe("auth", lambda: self.chance.choice(ways)),
            "username": self.chance.choice(("CORP\\runner", "${env:DMSA_USER}")),
            "password": self.chance.choice(("${env:DMSA_PASSWORD}", "${keyring:dmsa/runner}")),
            "certificate": "certs/runner.pem",
            "key": "${file:certs/runner.key}",
            **self.maybe(
                "tls", lambda: {**self.maybe("verify", self.flag), **self.maybe("ca", lambda: "certs/ca.pem")}
            ),
            **self.maybe("configuration", lambda: self.chance.choice(("Microsoft.PowerShell", "DmsaMigration"))),
            **self.maybe("delegate", self.flag),
            **self.maybe("timeout", lambda: self.between(5, 90, "s")),
        }

    def policy(self) -> dict[str, Any]:
        return {
            **self.maybe("dwell", lambda: self.between(14, 90, "d")),
            **self.maybe("flat_for", lambda: self.between(1, 20, "d")),
            **self.maybe("ledger_every", lambda: self.between(1, 24, "h")),
            **self.maybe("retry", self.retry),
            **self.maybe("reboot", lambda: self.chance.choice(("never", "after_registry"))),
            **self.maybe("restart_after_complete", self.flag),
            **self.maybe("restart_takes", lambda: self.between(1, 20, "m")),
            **self.maybe("settle", lambda: self.between(60, 300, "s")),
            **self.maybe("converge_within", lambda: self.between(1, 48, "h")),
            **self.maybe("register_within", lambda: self.between(1, 48, "h")),
            **self.maybe("on_failure", lambda: self.chance.choice(("hold", "undo"))),
            **self.maybe("rollback_by", lambda: self.chance.choice(("undo", "reset"))),
            **self.maybe("approvals", self.approvals),
            **self.maybe("hosts_missing", lambda: self.chance.choice(("hold", "add"))),
            **self.maybe("require_change", self.flag),
        }

    def retry(self) -> dict[str, Any]:
        return {
            **self.maybe("attempts", lambda: self.chance.randint(1, 9)),
            **self.maybe("first_wait", lambda: self.between(1, 50, "s")),
            **self.maybe("longest_wait", lambda: self.between(2, 9, "m")),
        }

    def approvals(self) -> dict[str, Any]:
        return {
            **self.maybe("start", lambda: self.chance.randint(0, 2)),
            **self.maybe("complete", lambda: self.chance.randint(0, 2)),
            **self.maybe("valid_for", lambda: self.between(1, 9, "d")),
            **self.maybe("keys", lambda: dict(KEYS)),
        }

    def notify(self) -> dict[str, Any]:
        return {
            "webhook": self.chance.choice(("https://hooks.corp.example/dmsa", "${env:DMSA_WEBHOOK}")),
            **self.maybe("on", lambda: self.some(*OCCASIONS)),
            **self.maybe("format", lambda: self.chance.choice(("plain", "slack", "teams"))),
        }

    def wave(self, name: str, above: list[str]) -> dict[str, Any]:
        windows = {**self.maybe("start", self.window), **self.maybe("complete", self.window)}
        return {
            "name": name,
            **self.maybe("needs", lambda: self.some(*above) if above else []),
            **self.maybe("at_once", lambda: self.chance.randint(1, 20)),
            **self.maybe("failures", lambda: self.maybe("allow", lambda: self.chance.choice((0, 3, "5%", "100%")))),
            **self.chance.choice(({"window": self.window()}, {"windows": windows})),
            **self.maybe("blackout", lambda: [self.blackout() for _ in range(self.chance.randint(1, 2))]),
            **self.policy(),
            "migrations": [self.migration() for _ in range(self.chance.randint(1, 3))],
        }

    def window(self) -> dict[str, Any]:
        days, zone = self.some(*DAYS), self.chance.choice(ZONES)
        return {"days": days, "open": f"{self.chance.randint(18, 23)}:30", "close": "04:05", "zone": zone}

    def blackout(self) -> dict[str, Any]:
        year = self.chance.randint(2025, 2030)
        return {"from": f"{year}-12-18", "to": f"{year + 1}-01-06", **self.maybe("reason", self.text)}

    def migration(self) -> dict[str, Any]:
        self.count += 1
        dmsa = {
            "name": f"dmsa-{self.count}",
            "dns_host_name": f"dmsa-{self.count}.corp.example",
            **self.maybe("path", lambda: "OU=Managed,DC=corp,DC=example"),
            **self.maybe("encryption", lambda: self.some("RC4", "AES128", "AES256")),
            **self.maybe("principals", lambda: self.some("app01$", "GroupOfHosts")),
        }
        return {
            "account": f"CN=svc-{self.count},OU=Service Accounts,DC=corp,DC=example",
            "dmsa": dmsa,
            **self.policy(),
            "hosts": [self.host(f"app{self.count}-{n}.corp.example") for n in range(self.chance.randint(1, 3))],
            **self.maybe("waivers", self.waivers),
            **self.maybe("drill", self.flag),
        }

    def host(self, name: str) -> dict[str, Any]:
        if self.chance.random() < 0.2:
            return {"name": name, "workloads": "discover"}
        task = {"path": "\\Reports\\Nightly", **self.maybe("run", self.flag)}
        return {
            "name": name,
            "services": self.some("ErpApi", "ErpQueue", "MSSQL$ERP"),
            **self.maybe("tasks", lambda: [task, "\\Backup"]),
            **self.maybe("app_pools", lambda: self.some("ErpPortal", ".NET v4.5")),
        }

    def waivers(self) -> list[dict[str, Any]]:
        guards = self.some(*(id_ for id_, rule in GUARDS.items() if rule.waivable))[:3]
        return [{"guard": guard, "reason": self.text(), "approved_by": ["ann", "bob"]} for guard in guards]


class Writer:
    """Writes the same values as other YAML: keys in any order, quotes, comments, anchors, aliases, merge keys."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.known: list[tuple[str, Any]] = []

    def write(self, value: Any) -> str:
        """Return a value in flow style, which may stand wherever a value may."""
        known = next((name for name, other in self.known if _same(other, value)), None)
        if known is not None and self.chance.random() < 0.8:
            return f"*{known} "
        if not isinstance(value, (dict, list)):
            return self._scalar(value)
        anchor = f"a{self.chance.getrandbits(64)}" if self.chance.random() < 0.5 else ""
        text = self._mapping(value) if isinstance(value, dict) else self._list(value)
        if anchor:
            self.known.append((anchor, value))
        return f"&{anchor} {text}" if anchor else text

    def _mapping(self, value: dict[str, Any]) -> str:
        parts = []
        base = self._base(value)
        if base is not None:
            parts.append(f"<<: *{base[0]} ")
            value = {key: inner for key, inner in value.items() if key not in base[1] or self.chance.random() < 0.2}
        keys = self.chance.sample(list(value), len(value))
        parts += [f"{self._key(key)}: {self.write(value[key])}" for key in keys]
        return "{" + self._separator().join(parts) + "}"

    def _base(self, value: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """Return a mapping written before all of whose keys belong here; a value that differs is overridden."""
        fitting = [one for one in self.known if isinstance(one[1], dict) and one[1].keys() <= value.keys()]
        if not fitting or self.chance.random() < 0.3:
            return None
        name, other = self.chance.choice(fitting)
        return name, {key: inner for key, inner in other.items() if _same(inner, value[key])}

    def _list(self, value: list[Any]) -> str:
        return "[" + self._separator().join(map(self.write, value)) + "]"

    def _separator(self) -> str:
        return self.chance.choice((", ", " ,\n  ", ", # said by somebody\n  "))

    def _key(self, key: str) -> str:
        return self.chance.choice((key if key.isidentifier() else f"'{key}'", f'"{key}"', f"'{key}'"))

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return str(value).lower()
        if value[:1].isdigit() and value[-1:] in "smhd":
            return self.chance.choice((value, f"'{value}'"))
        single = "'" + value.replace("'", "''") + "'"
        # YAML has no pairs of surrogates, with which JSON escapes what lies beyond U+FFFF.
        escaped = json.dumps(value, ensure_ascii=max(value, default="") <= "\uffff" and self.chance.random() < 0.5)
        return self.chance.choice((escaped, single))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
