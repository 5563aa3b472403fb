"""The part of a plan that says where it applies: a simulated estate file, or a domain and how to reach it.

How hosts are reached does not change what a run is about, so ``connections`` and ``addresses`` are no part of
a plan's digest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.model.written import Account, Address, Duration, HostName, Name, Secret


class Model(BaseModel):
    """Frozen, and without room for a key that nobody defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(Model):
    """How the endpoint's certificate is checked."""

    verify: bool = Field(True, description="Check the endpoint's certificate; false only for a lab.")
    ca: Name | None = Field(None, description="PEM file of the authorities that are trusted; relative to the plan.")


class Connection(Model):
    """How to reach the hosts that ``match``; the first entry that matches wins."""

    match: Name = Field(description="Pattern on the host name; * and ? stand for any characters, any character.")
    port: int = Field(5986, ge=1, le=65535, description="WSMan port; a port in estate.addresses wins.")
    auth: Literal["kerberos", "negotiate", "ntlm", "certificate", "basic"] = Field(
        "kerberos", description="How to authenticate; negotiate never falls back to NTLM silently."
    )
    transport: Literal["https", "http"] = Field(
        "https",
        description="http: no TLS (port 5985); kerberos, negotiate and ntlm encrypt each message, others are refused.",
    )
    username: Account | None = Field(None, description="User name, or ${env:…}, ${file:…}, ${keyring:…/…}.")
    password: Secret | None = Field(
        None, description="Reference to the password: ${env:NAME}, ${file:PATH} or ${keyring:SERVICE/USER}."
    )
    certificate: Name | None = Field(None, description="PEM file of the client certificate; relative to the plan.")
    key: Secret | None = Field(None, description="Reference to the certificate's key, such as ${file:runner.key}.")
    tls: Tls = Field(Tls(), description="Whom to trust as the endpoint.")
    configuration: Name = Field(
        "Microsoft.PowerShell", description="Name of the endpoint; a JEA endpoint is the one to prefer."
    )
    delegate: bool = Field(False, description="Delegate the credential, so that the endpoint may go one hop further.")
    timeout: Duration = Field(timedelta(seconds=30), description="How long one exchange may take.")


class Directory(Model):
    """Which domain controller everything is pinned to, and which copies must agree."""

    endpoint: HostName = Field(description="Host whose WSMan endpoint runs the ActiveDirectory cmdlets.")
    server: HostName = Field(
        description="The writable Windows Server 2025 DC that every directory read and write is pinned to."
    )
    converge_on: tuple[HostName, ...] | None = Field(
        None,
        min_length=1,
        description="DCs whose copies must agree; default: every writable DC of the domain.",
    )
    tier0: tuple[Name, ...] | None = Field(
        None,
        description="SIDs or names that may own and rewrite sensitive objects; default: Administrators, Domain Admins, "
        "Enterprise Admins, SYSTEM, Domain Controllers. A group with nobody in it never counts against.",
    )
    witness: Literal["none", "ldap"] = Field("none", description="A second reader of the directory.")


class Site(Model):
    """Which runner serves which hosts."""

    name: Name = Field(description="The site's name, as given to the runner.")
    match: tuple[Name, ...] = Field(min_length=1, description="Patterns on the host name.")


class Estate(Model):
    """Where the plan applies: a simulated estate file, or a domain and how to reach it."""

    lab: Name | None = Field(
        None, description="File of a simulated estate, relative to the plan; excludes every other key here but sites."
    )
    simulated: bool = Field(False, description="This estate is a lab behind TCP; refused unless it says so itself.")
    domain: HostName | None = Field(None, description="DNS name of the domain, such as corp.example.")
    directory: Directory | None = Field(None, description="Which DC is written to, and which copies must agree.")
    addresses: dict[HostName, Address] = Field(
        {}, description="Host name: address[:port], as a hosts file would say, for networks without DNS."
    )
    connections: tuple[Connection, ...] = Field((), description="How to reach hosts; the first match wins.")
    sites: tuple[Site, ...] = Field((), description="Which runner serves which hosts; default: one site, main.")
