"""A real Active Directory domain controller on loopback: Samba's, with the classes of Windows Server 2025.

It knows links, tombstones, access and Kerberos as a domain controller does. It does not know the migration operation,
and its KDC nothing of dMSAs: for those there is only the simulated estate.

Samba answers on the ports of LDAP and Kerberos and on no others, so it needs root and an address of its own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.services import require, without

DOMAIN, NETBIOS, BASE = "corp.example", "CORP", "DC=corp,DC=example"
REALM = DOMAIN.upper()
CONTROLLERS = ("dc01", "dc02")
PASSWORD = "Loopback-0nly"
ADMINISTRATOR = f"administrator@{REALM}"
_SCHEMA = f"CN=Schema,CN=Configuration,{BASE}"
_PORTS = (389, 636, 88)
_STARTS_IN = 30.0

_SERVER = """\
[global]
    netbios name = {first}
    realm = {realm}
    workgroup = {netbios}
    server role = active directory domain controller
    server services = ldap, cldap, kdc
    interfaces = {address}/8
    bind interfaces only = yes
    private dir = {folder}/private
    state directory = {folder}/state
    cache directory = {folder}/cache
    lock directory = {folder}
    pid directory = {folder}/run
    binddns dir = {folder}/bind-dns
    ncalrpc dir = {folder}/ncalrpc
    winbindd socket directory = {folder}/winbindd
    ntp signd socket directory = {folder}/ntp_signd
    log file = {folder}/log
    tls keyfile = {folder}/private/tls/key.pem
    tls certfile = {folder}/private/tls/cert.pem
    tls cafile = {folder}/private/tls/ca.pem
    ldap server require strong auth = yes
"""
_CLIENT = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    {realm} = {{
        kdc = {address}
    }}
[domain_realm]
    .{domain} = {realm}
"""


def require_samba() -> None:
    """Skip, or fail where nothing may be skipped, unless a domain controller can be started here."""
    require("samba", "samba-tool", "ldbmodify", modules=("ldap",))
    if os.geteuid() != 0:
        without("needs root: Samba answers LDAP on port 389 and on no other")


def address(number: int) -> str:
    """Return one of four loopback addresses (0 to 3) that belong to this process, as long as none has its number."""
    return f"127.90.{os.getpid() >> 6 & 255}.{(os.getpid() & 63) << 2 | number}"


def provision(folder: Path) -> Path:
    """Make a domain in *folder*, once; each :class:`Samba` runs on a copy of it."""
    folder.mkdir(parents=True)
    empty = folder.with_suffix(".conf")
    empty.write_text("[global]\n")
    _run(
        "samba-tool", "domain", "provision", f"--configfile={empty}", f"--targetdir={folder}", f"--realm={REALM}",
        f"--domain={NETBIOS}", f"--host-name={CONTROLLERS[0]}", "--host-ip=127.0.0.1", f"--adminpass={PASSWORD}",
        "--server-role=dc", "--dns-backend=NONE", "--backend-store=tdb",
    )  # fmt: skip
    for stage in (*schema_ldif(), _names_ldif()):
        option = "--option=dsdb:schema update allowed=true"
        _run("ldbmodify", "-H", str(folder / "private/sam.ldb"), option, said=stage)
    (folder / "run").mkdir(exist_ok=True)
    _certify(folder / "private/tls")
    return folder


class Samba:
    """A copy of a provisioned domain, answering on *address* while the context lasts.

    ``ca`` signed its certificate, which has the names of every controller in :data:`CONTROLLERS`; ``environment`` is
    what a Kerberos client of it needs. Two of these on one domain are two copies that do not replicate.
    """

    def __init__(self, golden: Path, folder: Path, number: int) -> None:
        shutil.copytree(golden, folder, copy_function=shutil.copy2)
        self.folder = folder
        self.address = address(number)
        self.ca = folder / "private/tls/ca.pem"
        self.environment = {"KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5CCNAME": f"FILE:{folder / 'tickets'}"}
        place = {"realm": REALM, "domain": DOMAIN, "netbios": NETBIOS, "address": self.address, "folder": folder}
        self._configuration = folder / "etc/smb.conf"
        self._configuration.write_text(_SERVER.format(**place, first=CONTROLLERS[0].upper()))
        (folder / "krb5.conf").write_text(_CLIENT.format(**place))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for port in _PORTS:  # somebody else's answer would be taken for ours
            assert not self._answers(port), f"{self.address}:{port} is taken"
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                ["samba", "-i", "--debug-stdout", "-d1", "--model=single", f"--configfile={self._configuration}"],
                stdin=subprocess.PIPE,  # at its end samba ends, so that it outlives no test run
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
            )
        deadline = time.monotonic() + _STARTS_IN
        while not all(map(self._answers, _PORTS)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise AssertionError(f"samba did not start:\n{(self.folder / 'output').read_text(errors='replace')}")
            os.sched_yield()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, by its process."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.terminate()
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ticket(self, principal: str = ADMINISTRATOR, password: str = PASSWORD) -> None:
        """Get a ticket into the cache that ``environment`` names."""
        _run("kinit", principal, said=password + "\n", environment=self.environment)

    def _answers(self, port: int) -> bool:
        with socket.socket() as trial:
            trial.settimeout(1)
            return trial.connect_ex((self.address, port)) == 0


def schema_ldif() -> Iterable[str]:
    """Yield the schema's additions as LDIF: attributes, then the class, then what carries them."""
    data = yaml.safe_load((Path(__file__).parent / "directory/schema.yaml").read_text(encoding="utf-8"))
    yield "".join(map(_attribute, data["attributes"]))
    yield _class(data["class"])
    yield "".join(
        f"dn: CN={kind.capitalize()},{_SCHEMA}\nchangetype: modify\nadd: mayContain\n{_lines('mayContain', names)}\n"
        for kind, names in data["carried"].items()
    )


def _attribute(given: dict[str, Any]) -> str:
    link = given["syntax"] == "link"
    lines = {
        "objectClass": "attributeSchema",
        "lDAPDisplayName": given["name"],
        "attributeID": given["id"],
        "attributeSyntax": "2.5.5.1" if link else "2.5.5.9",
        "oMSyntax": 127 if link else 10,
        "isSingleValued": "TRUE",
        "schemaIDGUID": UUID(given["guid"]),
        "systemFlags": 17 if given["name"].endswith("BL") else 16,
    }
    more = f"oMObjectClass:: KwwCh3McAIVK\nlinkID: {given['link']}\n" if link else ""  # 1.3.12.2.1011.28.0.714
    shown = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return f"dn: CN={given['name']},{_SCHEMA}\nchangetype: add\n{shown}{more}\n"


def _class(given: dict[str, Any]) -> str:
    dn = f"CN={given['name']},{_SCHEMA}"
    lines = {
        "objectClass": "classSchema",
        "lDAPDisplayName": given["name"],
        "governsID": given["id"],
        "objectClassCategory": 1,
        "rDNAttID": "cn",
        "subClassOf": given["under"],
        "schemaIDGUID": UUID(given["guid"]),
        "defaultSecurityDescriptor": given["descriptor"],
        "defaultObjectCategory": dn,
    }
    shown = "".join(f"{name}: {value}\n" for name, value in lines.items())
    shown += _lines("systemMustContain", given["must"]) + _lines("systemMayContain", given["may"])
    return f"dn: {dn}\nchangetype: add\n{shown}{_lines('systemPossSuperiors', given['inside'])}\n"


def _lines(name: str, values: Iterable[str]) -> str:
    return "".join(f"{name}: {value}\n" for value in values)


def _names_ldif() -> str:
    """The names that Kerberos clients of LDAP ask for; a domain controller adds them by itself, this one does not."""
    spns = [f"ldap/{name}.{DOMAIN}" for name in CONTROLLERS]
    dn = f"CN={CONTROLLERS[0].upper()},OU=Domain Controllers,{BASE}"
    return f"dn: {dn}\nchangetype: modify\nadd: servicePrincipalName\n{_lines('servicePrincipalName', spns)}"


def _certify(folder: Path) -> None:
    """Make a certificate for every controller's name, signed by itself; GnuTLS of Samba wants an RSA key."""
    folder.mkdir(exist_ok=True)
    key = rsa.generate_private_key(65537, 2048)
    names = [x509.DNSName(f"{name}.{DOMAIN}") for name in CONTROLLERS]
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dmsa test")])
    now = datetime.now(UTC)
    day = timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    ).public_bytes(Encoding.PEM)
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "ca.pem").write_bytes(certificate)
    secret = folder / "key.pem"
    secret.touch(0o600)
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def _run(*command: str, said: str = "", environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, input=said, text=True, capture_output=True, env={**os.environ, **(environment or {})}, timeout=120
    )
    assert done.returncode == 0, f"{command[0]} {command[1]}: {done.stdout}{done.stderr}"
    return done.stdout
