"""The lab's wire answers what clients once asked of real Windows as Windows did, but for a list with reasons."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conformance.recordings import recordings
from tests.conformance.replay import batched, replay

PINNED = yaml.safe_load(Path(__file__).with_name("differences.yaml").read_text(encoding="utf-8"))
BATCHED = "batched"

pytestmark = pytest.mark.service


@pytest.fixture(scope="module", params=range(35))
def conversation(request, tmp_path_factory):
    found = recordings("test_psrp_*")
    assert len(found) == 35
    return found[request.param], replay(found[request.param], tmp_path_factory.mktemp("wire"))


def test_every_reply_is_alike_or_its_difference_has_a_reason(conversation):
    recording, exchanges = conversation
    pinned = PINNED["differences"].get(recording.name, {})
    differs = {each.number: f"Windows {each.windows}, the lab {each.lab}" for each in exchanges if not each.alike}
    assert differs.keys() == pinned.keys(), differs
    assert set(pinned.values()) <= PINNED["why"].keys()
    assert {number for number, why in pinned.items() if why == BATCHED} == batched(exchanges)
