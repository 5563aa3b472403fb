"""The orchestrator's session understands what real Windows once answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.model.call import Read, cmdlet
from tests.conformance.answers import HOST, carried, has_pipeline
from tests.conformance.recordings import recordings

PINNED = yaml.safe_load(Path(__file__).with_name("answers.yaml").read_text(encoding="utf-8"))
READ = Read(HOST, (cmdlet("Get-Service", Name="ErpApi"),))

pytestmark = pytest.mark.service


def test_every_recording_with_a_pipeline_is_pinned():
    assert {each.name for each in recordings("test_psrp_*") if has_pipeline(each)} == PINNED.keys()


@pytest.mark.filterwarnings("ignore:Failed to deserialize msg")  # pypsrp's, at an information record of a newer form
@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_recorded_reply_is_understood(name):
    (recording,) = recordings(f"test_{name}")
    reply = carried(recording, READ)
    found = {"outcome": reply.outcome.value, "objects": len(reply.records)}
    if reply.errors:
        found["errors"] = [error.exception for error in reply.errors]
    if reply.fault:
        found["fault"] = reply.fault.code
    assert found == PINNED[name]
