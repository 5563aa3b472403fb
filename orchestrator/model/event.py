"""What happened: the vocabulary of the journal.

Every event is frozen, carries no secret, and is enough, together with those before it, to know where a run
stands (:mod:`orchestrator.model.run` folds them). ``VERSION`` is the version of this vocabulary; it is stored with
each row. A release that adds a kind or changes a meaning raises it once, so that an earlier release knows that it
cannot read on; what a change of meaning makes of earlier rows stands in :mod:`orchestrator.model.upcast`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestrator.model.before import Compared, HostSnapshotTaken, SnapshotRepeated, SnapshotTaken
from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned, SteadyStateSeen
from orchestrator.model.driven import (
    CallRefused,
    ControllersFound,
    RunBegan,
    RunnerLeft,
    RunnerTook,
    ShellGone,
    ShellOpened,
)
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import Pair, Phase, Trigger, Way
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent
from orchestrator.model.observation import Fault, FaultKind, Outcome
from orchestrator.model.upcast import EventUnknown, upcast
from orchestrator.model.waiting import HoldReason, WaitFor
from orchestrator.model.words import (
    AdoptAsked,
    Amended,
    ApprovalWithdrawn,
    Approved,
    AssertedDone,
    HostReleased,
    WaiverApproved,
    WaiverWithdrawn,
)

VERSION = 4

DIRECTORY = "directory"
"""The subject that stands for the pair in Active Directory; every other subject is a host's name."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OfMigration(_Event):
    migration: str


class FaultSeen(_Event):
    """A fault as it is written down."""

    kind: FaultKind
    code: str
    message: str
    remedy: str = ""
    busy: bool = False
    after: float = 0.0

    @classmethod
    def of(cls, fault: Fault | FaultSeen) -> FaultSeen:
        """Return a fault in the form that is written down."""
        said = {"kind": fault.kind, "code": fault.code, "message": fault.message, "remedy": fault.remedy}
        return cls.model_validate(said | {"busy": fault.busy, "after": fault.after})


class GuardSaid(_Event):
    """One guard's answer for one subject."""

    guard: str
    subject: str
    verdict: Literal["pass", "refuse", "unknown"]
    evidence: str
    remedy: str = ""
    waived: bool = False


class GuardsAsked(_OfMigration):
    """The guards of a stage were asked, right before a write."""

    kind: Literal["guards-asked"] = "guards-asked"
    step: Trigger
    answers: tuple[GuardSaid, ...]


class Admitted(_OfMigration):
    """The migration took one of its wave's places in flight, for this step and what belongs to it."""

    kind: Literal["admitted"] = "admitted"
    step: Trigger


class AttemptStarted(_OfMigration):
    """A write is about to be sent. On disk before the write leaves: a start without an end means *unknown*."""

    kind: Literal["attempt-started"] = "attempt-started"
    step: Trigger
    subject: str
    endpoint: str
    cmdlet: str
    parameters: dict[str, Any]
    shell: UUID
    pipeline: UUID
    wish: Pair | None = None


class AttemptFinished(_OfMigration):
    """A write ended, or was found without an end by the runner that took over (``unknown``)."""

    kind: Literal["attempt-finished"] = "attempt-finished"
    subject: str
    outcome: Outcome
    fault: FaultSeen | None = None


class ShellEnded(_OfMigration):
    """The shell of an attempt whose outcome is unknown was deleted, and the far side acknowledged it."""

    kind: Literal["shell-ended"] = "shell-ended"
    subject: str
    shell: UUID


class AttemptSettled(_OfMigration):
    """After the settling time the same place was read again; what was read decides from here on."""

    kind: Literal["attempt-settled"] = "attempt-settled"
    subject: str


class BaselineRead(_OfMigration):
    """The host's own clock before a step restarts anything there: what started later was restarted."""

    kind: Literal["baseline-read"] = "baseline-read"
    step: Trigger
    host: str
    local_time: datetime
    boot_time: datetime


class WorkloadSeen(_Event):
    """A workload as it was last seen."""

    kind: Literal["service", "task", "app-pool"]
    name: str
    state: Literal["running", "stopped", "idle", "failed", "unknown"]


class SubjectDone(_OfMigration):
    """A step has nothing left to do at one subject, and a read-back says so."""

    kind: Literal["subject-done"] = "subject-done"
    step: Trigger
    subject: str
    registry: Literal["set", "was-set", "kept", "restored", "pending"] | None = None
    rebooted: bool | None = None
    workloads: tuple[WorkloadSeen, ...] | None = None
    pair: Pair | None = None
    evidence: dict[str, Any] = {}


class UnknownHost(_Event):
    """What the directory tells of somebody who may use a dMSA and is no host of its plan.

    ``name`` is the DNS name, or the DN where there is none; ``principal`` the DN; ``through`` the group on the list
    that lets it in, if it is not on the list itself. Not ``computer``: no computer of the domain, and no group with
    one. ``last_log_on`` is lastLogonTimestamp, which may lag behind by two weeks.
    """

    name: str
    principal: str
    through: str | None = None
    computer: bool = False
    os: str | None = None
    os_version: str | None = None
    last_log_on: datetime | None = None
    enabled: bool | None = None
    controller: bool | None = None


class LedgerRead(_OfMigration):
    """The principals allowed to use the dMSA, as the pinned DC shows them; ``unknown``: those of no host of the plan,
    and what is known about them.
    """

    kind: Literal["ledger-read"] = "ledger-read"
    principals: tuple[str, ...]
    hosts_present: tuple[str, ...]
    sha256: str
    unknown: tuple[UnknownHost, ...] = ()


class Moved(_OfMigration):
    """The migration reached another phase, by a row of the law and on the evidence of a read-back."""

    kind: Literal["moved"] = "moved"
    trigger: Trigger
    source: Phase
    dest: Phase
    pair: Pair | None = None
    dmsa_guid: UUID | None = None
    evidence: dict[str, Any] = {}


class WaitBegan(_OfMigration):
    """Nothing is wrong; something must come first."""

    kind: Literal["wait-began"] = "wait-began"
    subject: str
    waiting_for: WaitFor
    until: datetime | None = None
    detail: str = ""


class RetryDue(_OfMigration):
    """A transient fault; the same question or write is due again at ``until``.

    ``turned_away``: how often in a row its endpoint had no room for it; 0 where that is not what was wrong. Such times
    are not counted in ``tries``.
    """

    kind: Literal["retry-due"] = "retry-due"
    subject: str
    of: Literal["read", "write"]
    tries: int
    until: datetime
    fault: FaultSeen
    turned_away: int = 0


class Recovered(_OfMigration):
    """After faults the subject answers again; the count of tries starts anew."""

    kind: Literal["recovered"] = "recovered"
    subject: str


class Held(_OfMigration):
    """The migration stands still until a person does something. ``release`` says what."""

    kind: Literal["held"] = "held"
    reason: HoldReason
    detail: str
    release: str
    subject: str = DIRECTORY
    step: Trigger | None = None
    by: str | None = None
    down: tuple[str, ...] = ()
    """Workloads at the subject that ran before, are down now, and do not come back on a way back."""


class Released(_OfMigration):
    """An operator let a held migration go on; ``forward`` turns a way back around."""

    kind: Literal["released"] = "released"
    by: str
    reason: str
    forward: bool = False


class WayBackAsked(_OfMigration):
    """The way back was asked for: by an operator, or (``automatic``) by the policy of a migration that failed."""

    kind: Literal["way-back-asked"] = "way-back-asked"
    way: Way
    by: str
    reason: str = ""
    automatic: bool = False
    accept_password_risk: bool = False
    """The operator's word that it may begin although the account's password is not as the services hold it."""


Event: TypeAlias = Annotated[
    RunBegan
    | RunnerTook
    | RunnerLeft
    | ShellOpened
    | ShellGone
    | ControllersFound
    | GuardsAsked
    | SnapshotTaken
    | SnapshotRepeated
    | HostSnapshotTaken
    | Admitted
    | AttemptStarted
    | AttemptFinished
    | ShellEnded
    | AttemptSettled
    | BaselineRead
    | SubjectDone
    | Compared
    | LedgerRead
    | Moved
    | WaitBegan
    | RetryDue
    | Recovered
    | Held
    | Released
    | WayBackAsked
    | CallRefused
    | Amended
    | HostReleased
    | AssertedDone
    | AdoptAsked
    | Approved
    | WaiverApproved
    | ApprovalWithdrawn
    | WaiverWithdrawn
    | DrillBegan
    | SteadyStateSeen
    | DrillTurned
    | DrillEnded
    | StateFolded
    | NoticeRaised
    | NoticeSent
    | NoticeUnsent,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[BaseModel]] = {
    event.model_fields["kind"].default: event for event in get_args(get_args(Event)[0])
}
"""Every kind of row, and the event it holds."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def to_body(event: Event) -> dict[str, Any]:
    """Return the event as JSON data, without what equals its default."""
    body: dict[str, Any] = event.model_dump(mode="json", exclude_defaults=True)
    body.pop("kind", None)
    return body


def from_body(kind: str, body: dict[str, Any], version: int = VERSION) -> Event:
    """Return the event of a journal row that was written in *version* of this vocabulary.

    Raises:
        EventUnknown: the row is of a later version, or none of this vocabulary.
    """
    kind, body = upcast(kind, body, version, VERSION)
    if kind not in KINDS:
        raise EventUnknown(f"version {version} of the vocabulary of events has no kind {kind!r}")
    try:
        return _ADAPTER.validate_python({**body, "kind": kind})
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"][1:])
        raise EventUnknown(f"a row {kind} of version {version} has no such {where or 'content'}") from error
