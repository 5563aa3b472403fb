"""From ``--broker`` to an engine: the one place that knows that there is a choice, and that Celery may be missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.errors import PersonNeeded

if TYPE_CHECKING:
    from orchestrator.cluster.broker import CeleryEngine

_EXTRA = frozenset({"amqp", "celery", "kombu"})


def engine_at(url: str, name: str) -> CeleryEngine:
    """Return the engine of the broker at *url*; nothing is connected yet. *name*: who this is, for its lists.

    Raises:
        InputInvalid: the URL cannot be used, or there is no password for it.
        PersonNeeded: the extra ``cluster`` is not installed.
    """
    from orchestrator.cluster.address import broker_address, broker_password

    broker_address(url)
    try:
        from orchestrator.cluster.broker import CeleryEngine
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise PersonNeeded(
            f"A broker needs {error.name}, which is not installed. Nothing was done. Install it with: "
            "pip install 'dmsa-orchestrator[cluster]'"
        ) from error
    return CeleryEngine(url, broker_password(os.environ), name=name)
