"""How the endpoints of an estate treat sessions, as its file says it.

The defaults are those of Windows: quotas as Microsoft documents them ("Quotas", Windows Remote Management;
MS-WSMV 2.2.4.10 for the envelope), idle times as clients report them (adityatelange/evil-winrm-py issue 3;
jborean93/pypsrp issue 203: the session that stops answering its client is still there for everybody else).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeAlias

from pydantic import Field

from orchestrator.lab.estate.quantities import Duration, Spec

_Most: TypeAlias = Annotated[int, Field(ge=1)]


class SessionsSpec(Spec):
    """Idle times, quotas, and what comes again. Idle times are real time, as the client's own are."""

    idle_disconnects: Duration | None = Field(
        timedelta(minutes=1),
        description="without traffic for so long, a session shows Disconnected, and another client may connect to it",
    )
    idle_dies: Duration | None = Field(
        timedelta(minutes=2, seconds=5),
        description="without traffic for so long, its client gets HTTP 400 with an empty body, for whatever it asks",
    )
    dead_to_everyone: bool = Field(
        False, description="whether a session that died answers nobody any more, not even somebody who deletes it"
    )
    busy: bool = Field(True, description="whether a session that is connected refuses a second client's Connect")
    redeliver: bool = Field(True, description="whether a Connect brings again what was sent last")
    shells_per_user: _Most = Field(30, description="MaxShellsPerUser")
    users: _Most = Field(10, description="MaxConcurrentUsers: how many users may have sessions on a host")
    commands_per_shell: _Most = Field(1000, description="MaxConcurrentCommandsPerShell; those that ended count as well")
    operations_per_user: _Most = Field(
        1500, description="MaxConcurrentOperationsPerUser: requests of one user that a host has not answered yet"
    )
    taken: int = Field(
        0, ge=0, description="how many shells other tools of the operator's account keep open on each host all the time"
    )
    envelope_kb: int = Field(500, ge=32, description="MaxEnvelopeSizekb: the largest request, and the largest reply")
