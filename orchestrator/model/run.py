"""Where a run stands: a fold of its events, and nothing else.

:meth:`RunState.apply` refuses an event that the law does not allow and then changes nothing; whoever appends folds
first, so that a journal never holds an illegal history and ``replay(journal) == live state`` always.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestrator.model.approvals import Consent, Given
from orchestrator.model.before import HostBefore
from orchestrator.model.claims import Claims
from orchestrator.model.counts import Counts
from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned
from orchestrator.model.driven import CallRefused, ControllersFound, RunBegan, RunnerTook, ShellGone, ShellOpened
from orchestrator.model.event import Event, ShellEnded
from orchestrator.model.fold import FOLDS
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import IllegalEvent
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent
from orchestrator.model.notices import Notices
from orchestrator.model.restarts import Restarts
from orchestrator.model.state import MigrationState
from orchestrator.model.states import States
from orchestrator.model.switches import Switches, User
from orchestrator.model.words import Amended


@dataclass(slots=True)
class RunState:
    """All migrations of one run, and what must be known of the journal's other runs.

    Changed by :meth:`apply` and :meth:`overhear` alone, which raise before they change anything. Not for two threads at
    once: a runner folds and asks in its one loop, and no call's thread has its run; whoever reads along has a copy; the
    board looks at runs of its own, one piece of work at a time (:meth:`orchestrator.board.hub.Hub.apart`).
    """

    run: str
    digest: str | None = None
    plan: dict[str, Any] | None = None
    controllers: tuple[str, ...] = ()
    migrations: dict[str, MigrationState] = field(default_factory=States)
    """Those that were ever mentioned."""
    switches: Switches = field(default_factory=Switches)
    """The hosts' switches, counted over every run of the journal."""
    claims: Claims = field(default_factory=Claims)
    """Which migrations have begun with which account, over every run of the journal."""
    approvals: Given = field(default_factory=Given)
    """What people have approved; whether it counts is asked of :attr:`consent` each time."""
    restarts: Restarts = field(default_factory=Restarts)
    """How long restarts took, of each migration and of the whole run."""
    counts: Counts = field(default_factory=Counts)
    """How often it wrote, tried again, lost an answer and was held."""
    shells: dict[UUID, str] = field(default_factory=dict)
    """Shells that may be open, and at which endpoints: ours, or left behind by a runner that died."""
    refused: str | None = None
    driver: str | None = None
    """Who drove last, or drives."""
    last_at: datetime | None = None
    drills: int = 0
    """How many drills were begun."""
    drill: DrillBegan | None = None
    """The drill that is under way."""
    turned: DrillTurned | None = None
    """How far it came, once it is on its way back."""
    notices: Notices = field(default_factory=Notices)
    """What people are told, and who has yet to take it."""
    touched: set[str] = field(default_factory=set, compare=False)
    """The migrations that events were about, since whoever goes by it has emptied it."""
    admission: object = field(default=None, repr=False, compare=False)
    """What the wave rules keep of their last answers about this run (:mod:`orchestrator.engine.waves`), and nobody else
    looks at. To ask them changes it: it is no more for two threads at once than :meth:`apply` is."""
    _planned: dict[str, MigrationState] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Let it be known of the states which are replaced."""
        if not isinstance(self.migrations, States):
            self.migrations = States(self.migrations)

    def __getitem__(self, id_: str) -> MigrationState:
        """Return the state of a migration; one that was never mentioned is ``planned``."""
        state = self.migrations.get(id_) or self._planned.get(id_)
        if state is None:
            state = self._planned[id_] = MigrationState(id=id_)
        return state

    def copied(self) -> RunState:
        """Return the same state, to fold other events into."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        known |= {name: copy(value) for name, value in known.items() if type(value) in {dict, set}}
        apart = {
            name: known[name].copied() for name in ("switches", "claims", "approvals", "restarts", "counts", "notices")
        }
        return RunState(**known | apart | {"migrations": States(self.migrations), "admission": None})

    @property
    def consent(self) -> Consent:
        """What decides, beside the clock, whether approvals count."""
        return Consent(self.run, self.digest, self.driver, self.approvals.standing, self.approvals.fallen)

    def apply(self, event: Event, at: datetime | None) -> None:
        """Fold one event in.

        Args:
            event: what happened.
            at: estate time, or None where it could not be read.

        Raises:
            IllegalEvent: the law has no such move, or a write ends that was never begun; the state is as it was.
        """
        if isinstance(event, StateFolded):
            return  # what the rows before it made, once more
        fold = FOLDS.get(type(event))
        if fold is not None:
            id_ = event.migration  # type: ignore[union-attr]  # every event that has a fold is about one
            before = self[id_]
            after = fold(before, event, at)
            self.switches.take_in(self.run, event, at)
            self.claims.take_in(self.run, event)
            self.restarts.take_in(event, at)
            self.counts.take_in(event)
            self.notices.changed(before, after)
            self.migrations[id_] = after
            self.touched.add(id_)
        elif isinstance(event, RunBegan | Amended):
            self.digest, self.plan = event.digest, event.plan
            self.notices.go_by(event.plan)
        elif isinstance(event, ControllersFound):
            self.controllers = event.names
        elif isinstance(event, CallRefused):
            self.refused = event.detail
        elif isinstance(event, RunnerTook):
            self.refused, self.driver = None, event.by
            self.notices.began_anew()
        elif isinstance(event, ShellOpened):
            self.shells[event.shell] = event.endpoint
        elif isinstance(event, NoticeRaised | NoticeSent | NoticeUnsent):
            self.notices.take_in(event, at, self.run, self.digest)
        if isinstance(event, ShellGone | ShellEnded):
            self.shells.pop(event.shell, None)
        self.approvals.take_in(event)
        self._follow_drill(event)
        self.last_at = at or self.last_at

    def overhear(self, run: str, event: Event | None, at: datetime | None, row: str = "") -> None:
        """Take in what an event of another run of the journal says of a host's switch, or of an account.

        Args:
            run: that run.
            event: what happened; None where this version cannot read its *row*.
            at: estate time.
            row: which row it is, in words.
        """
        if event is not None:
            self.switches.take_in(run, event, at)
            self.claims.take_in(run, event)
        elif self.switches.unread is None:
            self.switches.unread = row

    def left_open(self) -> dict[UUID, str]:
        """Return the shells that may be open, and those of writes whose outcome nobody knows, with their endpoints.

        (A journal that was begun before every shell was written down knows of the latter only.)
        """
        writes = [attempt for state in self.migrations.values() for attempt in state.open.values()]
        lost = {one.started.shell: one.started.endpoint for one in writes if not one.shell_ended}
        return lost | self.shells

    def needs(self, host: str, id_: str) -> bool:
        """Return whether a migration needs the host's registry value, from its first write there on."""
        use = self.switches.uses.get(host.lower())
        return use is not None and User(self.run, id_) in use.needed_by

    def needed_elsewhere(self, host: str, id_: str) -> frozenset[str]:
        """Return the other migrations that need the host's registry value; of another run as ``plan/migration``."""
        use = self.switches.uses.get(host.lower())
        return frozenset(self.named(user) for user in (use.needed_by if use else ()) if user != (self.run, id_))

    def named(self, user: User) -> str:
        """Return how a migration of any run is called here."""
        return user.migration if user.run == self.run else f"{user.run}/{user.migration}"

    def original(self, host: str, id_: str) -> HostBefore | None:
        """Return the host as it was before any of ours changed its registry value."""
        use = self.switches.uses.get(host.lower())
        return use.original if use else self.switches.befores.get(User(self.run, id_), {}).get(host)

    def _follow_drill(self, event: Event) -> None:
        if not isinstance(event, DrillBegan | DrillTurned | DrillEnded):
            return
        number = self.drill.number if self.drill else None
        if isinstance(event, DrillBegan):
            if number is not None:
                raise IllegalEvent(f"drill {number} of {self.run} is under way")
            self.drills, self.drill, self.turned = event.number, event, None
        elif number != event.number:
            raise IllegalEvent(f"drill {event.number} of {self.run} is not under way")
        elif isinstance(event, DrillTurned):
            self.turned = event
        else:
            self.drill = self.turned = None
