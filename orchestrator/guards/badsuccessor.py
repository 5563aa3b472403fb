"""Nobody outside tier 0 can make a dMSA of his own the successor of an account (BadSuccessor, CVE-2025-53779).

Two ways lead there, and both must be shut: to create a dMSA, or to rewrite who may, where it will lie; and to write the
two attributes of the account that name its successor, without which no patched domain controller believes a dMSA.

A third needs neither: the dMSA of the plan itself has the account after Complete. So nobody outside tier 0 may write it
by what it inherits where it is created.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

from orchestrator.guards.guard import Guard, account, pair_read, pinned_pair
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.descriptor import descriptor_read, descriptor_seen, dmsa_container
from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_LINK, DMSA_STATE
from orchestrator.model.dn import domain_dn
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Unreadable
from orchestrator.model.security.access import Wish
from orchestrator.model.security.exposed_words import remedy, said
from orchestrator.model.security.exposure import Asked, Exposed, Question, principals_of
from orchestrator.model.security.inheritance import inherited, origin
from orchestrator.model.security.principals import Principals, domain_sid
from orchestrator.model.security.sddl import SddlInvalid, read
from orchestrator.model.security.trusted import Tier0
from orchestrator.model.security.words import Right

DMSA_CLASS_GUID = "0feb936f-47b3-49f2-9386-1dedc2c23765"
"""schemaIDGUID of msDS-DelegatedManagedServiceAccount (MS-ADSC 2.135)."""
USER_CLASS_GUID = "bf967aba-0de6-11d0-a285-00aa003049e2"
"""schemaIDGUID of user (MS-ADSC): an entry about an object's class is about all of its attributes (MS-ADTS 5.1.3.3)."""
LINK_GUID, STATE_GUID = "3752e002-43be-48c8-b3ca-2cb2fffbc8a1", "a4693096-a4c3-4ecd-b8cb-73cd6398b7a2"
"""schemaIDGUIDs of the account's two attributes (MS-ADA2 2.478, 2.480); neither belongs to a property set."""
DMSA_LINK_GUID, DMSA_STATE_GUID = "a0945b2b-57a2-43bd-b327-4d112a4e8bd1", "2f5c138a-bd38-4016-88b4-0ec87cbb4919"
"""schemaIDGUIDs of the dMSA's link and state (MS-ADA2 2.377, 2.301); neither belongs to a property set."""
MEMBERSHIP_GUID = "888eedd6-ce04-df40-b462-b8a50e41ba38"
"""schemaIDGUID of msDS-GroupMSAMembership, who may retrieve the password (MS-ADA2 2.330); in no property set either."""

_REWRITE = (
    Wish(Right.WD, "rewrite its permissions"),
    Wish(Right.WO, "take its ownership"),
)
OF_CONTAINER = (Wish(Right.CC, "create dMSAs", frozenset({DMSA_CLASS_GUID})), *_REWRITE)
OF_ACCOUNT = (
    Wish(Right.WP, f"write {ACCOUNT_LINK}", frozenset({LINK_GUID, USER_CLASS_GUID})),
    Wish(Right.WP, f"write {ACCOUNT_STATE}", frozenset({STATE_GUID, USER_CLASS_GUID})),
    *_REWRITE,
)
OF_DMSA = (
    Wish(Right.WP, f"write {DMSA_LINK}", frozenset({DMSA_LINK_GUID, DMSA_CLASS_GUID})),
    Wish(Right.WP, f"write {DMSA_STATE}", frozenset({DMSA_STATE_GUID, DMSA_CLASS_GUID})),
    Wish(Right.WP, "write who may retrieve its password", frozenset({MEMBERSHIP_GUID, DMSA_CLASS_GUID})),
    *_REWRITE,
)


class _OfDescriptor(Guard):
    """A guard that the descriptor of one object answers, and the groups that it names."""

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the pair, then for the descriptor, then for whom it lets in."""
        del stage
        if not seen.asked(case.endpoint):
            return (pair_read(case),)
        of = descriptor_read(case.endpoint, self.identity(case, seen), case.server)
        if seen.reply_to(of.statements[0], case.endpoint) is None:
            return (of,)
        asked, where = _asked(case, seen), _where(case)
        first, second = (question.statements(*where, asked) for question in self._questions(case, seen))
        statements = first + tuple(one for one in second if one not in first)
        return (of, *([Read(case.endpoint, statements)] if statements else []))

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Nobody outside tier 0 has any of the rights."""
        del stage
        subject, domain = self.subject(case, seen), case.plan.estate.domain or ""
        here, there = self._questions(case, seen)
        found, known = _exposed(here, case, seen)
        below, known_below = _exposed(there, case, seen)
        below = [_by_its_origin(one, here) for one in below]
        if not found and not below:
            yield Verdict.of(True, subject, self.clean)
            return
        sid = domain_sid(account(case, seen).sid)
        told = [said(found, known, domain)] if found else []
        told += [f"a dMSA created here would inherit: {said(below, known_below, domain, sid)}"] if below else []
        sure = any(one.grant.sure for one in (*found, *below))
        yield Verdict(False if sure else None, subject, "; ".join(told), remedy(found, subject, below, sid))

    def _questions(self, case: Case, seen: Seen) -> tuple[Question, Question]:
        """Return the question about the object, and the one about a dMSA that is created in it."""
        subject = self.subject(case, seen)
        of = descriptor_read(case.endpoint, self.identity(case, seen), case.server)
        reply = seen.reply_to(of.statements[0], case.endpoint)
        if reply is None:
            raise Unreadable(f"the security descriptor of {subject} was not asked for")
        sid = account(case, seen).sid
        domain = domain_sid(sid)
        try:
            security = read(descriptor_seen(reply, subject), domain)
        except SddlInvalid as error:
            raise Unreadable(f"the security descriptor of {subject} is not understood: {error}") from error
        if security.dacl is None:
            raise Unreadable(f"the security descriptor of {subject} came without its list of entries")
        tier0 = Tier0.of(case.directory.tier0, domain)
        here = Question(security, self.wishes, tier0, sid if self.wishes is OF_ACCOUNT else None)
        return here, Question(inherited(security, DMSA_CLASS_GUID), self.wishes_below, tier0)

    wishes: tuple[Wish, ...]
    wishes_below: tuple[Wish, ...] = ()
    """What nobody may have over a dMSA that is created there, by what it inherits; none where none is created."""
    clean: str

    @abstractmethod
    def subject(self, case: Case, seen: Seen) -> str:
        """Return the object's DN."""

    @abstractmethod
    def identity(self, case: Case, seen: Seen) -> str:
        """Return how its descriptor is asked for: as the snapshot does, so that it is read once."""


def _asked(case: Case, seen: Seen) -> Asked:
    return lambda statement: seen.reply_to(statement, case.endpoint)


def _exposed(question: Question, case: Case, seen: Seen) -> tuple[list[Exposed], Principals]:
    asked = _asked(case, seen)
    known = principals_of(question.statements(*_where(case), asked), asked)
    return question.exposed(known), known


def _by_its_origin(one: Exposed, container: Question) -> Exposed:
    """Name the container's own entry in the place of the one that is inherited from it: that is what a person finds."""
    if one.grant.entry is None:
        return one
    entry = origin(container.security, one.grant.entry, DMSA_CLASS_GUID)
    return replace(one, grant=replace(one.grant, entry=entry))


def _where(case: Case) -> tuple[str, str]:
    return domain_dn(case.plan.estate.domain or ""), case.server


class OuNotOpen(_OfDescriptor):
    """Whoever may create a dMSA may try to make it the successor of any account (BadSuccessor)."""

    id = "ou-not-open"
    wishes = OF_CONTAINER
    wishes_below = OF_DMSA
    clean = (
        "nobody outside tier 0 may create dMSAs here, or rewrite its owner or permissions; nor does what a dMSA "
        "created here would inherit let anybody outside tier 0 write it"
    )

    def subject(self, case: Case, seen: Seen) -> str:
        """Return where the dMSA lies, or will be created."""
        return dmsa_container(pinned_pair(case, seen), case.migration.dmsa.path, case.plan.estate.domain or "")

    def identity(self, case: Case, seen: Seen) -> str:
        """Ask by DN."""
        return self.subject(case, seen)


class LinkAttributesGuarded(_OfDescriptor):
    """Whoever may write the account's link and state can hand the account to a dMSA of his own, on a patched DC too."""

    id = "link-attributes-guarded"
    wishes = OF_ACCOUNT
    clean = "nobody outside tier 0 may write its superseded attributes, or rewrite its owner or permissions"

    def subject(self, case: Case, seen: Seen) -> str:
        """Return the account's DN."""
        return account(case, seen).dn

    def identity(self, case: Case, seen: Seen) -> str:
        """Ask by objectGUID."""
        return str(account(case, seen).guid)
