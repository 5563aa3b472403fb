"""A real Kerberos domain on loopback: MIT's krb5kdc, with its whole state in one folder."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

REALM = "CORP.EXAMPLE"
_SYSTEM = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

_CLIENT = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
 kdc_timesync = {timesync}
[realms]
 {realm} = {{
  kdc = {address}:{port}
 }}
[domain_realm]
 .{domain} = {realm}
"""
_SERVER = """\
[kdcdefaults]
 kdc_listen = ""
 kdc_tcp_listen = {address}:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principals
  key_stash_file = {folder}/stash
  max_life = 10h
  supported_enctypes = aes256-cts:normal
  default_principal_flags = +preauth
 }}
"""


class Kdc:
    """The domain ``CORP.EXAMPLE``; ``with Kdc(folder) as kdc`` answers until the context ends.

    ``environment`` is what a client of it needs.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._address = f"127.88.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # of this process alone
        with socket.create_server((self._address, 0)) as free:
            self._port = free.getsockname()[1]
        self.environment = {"KRB5_CONFIG": str(self.client_file("krb5.conf"))}
        server = folder / "kdc.conf"
        server.write_text(_SERVER.format(realm=REALM, address=self._address, port=self._port, folder=folder))
        self._environment = {
            **os.environ, **self.environment, "KRB5_KDC_PROFILE": str(server), "PATH": _SYSTEM, "LC_ALL": "C",
        }  # fmt: skip
        self._process: subprocess.Popen[str] | None = None

    def client_file(self, name: str, *, port: int | None = None, timesync: bool = True) -> Path:
        """Write a krb5.conf: with another port, no domain controller answers; without timesync, clocks must agree."""
        path = self.folder / name
        given = {"realm": REALM, "domain": REALM.lower(), "address": self._address, "port": port or self._port}
        path.write_text(_CLIENT.format(**given, timesync=int(timesync)))
        return path

    def __enter__(self) -> Self:
        self._run("kdb5_util", "-r", REALM, "create", "-s", "-P", "of no use to anybody")
        self._process = subprocess.Popen(
            ["krb5kdc", "-n", "-P", str(self.folder / "pid")],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        while "starting" not in "".join(said):  # what it says once it listens
            line = self._process.stdout.readline()
            assert line, f"the KDC did not start: {''.join(said)}"
            said.append(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=10)

    def user(self, name: str, password: str, *options: str) -> None:
        """Make a user; *options* are those of ``addprinc``."""
        self._run("kadmin.local", "-r", REALM, "addprinc", *options, "-pw", password, name)

    def service(self, host: str) -> None:
        """Make the service principal that a host has."""
        self._run("kadmin.local", "-r", REALM, "addprinc", "-randkey", f"host/{host}")

    def rekey(self, host: str) -> None:
        """Give a host's service principal another key."""
        self._run("kadmin.local", "-r", REALM, "cpw", "-randkey", f"host/{host}")

    def keytab(self, file: str, *principals: str) -> Path:
        """Return a keytab with the present keys of *principals*."""
        path = self.folder / file
        self._run("kadmin.local", "-r", REALM, "ktadd", "-norandkey", "-k", str(path), *principals)
        return path

    def tickets(self, file: str, name: str, password: str, *options: str) -> str:
        """Log a user on, as ``kinit`` with *options* does; return the ticket cache."""
        cache = f"FILE:{self.folder / file}"
        self._run("kinit", "-c", cache, *options, name, said=f"{password}\n")
        return cache

    def _run(self, *command: str, said: str = "") -> None:
        ended = subprocess.run(command, env=self._environment, input=said, capture_output=True, text=True, timeout=30)
        assert ended.returncode == 0, (command[0], ended.stdout, ended.stderr)
