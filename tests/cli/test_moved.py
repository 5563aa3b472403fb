"""The account is moved to another container while Start and Complete are on their way, over the real wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.record import read_estate
from tests.cli.desk import DC, counted, record
from tests.cli.inside import DMSA, WRITES, inside

START, COMPLETE = (f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete"))
HERE = "CN=svc-batch,OU=Service Accounts,DC=corp,DC=example"
THERE = "CN=svc-batch,OU=Managed,DC=corp,DC=example"


@pytest.mark.parametrize("cmdlet", [START, COMPLETE])
def test_it_is_found_by_its_guid(tmp_path: Path, cmdlet: str) -> None:
    moved: dict[str, Any] = {
        "kind": "object-moved",
        "dn": HERE,
        "to": THERE.partition(",")[2],
        "when": {"cmdlet": cmdlet},
    }
    with inside(tmp_path, moved) as place:
        ended = place.dmsa("run")
        assert ended.exit_code == 0, ended.output
        assert place.sessions() == {}
    directory: Any = read_estate(place.lab).describe()["directory"]
    assert directory[DC][THERE]["msDS-SupersededServiceAccountState"] == 2
    assert HERE not in directory[DC]
    effective = [
        row for row in record(place.lab) if row["cmdlet"] in {START, COMPLETE} and row["outcome"] == "succeeded"
    ]
    assert [row["cmdlet"] for row in effective] == [START, COMPLETE]
    assert effective[-1]["parameters"]["SupersededAccount"] in {HERE, THERE}
    assert sum(counted(place.lab).values()) in {sum(WRITES.values()), sum(WRITES.values()) + 1}, DMSA
