"""The rows of the table of causes that are about logging on: what was wrong with the credential, or with its proof.

Kerberos tells much more than a bare 401 does, in numbers that neither language nor build changes: those of RFC 4120
section 7.5.9 as MIT Kerberos counts them, and those of SSPI (winerror.h) where the runner is Windows.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model.observation import FaultKind
from orchestrator.remote.causes import Cause

_T, _P = FaultKind.TRANSIENT, FaultKind.PERMANENT


def _row(code: str, kind: FaultKind, says: str, remedy: str) -> Cause:
    """Return a cause that comes before any request is let in."""
    return Cause(code, kind, says, remedy, undispatched=True, reached=False)


UNAUTHORIZED = _row(
    "unauthorized",
    _P,
    "it refuses the credentials (HTTP 401)",
    "check username and password of its connection, and whether the account is locked, disabled or not in Remote "
    "Management Users; repeating could lock it out",
)
_TICKET_REFUSED = _row(
    "unauthorized",
    _P,
    "it refuses the Kerberos ticket (HTTP 401)",
    "check its clock, that its service principal name is on its own computer account alone, that nothing in between "
    "ends TLS, and that the account is in Remote Management Users",
)
_NTLM_REFUSED = _row(
    "unauthorized",
    _P,
    "it refuses the credentials (HTTP 401)",
    "check username and password of its connection, whether the account is locked, disabled or not in Remote "
    "Management Users, whether the host takes NTLM, and that nothing in between ends TLS; repeating could lock it out",
)
_CERTIFICATE_REFUSED = _row(
    "unauthorized",
    _P,
    "it refuses the client certificate (HTTP 401)",
    "map the certificate to an account there, switch Certificate authentication on, and see that the account's "
    "password in the mapping is current and the account neither locked nor disabled",
)
REFUSED_BY: Mapping[str, Cause] = {
    "kerberos": _TICKET_REFUSED,
    "negotiate": _TICKET_REFUSED,
    "ntlm": _NTLM_REFUSED,
    "certificate": _CERTIFICATE_REFUSED,
}
"""What a 401 means, by the way to log on; anything else is a name and a password."""

HUNG_UP = _row(
    "client-certificate",
    _T,
    "it ended the connection as soon as it had the client certificate",
    "see whether the host trusts the authority of the certificate and asks for one; then whether WinRM runs there",
)
"""What a connection means that a certificate opened and the host ended at once: not every service says why."""

_CERTIFICATE_UNTRUSTED = _row(
    "client-certificate",
    _P,
    "it ends TLS at the client certificate ({detail})",
    "renew the certificate, or have its authority trusted on the host",
)
ALERTS: Mapping[str, Cause] = dict.fromkeys(
    (
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    ),
    _CERTIFICATE_UNTRUSTED,
)
"""OpenSSL's names of the alerts with which the other side ends TLS because of our certificate (RFC 8446, 6.2)."""

NO_TICKET = _row(
    "no-credential",
    _T,
    "there is no Kerberos ticket for it, and nothing to get one with",
    "run kinit for the runner's account, set KRB5_CLIENT_KTNAME to its keytab, or set username and password of its "
    "connection",
)
_EXPIRED = _row(
    "ticket-expired",
    _T,
    "the Kerberos ticket has expired",
    "run kinit again; for a run of weeks give the runner a keytab (KRB5_CLIENT_KTNAME)",
)
_SKEW = _row(
    "clock-skew",
    _P,
    "the clocks of the runner, the domain controller and it differ by more than Kerberos allows",
    "let all of them keep the domain's time; 5 minutes are allowed",
)
CLOCKS_APART = _row(
    "clock-skew",
    _P,
    "its clock is {detail}, and Kerberos allows 5 minutes",
    "find out which of the two keeps the domain's time, and set the other; the log-on works once they agree",
)
_NO_SERVICE = _row(
    "unknown-service",
    _P,
    "the domain has no account with its service principal name",
    "use the host's full name as the domain has it, and see with setspn -Q that one account has HOST/<name>",
)
_NO_USER = _row(
    "unknown-user",
    _P,
    "the domain does not know the user",
    "write username as user@REALM, the realm in capitals, and see that the account exists",
)
_WRONG_PASSWORD = _row(
    "wrong-password",
    _P,
    "the domain refuses the password or key of the user",
    "correct the password of its connection, or make the keytab anew; repeating could lock the account out",
)
_REVOKED = _row(
    "account-locked",
    _P,
    "the domain refuses the account: it is locked, disabled, expired or outside its hours",
    "unlock or enable it, and find out who locked it before the next attempt",
)
_PASSWORD_EXPIRED = _row(
    "password-expired",
    _P,
    "the user's password has expired",
    "set a new one, and put it where the connection takes it from",
)
_NO_KDC = _row(
    "kdc-unreachable",
    _T,
    "no domain controller answers for Kerberos",
    "check port 88 between runner and domain controllers, and their names in DNS or krb5.conf",
)
_NO_REALM = _row(
    "unknown-realm",
    _T,
    "the runner knows no domain controller of the user's realm",
    "write the realm in capitals (user@CORP.EXAMPLE), and name its domain controllers in DNS or krb5.conf",
)
_NOT_ITS_KEY = _row(
    "ticket-unreadable",
    _P,
    "it cannot read the ticket: the key of its service principal name is not its own",
    "see with setspn -Q that the name is on its own computer account alone, and that it is still joined",
)
_NO_ENCRYPTION = _row(
    "encryption-type",
    _P,
    "runner, domain controller and account share no Kerberos encryption type",
    "allow AES for the account (msDS-SupportedEncryptionTypes) and in krb5.conf",
)
LOGON = _row(
    "logon-failed",
    _T,
    "logging on to it failed ({detail})",
    "check that a domain controller is reachable from the runner and that their clocks agree",
)
_UNPROVED = Cause(
    "host-unproved",
    _P,
    "it did not prove that it is the host that the log-on was for",
    "look at what answers at its address",
    reached=False,
)
_NOT_OFFERED = _row(
    "method-not-offered",
    _P,
    "it does not offer {detail}",
    "choose another auth for its connection, or switch this one on in the host's WinRM service",
)
_NOT_DELEGATED = _row(
    "not-delegated",
    _P,
    "its connection has delegate: true, and the ticket cannot be delegated",
    "get a forwardable ticket (kinit -f); the account must not be marked as sensitive nor be in Protected Users",
)

_KRB5 = 0x96C73A00
KRB5_CODES = range(_KRB5, _KRB5 + 256)
"""Where MIT Kerberos counts (ERROR_TABLE_BASE_krb5); the first 128 are the numbers of RFC 4120."""

SECURITY_CODES: Mapping[int, Cause] = {
    _KRB5 + 1: _REVOKED,  # KDC_ERR_NAME_EXP
    _KRB5 + 6: _NO_USER,  # KDC_ERR_C_PRINCIPAL_UNKNOWN
    _KRB5 + 7: _NO_SERVICE,  # KDC_ERR_S_PRINCIPAL_UNKNOWN
    _KRB5 + 14: _NO_ENCRYPTION,  # KDC_ERR_ETYPE_NOSUPP
    _KRB5 + 18: _REVOKED,  # KDC_ERR_CLIENT_REVOKED
    _KRB5 + 23: _PASSWORD_EXPIRED,  # KDC_ERR_KEY_EXPIRED
    _KRB5 + 24: _WRONG_PASSWORD,  # KDC_ERR_PREAUTH_FAILED
    _KRB5 + 31: _WRONG_PASSWORD,  # KRB_AP_ERR_BAD_INTEGRITY: what the KDC sent cannot be opened with our key
    _KRB5 + 32: _EXPIRED,  # KRB_AP_ERR_TKT_EXPIRED
    _KRB5 + 33: _SKEW,  # KRB_AP_ERR_TKT_NYV
    _KRB5 + 35: _NOT_ITS_KEY,  # KRB_AP_ERR_NOT_US
    _KRB5 + 37: _SKEW,  # KRB_AP_ERR_SKEW
    _KRB5 + 41: _NOT_ITS_KEY,  # KRB_AP_ERR_MODIFIED
    _KRB5 + 44: _NOT_ITS_KEY,  # KRB_AP_ERR_BADKEYVER
    _KRB5 + 45: _NOT_ITS_KEY,  # KRB_AP_ERR_NOKEY
    _KRB5 + 141: NO_TICKET,  # KRB5_CC_NOTFOUND
    _KRB5 + 154: _NO_REALM,  # KRB5_REALM_UNKNOWN
    _KRB5 + 156: _NO_KDC,  # KRB5_KDC_UNREACH
    _KRB5 + 195: NO_TICKET,  # KRB5_FCC_NOFILE
    0x80090303: _NO_SERVICE,  # SEC_E_TARGET_UNKNOWN
    0x8009030C: _WRONG_PASSWORD,  # SEC_E_LOGON_DENIED
    0x8009030E: NO_TICKET,  # SEC_E_NO_CREDENTIALS
    0x80090311: _NO_KDC,  # SEC_E_NO_AUTHENTICATING_AUTHORITY
    0x80090322: _NOT_ITS_KEY,  # SEC_E_WRONG_PRINCIPAL
    0x80090324: _SKEW,  # SEC_E_TIME_SKEW
    0x80090331: _NO_ENCRYPTION,  # SEC_E_ALGORITHM_MISMATCH
}
"""What a security library says, by its number (``err_code`` of krb5, ``min_code`` of GSSAPI, ``winerror`` of SSPI)."""

OF_TIME = (_SKEW, _EXPIRED)
"""What may mean that two clocks differ: to a host whose clock is ahead, a good ticket has expired."""

BEFORE_CODES: tuple[tuple[str, Cause], ...] = (
    ("orchestrator.remote.negotiation.Unproved", _UNPROVED),
    ("orchestrator.remote.negotiation.NotOffered", _NOT_OFFERED),
    ("orchestrator.remote.negotiation.NotDelegated", _NOT_DELEGATED),
)
"""Exceptions whose meaning no number within them changes."""

AFTER_CODES: tuple[tuple[str, Cause], ...] = (
    ("pypsrp.exceptions.AuthenticationError", UNAUTHORIZED),
    ("spnego.exceptions.CredentialsExpiredError", _EXPIRED),
    ("spnego.exceptions.NoCredentialError", NO_TICKET),
    ("spnego.exceptions.InvalidCredentialError", NO_TICKET),
    ("spnego.exceptions.SpnegoError", LOGON),
    ("krb5._exceptions.Krb5Error", LOGON),
)
"""Exceptions that say no more than their type does."""

REFUSED_LOGONS = frozenset(cause.code for cause in (UNAUTHORIZED, _WRONG_PASSWORD, _REVOKED, _PASSWORD_EXPIRED))
"""Causes after which another log-on could count as one more wrong password, and lock the account out."""
