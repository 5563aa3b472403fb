"""What happens to a run as a whole: it begins, runners come and go, shells are opened and end, a call is refused."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Happened(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunBegan(_Happened):
    """The run of a plan began; ``plan`` is its canonical form, ``digest`` its identity."""

    kind: Literal["run-began"] = "run-began"
    digest: str
    plan: dict[str, Any]
    by: str
    tool: str


class RunnerTook(_Happened):
    """A runner took the journal and moves migrations from here on."""

    kind: Literal["runner-took"] = "runner-took"
    by: str
    host: str
    pid: int
    tool: str


class RunnerLeft(_Happened):
    """A runner ended in good order."""

    kind: Literal["runner-left"] = "runner-left"
    reason: str


class ShellOpened(_Happened):
    """A shell is about to be opened at an endpoint under this id. On disk before the first call in it leaves, be it
    only a read: whoever comes later can delete what nobody closed.
    """

    kind: Literal["shell-opened"] = "shell-opened"
    endpoint: str
    shell: UUID


class ShellGone(_Happened):
    """A shell is no longer on its host, which acknowledged its deletion, or does not know it (any more)."""

    kind: Literal["shell-gone"] = "shell-gone"
    endpoint: str
    shell: UUID


class ControllersFound(_Happened):
    """The writable domain controllers of the domain, asked because the plan names none to agree."""

    kind: Literal["controllers-found"] = "controllers-found"
    names: tuple[str, ...]


class CallRefused(_Happened):
    """The gate refused a call: nothing outside the catalogue is ever sent. The run stopped."""

    kind: Literal["call-refused"] = "call-refused"
    migration: str
    detail: str
