"""Who may log on to a served estate, by which methods, and what they need for it.

The state directory keeps what makes a restarted server the same one to its clients: the passwords that were made up.
Everything in it that lets somebody in is readable by its owner only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import InputInvalid, PersonNeeded
from orchestrator.lab.estate import EstateSpec
from orchestrator.lab.estate.spec import CallerSpec

if TYPE_CHECKING:
    from orchestrator.lab.wire.auth import Account, Scheme
    from orchestrator.lab.wire.certificates import Authority

_PASSWORD = "password"  # noqa: S105 - the name of a file


@dataclass(frozen=True)
class Access:
    """The log-ons of *spec*; its relative paths are relative to *base*, what is made up is kept in *state*."""

    spec: EstateSpec
    base: Path
    state: Path

    @property
    def username(self) -> str:
        """The operator, as ``DOMAIN\\name``."""
        return f"{self.spec.domain.netbios}\\{self.spec.operator.name}"

    @property
    def password_file(self) -> Path:
        """Where the operator's password stands."""
        return self._password_file(self._operator)

    def password(self) -> str:
        """Return the operator's password."""
        return self._password(self._operator)

    def schemes(self) -> tuple[Scheme, ...]:
        """Return the ways to log on; imported here, because what they need is an extra that may not be installed.

        Raises:
            InputInvalid: a file that the estate names cannot be read.
            PersonNeeded: Kerberos is asked for, and not installed.
        """
        from orchestrator.lab.wire.auth import Accounts, Basic, ClientCertificate

        given = self.spec.access
        spelled = {spelling: account for caller in self._callers() for spelling, account in self._spelled(caller)}
        found: list[Scheme] = []
        if {"ntlm", "kerberos"} & set(given.methods):
            from orchestrator.lab.wire.negotiate import Hardening, Negotiate

            found.append(
                Negotiate(
                    Accounts(spelled),
                    self.state / "logon",
                    ntlm="ntlm" in given.methods,
                    keytab=self._keytab(),
                    hardening=Hardening(given.channel_binding),
                )
            )
        found += [Basic(spelled)] if "basic" in given.methods else []
        found += [ClientCertificate(spelled)] if "certificate" in given.methods else []
        return tuple(found)

    def certify(self, authority: Authority) -> Mapping[str, Path]:
        """Write a certificate and its key for each caller, where certificates count; return the certificates' files."""
        if "certificate" not in self.spec.access.methods:
            return {}
        folder = self.state / "certificates"
        folder.mkdir(mode=0o700, exist_ok=True)
        files = {}
        for caller in self._callers():
            certificate, key = authority.person(f"{caller.name}@{self.spec.domain.dns}")
            files[caller.name] = folder / f"{caller.name}.pem"
            keep(files[caller.name], certificate)
            keep(folder / f"{caller.name}.key", key)
        return files

    @property
    def _operator(self) -> CallerSpec:
        name = self.spec.operator.name
        named = (caller for caller in self.spec.access.callers if caller.name.lower() == name.lower())
        return next(named, CallerSpec.model_construct(name=name))

    def _callers(self) -> tuple[CallerSpec, ...]:
        others = (caller for caller in self.spec.access.callers if caller.name != self._operator.name)
        return (self._operator, *others)

    def _spelled(self, caller: CallerSpec) -> Iterator[tuple[str, Account]]:
        """Yield the account under each of the names that Windows takes for it."""
        from orchestrator.lab.wire.auth import Account

        principal = f"{self.spec.domain.netbios}\\{caller.name}"
        account = Account(principal, self._password(caller), locked=caller.locked, remote=caller.remote)
        for spelling in (principal, caller.name, f"{caller.name}@{self.spec.domain.dns}"):
            yield spelling, account

    def _keytab(self) -> Path | None:
        given = self.spec.access.keytab
        if given is None:
            return None
        if find_spec("gssapi") is None:
            raise PersonNeeded(
                "access.methods has kerberos, whose library is not installed. Nothing was started. "
                "Install it with: pip install 'dmsa-orchestrator[kerberos]'"
            )
        path = (self.base / given).resolve()
        if not path.is_file():
            raise InputInvalid(f"access.keytab is {path}, which is not a file. Nothing was started.")
        return path

    def _password_file(self, caller: CallerSpec) -> Path:
        if caller.password_file is not None:
            return (self.base / caller.password_file).resolve()
        own = caller.name.lower() == self.spec.operator.name.lower()
        return self.state / _PASSWORD if own else self.state / "passwords" / caller.name

    def _password(self, caller: CallerSpec) -> str:
        """Return the password that somebody chose, or the one that this state has had since its first start."""
        path = self._password_file(caller)
        if caller.password_file is None and not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            keep(path, secrets.token_urlsafe(24).encode())
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputInvalid(
                f"the password of {caller.name} is to stand in {path}, which cannot be read ({type(error).__name__}). "
                "Nothing was started."
            ) from None


def keep(path: Path, content: bytes) -> None:
    """Write a file of the state directory whole or not at all, readable by its owner only."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    fresh.replace(path)
