"""Everything that a decision about one migration may look at, and nothing it may not.

A :class:`Case` is made afresh for each decision from the run, the plan and estate time; a :class:`Seen` holds what
was just read for it. Steps and guards are pure functions of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.model.approvals import Tally, agreed, names_suffice
from orchestrator.model.before import HostBefore
from orchestrator.model.call import Cmdlet, Read
from orchestrator.model.deleted import only_explains
from orchestrator.model.directory import PairSeen, pair_seen
from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.host import HostSeen, host_seen
from orchestrator.model.lifecycle import Intention, Trigger
from orchestrator.model.observation import Fault, Outcome, Reply, Unreadable
from orchestrator.model.people import person
from orchestrator.model.plan import Directory, Host, Migration, Plan, Policy, Waiver
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.token import only_no_token
from orchestrator.model.words import Subject
from orchestrator.model.written_down import as_written_down, listed


@dataclass(frozen=True)
class Case:
    """One migration at one moment of estate time.

    ``migration`` is the plan's, with what was found in place of each ``workloads: discover`` once it was written down.
    ``apart``: by how much the domain controller's clock was ahead of the journal's when estate time was read last; None
    if it never was. ``silent``: the pinned domain controller did not say the time when it was asked last, and ``at`` is
    what it should be by now.
    """

    run: RunState
    plan: Plan
    migration: Migration
    state: MigrationState
    at: datetime | None
    apart: timedelta | None = None
    silent: bool = False

    @classmethod
    def of(
        cls,
        run: RunState,
        plan: Plan,
        id_: str,
        at: datetime | None,
        apart: timedelta | None = None,
        *,
        silent: bool = False,
    ) -> Case:
        """Return the case of a migration by its id."""
        state = run[id_]
        return cls(run, plan, as_written_down(plan.migration(id_), state), state, at, apart, silent)

    @property
    def policy(self) -> Policy:
        """The policy of this migration, merged."""
        return self.plan.policy_of(self.migration.id)

    @property
    def directory(self) -> Directory:
        """The directory of the estate; a plan for a lab is given its lab's before anything runs."""
        directory = self.plan.estate.directory
        if directory is None:
            raise ValueError("the plan's estate has not been resolved")
        return directory

    @property
    def server(self) -> str:
        """The pinned domain controller."""
        return self.directory.server

    @property
    def endpoint(self) -> str:
        """The host whose endpoint runs the directory cmdlets."""
        return self.directory.endpoint

    @property
    def controllers(self) -> tuple[str, ...]:
        """The domain controllers whose copies must agree, the pinned one first; empty until they were asked for."""
        names = self.directory.converge_on or self.run.controllers
        return tuple(sorted(names, key=lambda name: name.lower() != self.server.lower()))

    @property
    def account(self) -> str:
        """How the account is asked for: by objectGUID from the snapshot on, for accounts get moved."""
        return str(self.state.snapshot.account_guid) if self.state.snapshot else self.migration.account

    @property
    def host_names(self) -> tuple[str, ...]:
        """The hosts of the migration, as the plan spells them; not those that are lost."""
        return tuple(name for name in self.planned_hosts if name not in self.state.lost)

    @property
    def planned_hosts(self) -> tuple[str, ...]:
        """The hosts of the migration, lost ones too."""
        return tuple(host.name for host in self.migration.hosts)

    @property
    def hosts_back(self) -> tuple[str, ...]:
        """The hosts that a way back looks at: those that were written down before anything was changed there.

        One that an amendment took out of the plan is among them; one that joined and was never reached is not, nor is
        one that is lost.
        """
        known = self.state.snapshot.hosts if self.state.snapshot else self.host_names
        return tuple(name for name in known if name not in self.state.lost)

    @property
    def goes_back(self) -> bool:
        """Whether the migration is on a way back, or a person says that one was begun by hand."""
        word = self.state.asserted
        by_hand = word is not None and word.step in {Trigger.UNDO, Trigger.RESET}
        return self.state.intention is Intention.BACK or by_hand

    def asserted(self, step: Trigger) -> bool:
        """Whether a person says that this step was done by hand."""
        return self.state.asserted is not None and self.state.asserted.step is step

    def host(self, name: str) -> Host:
        """A host and its workloads: on a way back those that were written down, else those of the plan."""
        before = self.state.snapshot.hosts.get(name) if self.state.snapshot else None
        if before is None or (not self.goes_back and name in self.planned_hosts):
            return self.migration.host(name)
        tasks = (task for host in self.migration.hosts if host.name == name for task in host.tasks)
        return listed(name, before, (task.path for task in tasks if task.run))

    def discovers(self, name: str) -> bool:
        """Whether the plan leaves it to a host to say what runs there, whether or not it was asked by now."""
        planned = self.plan.migration(self.migration.id).hosts
        return any(host.discovers for host in planned if host.name == name)

    def waiver(self, guard: str, stage: Stage) -> Waiver | None:
        """Return the plan's waiver for a guard, where it can count: at this stage, and with enough different people."""
        waiver, rule = self.migration.waiver(guard), GUARDS[guard]
        if waiver is None or stage not in rule.waivable_at:
            return None
        return waiver if len(set(map(person, waiver.approved_by))) >= rule.approvers else None

    def agreement(self, waiver: Waiver) -> Tally:
        """Return who of those whom a waiver names has approved it; where the names suffice, nobody is wanted."""
        if names_suffice(self.plan, waiver.guard):
            return Tally(0, ())
        subject = Subject("waiver", self.migration.id, waiver.guard)
        return agreed(self.run.consent, subject, waiver.approved_by, self.policy.approvals, self.at)

    def waived(self, guard: str, stage: Stage) -> bool:
        """Whether a waiver of the plan counts for a guard at a stage: each of those it names has approved it.

        Names alone suffice on a lab estate, and for time that passes on a plan of nothing but disposable pairs.
        """
        waiver = self.waiver(guard, stage)
        return waiver is not None and not self.agreement(waiver).missing

    def deadline(self, subject: str, waiting_for: str, within: timedelta) -> datetime | None:
        """Return until when a subject may wait for something: from when it first did, or from now."""
        known = self.state.deadlines.get((subject, waiting_for))
        return known.until if known else (self.at + within if self.at else None)

    def waits_since(self, subject: str, waiting_for: str) -> datetime | None:
        """Return since when a subject waits for something: from when it first did, or from now."""
        known = self.state.deadlines.get((subject, waiting_for))
        return known.since if known else self.at

    def needs_switch(self, host: str) -> bool:
        """Whether this migration has written the host's registry value, or may have, and not put it back."""
        return self.run.needs(host, self.migration.id)

    def needed_elsewhere(self, host: str) -> frozenset[str]:
        """Other migrations that need the host's registry value."""
        return self.run.needed_elsewhere(host, self.migration.id)

    def original(self, host: str) -> HostBefore | None:
        """The host as it was before any of ours changed its registry value."""
        return self.run.original(host, self.migration.id)


SEARCH_HOLDS = timedelta(minutes=15)
"""How long the answer to a slow question may be used, counted from when it came."""


@dataclass(frozen=True)
class Seen:
    """What was read for one decision: each read with its reply.

    ``guarded``: the guards' probes are among them. ``since``: the estate time when the first of them was asked, if it
    is known; ``searched``: when the last answer to a slow one came.
    """

    dmsa: str
    replies: tuple[tuple[Read, Reply], ...] = ()
    guarded: bool = False
    since: datetime | None = None
    searched: datetime | None = None
    _read: dict[tuple[str, ...], PairSeen | HostSeen] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """What the replies were found to say: guards and steps ask for the same objects many times."""

    def plus(
        self,
        replies: Sequence[tuple[Read, Reply]],
        guarded: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Seen:
        """Return this observation with more in it, which was asked at *since* and answered at *until*."""
        searched = until if any(read.slow for read, _ in replies) else self.searched
        return Seen(self.dmsa, (*self.replies, *replies), self.guarded or guarded, self.since or since, searched)

    def anew(self, at: datetime | None) -> Seen:
        """Return what a new observation begins with: the answers to slow questions, while they are young.

        What takes minutes to find out is older than a write may be decided on by the time it is known. So everything
        else is read again after it, and it alone is not.
        """
        if at is None or self.searched is None or at - self.searched > SEARCH_HOLDS:
            return Seen(self.dmsa)
        slow = tuple((read, reply) for read, reply in self.replies if read.slow and reply.fault is None)
        return Seen(self.dmsa, slow, searched=self.searched)

    def reply_to(self, statement: Cmdlet, endpoint: str) -> Reply | None:
        """Return the reply of the pipeline in which *endpoint* was asked exactly this; None if it was not."""
        return next(
            (reply for read, reply in self.replies if read.endpoint == endpoint and statement in read.statements),
            None,
        )

    def unasked(self, reads: Iterable[Read]) -> tuple[Read, ...]:
        """Return what of these reads was not asked, each with the statements that are missing."""
        left = (
            Read(read.endpoint, tuple(one for one in read.statements if self.reply_to(one, read.endpoint) is None))
            for read in reads
        )
        return tuple(read for read in left if read.statements)

    def at(self, endpoint: str) -> Sequence[tuple[Read, Reply]]:
        """Return what one endpoint said."""
        return [(read, reply) for read, reply in self.replies if read.endpoint == endpoint]

    def asked(self, endpoint: str) -> bool:
        """Whether the endpoint was asked at all."""
        return any(read.endpoint == endpoint for read, _ in self.replies)

    def pair(self, endpoint: str, server: str) -> PairSeen:
        """Return the pair as *server* shows it.

        Raises:
            Unreadable: it was not read, or the answer does not say.
        """
        known = self._read.get((endpoint, server))
        if isinstance(known, PairSeen):
            return known
        for read, reply in reversed(self.replies):
            asks_pair = any(
                statement.name == "Get-ADUser" and statement.parameters.get("Server") == server
                for statement in read.statements
            )
            if read.endpoint == endpoint and asks_pair:
                found = self._read[endpoint, server] = pair_seen(server, reply, self.dmsa)
                return found
        raise Unreadable(f"{server} was not asked for the pair")

    def host(self, name: str) -> HostSeen:
        """Return the host as it was read.

        Raises:
            Unreadable: it was not read, or an answer is missing.
        """
        known = self._read.get((name,))
        if not isinstance(known, HostSeen):
            known = self._read[(name,)] = host_seen(name, self.at(name))
        return known

    def faults(self) -> list[tuple[str, Fault]]:
        """Return the faults of reads that did not run to their end, by endpoint.

        That an object is not there is an answer, not a fault; and what became of it need not be known to hold for it.
        """
        return [
            (read.endpoint, reply.fault)
            for read, reply in self.replies
            if reply.fault is not None
            and reply.outcome is not Outcome.SUCCEEDED
            and not any(error.category == "ObjectNotFound" for error in reply.errors)
            and not only_explains(read.statements)
            and not only_no_token(read.statements, reply)
        ]


@dataclass(frozen=True)
class Verdict:
    """A guard's answer for one subject, with its evidence; ``waits`` where time alone can still satisfy it.

    ``waivable`` is False where no waiver helps, whatever the guard's rule says.
    """

    passed: bool | None
    subject: str
    evidence: str
    remedy: str = ""
    waits: tuple[str, datetime | None] | None = None
    waivable: bool = True

    @classmethod
    def of(cls, passed: bool, subject: str, evidence: str, remedy: str = "") -> Verdict:
        """Return pass or refuse."""
        return cls(passed, subject, evidence, "" if passed else remedy)

    @classmethod
    def unknown(cls, subject: str, evidence: str, remedy: str = "") -> Verdict:
        """Return *unknown*, which refuses too: the question could not be answered."""
        return cls(None, subject, evidence, remedy)

    @property
    def word(self) -> str:
        """``pass``, ``refuse`` or ``unknown``."""
        return {True: "pass", False: "refuse", None: "unknown"}[self.passed]
