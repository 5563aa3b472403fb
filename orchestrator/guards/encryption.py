"""AES, on both sides: a dMSA has no other keys worth having."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.guard import Guard, account, answered, pair_read
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.escape import ldap
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Unreadable

TYPES = "msDS-SupportedEncryptionTypes"
_NAMES = {0x1: "DES", 0x2: "DES", 0x4: "RC4", 0x8: "AES128", 0x10: "AES256"}
"""The bits of an encryption type (MS-KILE 2.2.7)."""
_AES = 0x8 | 0x10
_TOGETHER = 100
"""Hosts in one filter, far below what the gate lets through."""


class EncryptionAes(Guard):
    """Tickets of a dMSA are AES; who cannot use them is cut off at Complete."""

    id = "encryption-aes"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the account, and for the computer accounts of the hosts."""
        del stage, seen
        return (Read(case.endpoint, _computers(case)), pair_read(case))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Each says that it supports AES. Unset is unknown: then every KDC goes by a registry value of its own."""
        del stage
        found = account(case, seen)
        yield _includes_aes(found.dn, found.watched.get(TYPES), f"Set-ADUser '{found.dn}'")
        known: dict[str, object] = {}
        for statement in _computers(case):
            reply = answered(seen.reply_to(statement, case.endpoint), case.server, "the hosts' computer accounts")
            known |= {str(one.get("dNSHostName")).lower(): one.get(TYPES) for one in reply.of("ADComputer")}
        for name in case.host_names:
            if name.lower() not in known:
                evidence = f"no computer account has the DNS name {name}"
                yield Verdict.unknown(name, evidence, "name the host in the plan as its computer account does")
            else:
                computer = f"Set-ADComputer {name.partition('.')[0]}"
                yield _includes_aes(name, known[name.lower()], computer)


def _computers(case: Case) -> tuple[Cmdlet, ...]:
    names = [f"(dNSHostName={ldap(name)})" for name in case.host_names]
    return tuple(
        cmdlet(
            "Get-ADComputer",
            LDAPFilter=f"(|{''.join(names[start : start + _TOGETHER])})",
            Properties=("dNSHostName", TYPES),
            Server=case.server,
        )
        for start in range(0, len(names), _TOGETHER)
    )


def _includes_aes(subject: str, value: object, command: str) -> Verdict:
    """Judge one attribute; unset and 0 leave it to the KDC (MS-KILE 3.3.5.7, DefaultDomainSupportedEncTypes)."""
    remedy = f"as a person run `{command} -KerberosEncryptionType AES128,AES256`; a password set before AES was known"
    remedy += " must be set once more"
    if value is None or value == 0:
        return Verdict.unknown(
            subject, f"{TYPES} is not set, and each KDC's own default is not in the directory", remedy
        )
    if not isinstance(value, int):
        raise Unreadable(f"{TYPES} of {subject} is not a number")
    names = dict.fromkeys(name for bit, name in _NAMES.items() if value & bit)
    return Verdict.of(bool(value & _AES), subject, f"supports {', '.join(names) or 'nothing'} ({value})", remedy)
