"""The calls of a wave through pypsrp by hand: what an engineer would write for one evening. No part of the product.

    python -m tests.bench.bare CALLS.json

A pool of threads, one :class:`RunspacePool` for each host and four for a domain controller, opened once and used for
all of its calls in their order, each call a pipeline of the same cmdlets with the same parameters. Nothing is
remembered, decided or read back beyond what is in the list; an error is counted, and the next call made. The longest
lists begin first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

LANES = 4
"""As many sessions as the product has with one domain controller."""
_MAKING = Lock()
"""pypsrp registers its XML namespaces anew for each client, which two threads must not do at once."""


def main() -> None:
    """Make all calls; print how many ended in an error."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    lists = sorted(_in_lanes(given["calls"]), key=lambda one: -len(one[1]))
    with ThreadPoolExecutor(given["threads"]) as threads:
        failed = threads.map(lambda one: _on(given, *one), lists)
        print(json.dumps({"failed": sum(failed)}))


def _in_lanes(calls: dict[str, list[Any]]) -> Iterator[tuple[str, list[Any]]]:
    for host, pipelines in calls.items():
        lanes = LANES if host.startswith("dc") else 1
        yield from ((host, pipelines[lane::lanes]) for lane in range(lanes))


def _on(given: dict[str, Any], host: str, pipelines: list[Any]) -> int:
    address, port = given["addresses"][host].rsplit(":", 1)
    with _MAKING:
        wsman = WSMan(
            address,
            port=int(port),
            username=given["username"],
            password=given["password"],
            auth="basic",
            ssl=True,
            cert_validation=given["ca"],
            no_proxy=True,
        )
    failed = 0
    with wsman, RunspacePool(wsman) as pool:
        for statements in pipelines:
            powershell = PowerShell(pool)
            for commands in statements:
                if powershell.commands:
                    powershell.add_statement()
                for name, parameters, arguments in commands:
                    powershell.add_cmdlet(name)
                    powershell.add_parameters(parameters)
                    for argument in arguments:
                        powershell.add_argument(argument)
            try:
                powershell.invoke()
                failed += powershell.had_errors
            except Exception as error:  # noqa: BLE001 - as scripts do: say so, and go on
                failed += 1
                print(f"{host}: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    main()
