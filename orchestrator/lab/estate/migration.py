"""The directory's migration operation: Start, Complete, Undo and Reset of a dMSA and its superseded account.

Sources: MS-ADTS 3.1.1.3.3.43 (``migrateADServiceAccount``: what the four operations are, and that the
connected DC executes them); Microsoft Learn, "Delegated Managed Service Accounts overview" (the states, what
Start grants, what Complete copies and strips); the pages of the four cmdlets (Undo takes a completed pair
"back to the state in the start phase", a started one apart; Reset unlinks). What those pages leave open is a
switch of the estate file. Start from the standalone state 3 was seen to be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate.descriptor import migration_grant
from orchestrator.lab.estate.directory import Directory
from orchestrator.lab.estate.genesis import DMSA_CLASS
from orchestrator.lab.estate.replica import Entry
from orchestrator.lab.estate.spec import Switches

STATE = "msDS-DelegatedMSAState"
PRECEDED_BY = "msDS-ManagedAccountPrecededByLink"
SUPERSEDED_STATE = "msDS-SupersededServiceAccountState"
SUPERSEDED_BY = "msDS-SupersededManagedAccountLink"
MEMBERSHIP = "msDS-GroupMSAMembership"
DELEGATED_BY = "msDS-AllowedToActOnBehalfOfOtherIdentity"
SPNS = "servicePrincipalName"
CONTROL = "userAccountControl"

_COPIED = (
    "msDS-AllowedToDelegateTo",
    DELEGATED_BY,
    "msDS-AssignedAuthNPolicy",
    "msDS-AssignedAuthNPolicySilo",
)
_TAKEN_SPNS = "labTakenSpns"
"""Which SPNs Complete moved, so that an Undo that restores knows; the real directory's way is not published."""


class Operation(Enum):
    """The operation codes of ``migrateADServiceAccount``."""

    RESET = 0
    START = 1
    COMPLETE = 2
    UNDO = 3


class Unwilling(Exception):
    """The directory refuses the operation; nothing was changed."""


@dataclass
class Pair:
    """A dMSA and an account, as one DC sees them."""

    directory: Directory
    dc: str
    dmsa: Entry
    account: Entry
    switches: Switches

    @property
    def states(self) -> tuple[int, int]:
        """The two states, unset read as 0."""
        return self.dmsa.number(STATE), self.account.number(SUPERSEDED_STATE)

    @property
    def mutual(self) -> bool:
        """Whether both objects name each other."""
        there = self.dmsa.get(PRECEDED_BY) == (self.account.guid,)
        return there and self.account.get(SUPERSEDED_BY) == (self.dmsa.guid,)

    @property
    def unlinked(self) -> bool:
        """Whether neither object names any other."""
        return not self.dmsa.get(PRECEDED_BY) and not self.account.get(SUPERSEDED_BY)

    def write_dmsa(self, **values: object) -> None:
        """Write to the dMSA; a double underscore stands for a hyphen."""
        self._write(self.dmsa, values)

    def write_account(self, **values: object) -> None:
        """Write to the account; a double underscore stands for a hyphen."""
        self._write(self.account, values)

    def _write(self, entry: Entry, values: dict[str, object]) -> None:
        named = {name.replace("__", "-"): value for name, value in values.items()}
        self.directory.write(self.dc, entry.guid, named)

    def grant(self, *, given: bool) -> None:
        """Give the account its rights on the dMSA, or take them away."""
        aces = migration_grant(self.account.sid)
        descriptor = self.directory.descriptor(self.dmsa)
        changed = descriptor.adding(*aces) if given else descriptor.without(*aces)
        self.write_dmsa(nTSecurityDescriptor=changed)


def migrate(pair: Pair, operation: Operation) -> None:
    """Carry the operation out on the pair's DC.

    Raises:
        Unwilling: the pair is not in a state from which it is allowed. Nothing was changed.
    """
    if pair.dmsa.kind != DMSA_CLASS:
        raise Unwilling("the identity is no delegated managed service account")
    if pair.account.kind != "user":
        raise Unwilling("the superseded account is no user")
    match operation:
        case Operation.START:
            _start(pair)
        case Operation.COMPLETE:
            _complete(pair)
        case Operation.UNDO:
            _undo(pair)
        case Operation.RESET:
            _reset(pair)


def _start(pair: Pair) -> None:
    if pair.states != (0, 0) or not pair.unlinked:
        raise Unwilling("UNABLE_TO_PROCEED: only an unlinked pair in state 0 can be started")
    disabled = pair.account.number(CONTROL) & uac.DISABLED
    if disabled and pair.switches.start_refuses_disabled_account:
        raise Unwilling("UNABLE_TO_PROCEED: the superseded account is disabled")
    pair.write_dmsa(msDS__DelegatedMSAState=1, msDS__ManagedAccountPrecededByLink=(pair.account.guid,))
    pair.grant(given=True)
    pair.write_account(msDS__SupersededServiceAccountState=1, msDS__SupersededManagedAccountLink=(pair.dmsa.guid,))


def _complete(pair: Pair) -> None:
    _linked_in(pair, 1)
    if pair.switches.complete_refuses_empty_membership and not pair.dmsa.get(MEMBERSHIP):
        raise Unwilling("UNABLE_TO_PROCEED: nobody may retrieve the password")
    pair.grant(given=False)
    taken = pair.account.texts(SPNS)
    spns = tuple(sorted({*pair.dmsa.texts(SPNS), *taken}))
    trusted = pair.account.number(CONTROL) & uac.TRUSTED_TO_AUTHENTICATE
    copies = {name: pair.account.get(name) for name in _COPIED if pair.account.get(name) is not None}
    control = pair.dmsa.number(CONTROL) | trusted
    values = {STATE: 2, SPNS: spns, CONTROL: control, _TAKEN_SPNS: taken, **copies}
    pair.write_account(
        msDS__SupersededServiceAccountState=2,
        servicePrincipalName=None,
        userAccountControl=pair.account.number(CONTROL) | uac.DISABLED,
    )
    pair.write_dmsa(**values)


def _undo(pair: Pair) -> None:
    if pair.states == (1, 1):
        _unlink(pair, clears_membership=pair.switches.undo_clears_membership)
        return
    _linked_in(pair, 2)
    switches = pair.switches
    pair.grant(given=True)
    pair.write_dmsa(msDS__DelegatedMSAState=1)
    pair.write_account(msDS__SupersededServiceAccountState=1)
    _give_back(pair, switches.undo_enables_account, switches.undo_restores_spns, switches.undo_removes_copies)


def _reset(pair: Pair) -> None:
    if pair.states == (0, 0) and pair.unlinked:
        if pair.switches.reset_of_unlinked == "refuse":
            raise Unwilling("UNABLE_TO_PROCEED: the pair is not linked")
        return
    if pair.states not in {(1, 1), (2, 2)} or not pair.mutual:
        raise Unwilling("UNABLE_TO_PROCEED: the two accounts were not linked with each other")
    if pair.states == (2, 2):
        restores = pair.switches.reset_restores
        _give_back(pair, restores, restores, restores)
    _unlink(pair, clears_membership=pair.switches.reset_clears_membership)


def _linked_in(pair: Pair, state: int) -> None:
    if pair.states != (state, state) or not pair.mutual:
        raise Unwilling(f"UNABLE_TO_PROCEED: the two accounts are not a linked pair in state {state}")


def _unlink(pair: Pair, *, clears_membership: bool) -> None:
    pair.grant(given=False)
    pair.write_dmsa(**{STATE: 0, PRECEDED_BY: None} | ({MEMBERSHIP: None} if clears_membership else {}))
    pair.write_account(**{SUPERSEDED_STATE: None, SUPERSEDED_BY: None})


def _give_back(pair: Pair, enables: bool, restores_spns: bool, removes_copies: bool) -> None:
    if restores_spns:
        taken = pair.dmsa.texts(_TAKEN_SPNS)
        left = tuple(spn for spn in pair.dmsa.texts(SPNS) if spn not in taken)
        pair.write_dmsa(servicePrincipalName=left, labTakenSpns=None)
        pair.write_account(servicePrincipalName=tuple(sorted({*pair.account.texts(SPNS), *taken})))
    if removes_copies:
        control = pair.dmsa.number(CONTROL) & ~uac.TRUSTED_TO_AUTHENTICATE
        pair.write_dmsa(**dict.fromkeys(_COPIED), userAccountControl=control)
    if enables:
        pair.write_account(userAccountControl=pair.account.number(CONTROL) & ~uac.DISABLED)
