"""What may go wrong in an estate, as its file says it.

Two families. A *request* weather befalls requests that match ``when``: lost before or after its effect, slow,
denied, refused for a quota. An *event* weather happens at a time (``at``), or after a request that matches
``when``; ``delay`` puts it off. ``nth`` counts matching requests from 1, ``times`` says how many are befallen.

A request is a whole pipeline, however many messages carry it. With ``operation`` it is one message of WSMan
instead; an estate without a wire has none, and such weather never befalls it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AwareDatetime, Field, model_validator

from orchestrator.lab.estate.quantities import Duration, Name, Spec

Count: TypeAlias = Annotated[int, Field(ge=1)]


OperationName: TypeAlias = Literal[
    "Create",
    "Command",
    "Send",
    "Receive",
    "Signal",
    "Delete",
    "Connect",
    "Disconnect",
    "Reconnect",
    "Enumerate",
    "Get",
]
"""An operation of WSMan (MS-WSMV 3.1.4)."""
_OF_PIPELINES = frozenset({"Command", "Send", "Receive", "Signal"})


Quota: TypeAlias = Literal[
    "shells",
    "operations",
    "user",
    "system",
    "users",
    "configuration-shells-per-user",
    "configuration-users",
    "configuration-shells",
    "configuration-operations",
    "configuration-operations-per-user",
    "commands-per-shell",
    "configuration-minimum",
]
"""A quota of WinRM that can be spent."""


class Trigger(Spec):
    """Which requests are meant: those that contain *cmdlet* (any, if left out) and go to *host* (any).

    With *operation*: which messages; with *cmdlet* beside it, those about a pipeline that contains it.
    """

    cmdlet: str | None = None
    host: str | None = None
    operation: OperationName | None = None
    nth: Count = 1
    times: Count = 1

    @model_validator(mode="after")
    def _cmdlets_are_of_pipelines(self) -> Self:
        if self.cmdlet is not None and self.operation is not None and self.operation not in _OF_PIPELINES:
            raise ValueError(f"a {self.operation} has no cmdlet; leave one of the two out")
        return self


class LostRequest(Spec):
    """The request never arrives, and the connection is reset; its sender cannot know."""

    kind: Literal["lost-request"]
    when: Trigger


class LostReply(Spec):
    """The request takes effect, after ``late`` if given; the connection is reset before its reply.

    What is late ends without its effect when its shell is deleted, unless it ``outlives`` that: the directory was at it
    already.
    """

    kind: Literal["lost-reply"]
    when: Trigger
    late: Duration = timedelta(0)
    outlives: bool = False

    @model_validator(mode="after")
    def _only_pipelines_are_late(self) -> Self:
        if self.late and self.when.operation is not None:
            raise ValueError("late is for whole requests; leave operation out")
        return self


class Reset(Spec):
    """The request takes effect; the connection is reset in the middle of its reply."""

    kind: Literal["reset"]
    when: Trigger


class Hang(Spec):
    """No answer ever comes, and the connection stays open; ``arrives`` says whether the request takes effect."""

    kind: Literal["hang"]
    when: Trigger
    arrives: bool = True


class Unavailable(Spec):
    """The endpoint answers HTTP 503, and does nothing; with ``retry_after`` it says when to come back."""

    kind: Literal["unavailable"]
    when: Trigger
    retry_after: Duration | None = None


class SessionDied(Spec):
    """The session has died of idleness: this and every later request of its client gets HTTP 400 without a word."""

    kind: Literal["session-died"]
    when: Trigger


class SessionDisconnected(Spec):
    """Somebody has disconnected the session: this and every later request of its pipelines is refused."""

    kind: Literal["session-disconnected"]
    when: Trigger


class Slow(Spec):
    """The reply takes this long; of a Command, the end of its pipeline does."""

    kind: Literal["slow"]
    when: Trigger
    takes: Duration = timedelta(seconds=10)


class AccessDenied(Spec):
    """The endpoint refuses the caller."""

    kind: Literal["access-denied"]
    when: Trigger


class Busy(Spec):
    """The endpoint refuses the request because a ``quota`` is spent; repeating it later helps.

    The quotas are those of ``wsmerror.h``; the last seven are those of one session configuration.
    """

    kind: Literal["busy"]
    when: Trigger
    quota: Quota = "operations"


class Event(Spec):
    """What happens by itself: exactly one of ``at`` and ``when``, and a delay."""

    at: AwareDatetime | None = None
    when: Trigger | None = None
    delay: Duration = timedelta(0)

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.at is None) == (self.when is None):
            raise ValueError("give exactly one of at and when")
        if self.when is not None and self.when.operation is not None:
            raise ValueError("operation is for what befalls a request, not for what follows it")
        return self


class HostDown(Event):
    """A machine answers nothing for a while; its services keep running."""

    kind: Literal["host-down"]
    host: Name
    lasts: Duration = timedelta(minutes=10)


class Partition(Event):
    """A DC exchanges no changes with the others for a while."""

    kind: Literal["partition"]
    host: Name
    lasts: Duration = timedelta(hours=1)


class ServiceBroken(Event):
    """The next starts of a service fail for a reason of its own."""

    kind: Literal["service-broken"]
    host: Name
    service: Name
    times: Count = 1


class HostRegisters(Event):
    """A host logs on as an account that nobody knew it to use."""

    kind: Literal["host-registers"]
    host: Name
    account: Name


class ObjectDeleted(Event):
    """Somebody deletes an object."""

    kind: Literal["object-deleted"]
    dn: Name


class ObjectMoved(Event):
    """Somebody moves an object to another container."""

    kind: Literal["object-moved"]
    dn: Name
    to: Name


class RegistryChanged(Event):
    """Somebody (a group policy, as a rule) sets ``DelegatedMSAEnabled`` or removes it; with ``every`` ever again."""

    kind: Literal["registry-changed"]
    host: Name
    value: Literal["absent", 0, 1]
    every: Duration | None = None

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.every is not None and self.every < timedelta(minutes=1):
            raise ValueError("every must be a minute or more")
        return self


WeatherSpec: TypeAlias = Annotated[
    LostRequest
    | LostReply
    | Reset
    | Hang
    | Unavailable
    | SessionDied
    | SessionDisconnected
    | Slow
    | AccessDenied
    | Busy
    | HostDown
    | Partition
    | ServiceBroken
    | HostRegisters
    | ObjectDeleted
    | ObjectMoved
    | RegistryChanged,
    Field(discriminator="kind"),
]
