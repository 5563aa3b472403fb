"""What is known of objects, as single facts: what a snapshot holds, in the form in which it is held against another.

Guards hold a reading against the snapshot before a step, steps at the end of a way back; both take it apart here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, PRINCIPALS, Account, DmsaSeen

Facts: TypeAlias = dict[tuple[str, str], Any]
"""What is known, by object and name."""

DESCRIPTOR = "nTSecurityDescriptor"
PAIRS_OWN = frozenset({ACCOUNT_STATE, ACCOUNT_LINK})
"""What the four operations write on an account in each of their states."""
BY_ITSELF = frozenset({"lockoutTime"})
"""What moves on an account although nobody changes it."""
OF_DMSA = ("Description", "msDS-SupportedEncryptionTypes", "memberOf")
"""What neither the four operations nor hosts that register are known to change on a dMSA."""


def account_data(account: Account) -> dict[str, Any]:
    """Return an account as a snapshot holds it, its descriptor apart."""
    return {"dn": account.dn, "sid": account.sid, "enabled": account.enabled, **account.watched}


def dmsa_data(dmsa: DmsaSeen) -> dict[str, Any]:
    """Return a dMSA as a snapshot holds it, its descriptor apart."""
    principals = {PRINCIPALS: sorted(dmsa.principals)} if dmsa.principals else {}
    return {"dn": dmsa.dn, "guid": str(dmsa.guid), **dmsa.watched, **principals}


def of_account(account: Mapping[str, Any]) -> Facts:
    """Return an account's facts; ``enabled`` is told by userAccountControl already."""
    return {("account", name): value for name, value in account.items() if name != "enabled"}


def kept(facts: Facts) -> Facts:
    """Return facts without those that are unset: none, false and empty are one and the same."""
    return {key: value for key, value in facts.items() if value not in (None, [], "") and value is not False}


def asked_then(facts: Facts, unasked: tuple[str, ...]) -> Facts:
    """Leave out what an earlier version did not ask for: that it is not in the snapshot says nothing."""
    return {key: value for key, value in facts.items() if not key[1].startswith(unasked)} if unasked else facts
