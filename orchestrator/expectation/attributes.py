"""Attributes that a reconciliation tells apart: those that link a pair, and those that move by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_CLASS, DMSA_LINK, DMSA_STATE
from orchestrator.steps.effects import EFFECTS, Creation, On

LINKS = {DMSA_LINK.lower(): On.DMSA, ACCOUNT_LINK.lower(): On.ACCOUNT}
"""The two forward links, and on which object each is."""
LINKING = frozenset({*LINKS, DMSA_STATE.lower(), ACCOUNT_STATE.lower()})
"""What the operation writes on both objects, and an attacker must write too (CVE-2025-53779 and since)."""
CLASS = DMSA_CLASS.lower()

_EVERYBODYS = frozenset(
    {
        *("badpasswordtime", "badpwdcount", "dscorepropagationdata", "lastlogon", "lastlogontimestamp", "lockouttime"),
        *("logoncount", "usnchanged", "whenchanged"),
    }
)
BY_THEMSELVES: Mapping[On, frozenset[str]] = {
    On.ACCOUNT: _EVERYBODYS,
    On.DMSA: _EVERYBODYS
    | {
        *(
            "dbcspwd",
            "lmpwdhistory",
            "msds-managedpassword",
            "msds-managedpasswordid",
            "msds-managedpasswordpreviousid",
        ),
        *("ntpwdhistory", "pwdlastset", "supplementalcredentials", "unicodepwd"),
    },
}
"""What log-ons and the directory itself change: a managed password is its own to change (MS-ADTS 3.1.1.4.5.39)."""

_SPELLED = {
    name.lower(): name
    for found in EFFECTS.values()
    for one in found
    for name in (one.given if isinstance(one, Creation) else (one.attribute,))
}


def shown_attribute(folded: str) -> str:
    """Return an attribute's name as the schema spells it, where the table has it."""
    return _SPELLED.get(folded, folded)
