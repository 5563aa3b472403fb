"""Rows of earlier versions of the vocabulary, told in the words of this one.

A journal is read for as long as its run lives, by whatever version of the program is installed by then. Each row
carries the version of the vocabulary it was written in (:data:`orchestrator.model.event.VERSION`); what has changed its
meaning since stands here, one :class:`Step` a change, and a row is led through all of them, one version at a time. The
row itself is never changed: its hash is that of what was written.

Which changes need a step: a field that is renamed, removed, required from now on, or means something else; a kind that
is renamed or split in two. A new kind, or a new field with a default, needs none: the old rows mean what they meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Told: TypeAlias = tuple[str, dict[str, Any]]
"""A row's kind and body."""
Step: TypeAlias = Callable[[dict[str, Any]], Told]
"""From the body of one kind, as one version wrote it, to kind and body as the next version writes them; pure, and
the body that it is given stays as it is."""


_NOT_ASKED_BEFORE_3 = [
    "nTSecurityDescriptor",
    "PrincipalsAllowedToDelegateToAccount",
    "msDS-AssignedAuthNPolicySilo",
    "msDS-AuthNPolicySiloMembersBL",
    "log-on name",
]


def _workloads_with_log_on(host: dict[str, Any]) -> dict[str, Any]:
    """Return a host whose tasks and application pools are objects: before version 3 only their states were kept."""
    as_objects = {
        kind: {name: {"state": state} for name, state in host[kind].items()}
        for kind in ("tasks", "app_pools")
        if kind in host
    }
    return host | as_objects


def _snapshot_taken(body: dict[str, Any]) -> Told:
    hosts = {name: _workloads_with_log_on(host) for name, host in body["hosts"].items()}
    return "snapshot-taken", body | {"hosts": hosts, "unasked": _NOT_ASKED_BEFORE_3}


def _host_snapshot_taken(body: dict[str, Any]) -> Told:
    return "host-snapshot-taken", body | {"before": _workloads_with_log_on(body["before"])}


STEPS: Mapping[tuple[int, str], Step] = {
    (2, "snapshot-taken"): _snapshot_taken,
    (2, "host-snapshot-taken"): _host_snapshot_taken,
}
"""By the version that wrote the row, and its kind. Version 2 only added kinds."""


class EventUnknown(ValueError):
    """A row says what this vocabulary has no word for. The text says which word, for the middle of a sentence."""


def upcast(
    kind: str,
    body: dict[str, Any],
    version: int,
    newest: int,
    steps: Mapping[tuple[int, str], Step] | None = None,
) -> Told:
    """Return kind and body of a row of *version* as version *newest* would have written them.

    Raises:
        EventUnknown: *newest* is older than the row, or no version ever was *version*.
    """
    if version > newest:
        raise EventUnknown(f"it is of version {version} of the vocabulary of events, and this one reads up to {newest}")
    if version < 1:
        raise EventUnknown(f"no vocabulary of events ever had version {version}")
    steps = STEPS if steps is None else steps
    for written in range(version, newest):
        step = steps.get((written, kind))
        if step is not None:
            kind, body = step(body)
    return kind, body


def unchanged_since(kind: str, newest: int, steps: Mapping[tuple[int, str], Step] | None = None) -> int:
    """Return the first version whose rows of *kind* read as those of *newest* do."""
    steps = STEPS if steps is None else steps
    return max((written + 1 for written, of in steps if of == kind and written < newest), default=1)
