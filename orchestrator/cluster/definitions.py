"""What a broker needs for a plan: a virtual host, a queue for each site, and who may do what there.

As RabbitMQ's definitions (RabbitMQ, "Schema Definition Export and Import"), for ``rabbitmqctl import_definitions``.
Users are not in them, for passwords are not in files: they are there before. Queues are classic and durable: a ring
may be lost, so nothing has to be kept on three nodes.

Permissions (RabbitMQ, "Access Control", table of operations): to consume takes *read* on the queue; to publish takes
*write* on the exchange, and the default exchange is checked as ``amq.default``; to look at a queue's depth, by a
passive declaration, takes none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.cluster.message import queue_of

NOTHING = "^$"
DRIVER = "dmsa-driver"
"""The user of runners that drive."""


def user_of(site: str) -> str:
    """Return the user of a site's runners."""
    return f"dmsa-{site}"


def definitions(sites: Sequence[str], vhost: str) -> Mapping[str, Any]:
    """Return the definitions for these sites: each one's user reads its own queue, the driver's writes to them all."""
    return {
        "vhosts": [{"name": vhost}],
        "queues": [
            {
                "name": queue_of(site),
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-queue-type": "classic"},
            }
            for site in sites
        ],
        "permissions": [
            _permission(DRIVER, vhost, write=r"^amq\.default$"),
            *(_permission(user_of(site), vhost, read=f"^{re.escape(queue_of(site))}$") for site in sites),
        ],
    }


def _permission(user: str, vhost: str, *, write: str = NOTHING, read: str = NOTHING) -> Mapping[str, str]:
    return {"user": user, "vhost": vhost, "configure": NOTHING, "write": write, "read": read}
