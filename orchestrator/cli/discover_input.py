"""What ``discover`` is told: accounts, hosts, and an estate. Every problem of a file at once, with its line."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from orchestrator.discovery import is_dn
from orchestrator.errors import InputInvalid
from orchestrator.model.dn import parse_dn
from orchestrator.model.written import DnText, HostName
from orchestrator.planfile import Loaded, PlanInvalid, parse_plan
from orchestrator.planfile.problem import render, shown

_HOST: TypeAdapter[str] = TypeAdapter(HostName)
_DN: TypeAdapter[str] = TypeAdapter(DnText)
_HOST_COLUMNS = ("host", "hostname", "host name", "name", "computer", "computername", "dnshostname", "fqdn", "server")
_ACCOUNT_COLUMNS = (
    *("dn", "distinguishedname", "distinguished name", "account", "samaccountname", "userprincipalname", "upn"),
    *("name", "user", "username"),
)
_ACCOUNT_NAME = re.compile(r"[^\"/\\\[\]:;|=,+*?<>\x00-\x1f\x7f]{1,256}")
"""What no account's name has (Microsoft Learn, "Naming conventions in Active Directory"), nor a domain's."""
_LARGEST = 16 * 1024 * 1024
_REFERENCE = re.compile(r"\$\{file:([^{}]+)\}")


def hosts_of(file: Path) -> tuple[str, ...]:
    """Return the hosts that a file names, each once: text, one a line, or CSV with a header.

    Raises:
        InputInvalid: it cannot be read, or a line of it names no host.
    """
    return _each_once(_named(file, _HOST_COLUMNS, partial(_checked, _HOST), "host"), str.casefold)


def accounts_of(given: Sequence[str], file: Path | None) -> tuple[str, ...]:
    r"""Return the accounts that were named one by one and in a file, each once; by DN, or as ``CORP\\svc`` and so on.

    Raises:
        InputInvalid: the file cannot be read, or one of them is neither.
    """
    named = [_account(text, "--account") for text in given]
    if file is not None:
        named += _named(file, _ACCOUNT_COLUMNS, _account, "account")
    return _each_once(named, lambda text: parse_dn(text) if is_dn(text) else text.casefold())


def units_of(given: Sequence[str]) -> tuple[str, ...]:
    """Return the containers that were named, each once.

    Raises:
        InputInvalid: one of them is no distinguished name.
    """
    return _each_once([_checked(_DN, text, "--under") for text in given], parse_dn)


def _account(text: str, where: str) -> str:
    plain = text.strip()
    if is_dn(plain):
        return _checked(_DN, plain, where)
    domain, slash, name = plain.rpartition("\\")
    if not _ACCOUNT_NAME.fullmatch(name) or (slash and not _ACCOUNT_NAME.fullmatch(domain)):
        raise InputInvalid(
            f"{where}: {shown(plain)} names no account; give a DN, DOMAIN\\name, name@domain or a name. "
            "Nothing was asked."
        )
    return plain


def _each_once(names: Iterable[str], key: Callable[[str], Any]) -> tuple[str, ...]:
    found: dict[Any, str] = {}
    for name in names:
        found.setdefault(key(name), name)
    return tuple(found.values())


def _checked(adapter: TypeAdapter[str], text: str, where: str) -> str:
    try:
        return adapter.validate_python(text.strip())
    except ValidationError as wrong:
        raise InputInvalid(f"{where}: {wrong.errors()[0]['msg']}. Nothing was asked.") from None


def _named(file: Path, columns: tuple[str, ...], checked: Callable[[str, str], str], what: str) -> list[str]:
    names: list[str] = []
    wrong: list[str] = []
    for line, text in _entries(file, columns, what):
        try:
            names.append(checked(text, f"{file}:{line}"))
        except InputInvalid as problem:
            wrong.append(str(problem).removesuffix(" Nothing was asked."))
    if wrong:
        raise InputInvalid("\n".join((*wrong, "Nothing was asked.")))
    if not names:
        raise InputInvalid(f"{file} names no {what}. Nothing was asked.")
    return names


def _entries(file: Path, columns: tuple[str, ...], what: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each entry; a first line that is a header says which column counts."""
    lines = [
        (number, line)
        for number, line in enumerate(_text(file).splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        return
    number, first = lines[0]
    delimiter = next((sign for sign in (";", "\t", ",") if sign in first), ",")
    header = [cell.strip().casefold() for cell in next(csv.reader([first], delimiter=delimiter))]
    place = next((header.index(name) for name in columns if name in header), None)
    if place is None:
        if what == "host" and len(header) > 1:
            raise InputInvalid(
                f"{file}:{number}: it looks like CSV, and no column is called {', '.join(columns[:4])} or the like. "
                "Nothing was asked."
            )
        yield from ((number, line.strip()) for number, line in lines)
        return
    for number, line in lines[1:]:
        cells = next(csv.reader([line], delimiter=delimiter))
        yield number, cells[place].strip() if place < len(cells) else ""


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST + 1)
    except OSError as wrong:
        raise InputInvalid(f"{file} cannot be read: {wrong.strerror or wrong}. Nothing was asked.") from None
    if len(raw) > _LARGEST:
        raise InputInvalid(f"{file} is larger than 16 MiB. Nothing was asked.")
    # PowerShell 5.1 writes UTF-16 with `>` (Microsoft Learn, about_Character_Encoding).
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as wrong:
        line = raw[: wrong.start].count(b"\n") + 1
        raise InputInvalid(f"{file}:{line}: not {encoding.removesuffix('-sig')}. Nothing was asked.") from None


def estate_of_file(file: Path) -> dict[str, Any]:
    """Return the ``estate`` of a plan, or of a YAML file that has nothing else a plan needs.

    Raises:
        InputInvalid: it cannot be read, or has no estate, or one that no plan could have.
    """
    text = _text(file)
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        mark = getattr(wrong, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        said = getattr(wrong, "problem", None) or shown(str(wrong))
        raise InputInvalid(f"{file}{line}: it is not YAML: {said}. Nothing was asked.") from None
    if not isinstance(data, dict) or not isinstance(data.get("estate"), dict):
        raise InputInvalid(f"{file} has no `estate:` with keys below it. Nothing was asked.")
    _valid_estate(file, text, data)
    estate: dict[str, Any] = data["estate"]
    return estate


def _valid_estate(file: Path, text: str, data: dict[str, Any]) -> None:
    """Refuse an estate that no plan could have; what else is wrong with the file is not looked at."""
    rest = _plan_of(data["estate"], (f"CN=x,{_domain_of(data)}",), (some_host(data["estate"]),))
    if "waves" in data:
        whole = text
    elif data.keys() == {"estate"} and not text.lstrip().startswith("{"):
        # What is missing follows, so that positions are those of the file; JSON is YAML.
        whole = text.rstrip() + "".join(f"\n{key}: {json.dumps(one)}" for key, one in rest.items() if key != "estate")
    else:
        whole = json.dumps(rest)
    try:
        parse_plan(whole.encode(), str(file))
    except PlanInvalid as invalid:
        found = [one for one in invalid.problems if one.path.startswith("estate")]
        if found:
            told = "\n".join(render(one, str(file), "") for one in found)
            raise InputInvalid(f"{told}\nNothing was asked.") from None


def _domain_of(data: dict[str, Any]) -> str:
    domain = data["estate"].get("domain")
    labels = domain.rstrip(".").split(".") if isinstance(domain, str) else ["x"]
    return ",".join(f"DC={label}" for label in labels)


def some_host(estate: dict[str, Any]) -> str:
    """Return a host that the estate can reach, where none is known yet."""
    directory = estate.get("directory")
    found = directory.get("endpoint") if isinstance(directory, dict) else None
    return found if isinstance(found, str) else "x"


def moved(estate: dict[str, Any], base: Path, to: Path) -> dict[str, Any]:
    """Return a valid estate whose relative paths start at another folder."""
    if base.resolve() == to.resolve():
        return estate
    path = partial(_moved_path, base.resolve(), to.resolve())
    out = dict(estate)
    if "lab" in out:
        out["lab"] = path(out["lab"])
    if "connections" in out:
        out["connections"] = [_moved_connection(one, path) for one in out["connections"]]
    return out


def _moved_connection(connection: dict[str, Any], path: Callable[[Any], Any]) -> dict[str, Any]:
    out = dict(connection)
    for key in ("username", "password", "key"):
        found = _REFERENCE.fullmatch(out[key]) if isinstance(out.get(key), str) else None
        if found:
            out[key] = f"${{file:{path(found[1])}}}"
    if "certificate" in out:
        out["certificate"] = path(out["certificate"])
    if isinstance(out.get("tls"), dict) and "ca" in out["tls"]:
        out["tls"] = {**out["tls"], "ca": path(out["tls"]["ca"])}
    return out


def _moved_path(base: Path, to: Path, text: Any) -> Any:
    if not isinstance(text, str) or Path(text).is_absolute():
        return text
    try:
        return Path(os.path.relpath(base / text, to)).as_posix()
    except ValueError:  # on Windows, another drive
        return str(base / text)


def trial(
    estate: dict[str, Any], accounts: Sequence[str], hosts: Sequence[str], base: Path, path: str | None = None
) -> Loaded:
    """Return a plan with this estate, so that it is resolved as any plan's is; nothing of it is ever carried out.

    Args:
        estate: the estate, as plain data.
        accounts: DNs, and other names, which say nothing yet; without any DN, one of the domain stands for them.
        hosts: names; without any, some host that the estate can reach stands for them.
        base: what relative paths in the estate are relative to.
        path: where dMSAs are to be created.

    Raises:
        InputInvalid: a host has no connection, an account lies outside of the domain, or the like.
    """
    dns = [text for text in accounts if is_dn(text)] or [f"CN=x,{_domain_of({'estate': estate})}"]
    plan = json.dumps(_plan_of(estate, dns, hosts or (some_host(estate),), path))
    try:
        valid = parse_plan(plan.encode(), "discover")
    except PlanInvalid as invalid:
        told = dict.fromkeys(one.message + (f" ({one.hint})" if one.hint else "") for one in invalid.problems)
        raise InputInvalid("\n".join((*told, "Nothing was asked."))) from None
    return Loaded(valid, "", base / "discover.yaml", base)


def _plan_of(
    estate: dict[str, Any], accounts: Sequence[str], hosts: Sequence[str], path: str | None = None
) -> dict[str, Any]:
    """Return a plan in which every account and every host stands, the hosts once."""
    below: dict[str, str] = {} if path is None else {"path": path}
    migrations: list[dict[str, Any]] = [
        {
            "account": dn,
            "dmsa": {"name": f"d{number}", "dns_host_name": f"d{number}.x", **below},
            "hosts": [{"name": host, "services": ["x"]} for host in (hosts[:1] if number else hosts)],
        }
        for number, dn in enumerate(accounts)
    ]
    return {"version": 1, "name": "discover", "estate": estate, "waves": [{"name": "w", "migrations": migrations}]}
