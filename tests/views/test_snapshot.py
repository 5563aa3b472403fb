"""The snapshots as people and programs read them."""

import jsonschema
import pytest

from orchestrator.model.lifecycle import Phase, Way
from orchestrator.views.snapshot import snapshot_document, snapshot_schema, snapshot_text
from tests.world import World

VALIDATOR = jsonschema.Draft202012Validator(snapshot_schema())


@pytest.fixture(scope="module")
def world() -> World:
    world = World("plans/one-account.yaml", "plans/estates/one-account.yaml")
    world.run()
    world.ask_back(Way.ROLLBACK)
    world.run()
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}
    return world


def document(world: World, chosen: tuple[str, ...] = ("dmsa-mail",)) -> dict:
    found = snapshot_document(world.state(), world.plan, world.digest, chosen)
    VALIDATOR.validate(found)
    return found


def facts(listed: list[dict]) -> dict[tuple[str, str], object]:
    return {(one["object"], one["name"]): one["value"] for one in listed}


def test_it_holds_both_times_and_what_was_found_at_the_end(world):
    (one,) = document(world)["snapshots"]
    before, later = facts(one["facts"]), facts(one["before_complete"]["facts"])
    assert before["account", "servicePrincipalName"] == ["SMTP/mail01.corp.example"]
    assert before["host mail01.corp.example", "DelegatedMSAEnabled"] is None
    assert later["host mail01.corp.example", "DelegatedMSAEnabled"] == 1
    assert later["dmsa", "msDS-DelegatedMSAState"] == 1
    assert before["host mail01.corp.example", "log-on name of service MailRelay"] == r"CORP\svc-mail"
    assert before["container OU=Service Accounts,DC=corp,DC=example", "nTSecurityDescriptor"].startswith("O:")
    assert {each["verdict"] for each in one["compared"]["differences"]} == {"declared"}
    assert one["compared"]["equal"] > 10


def test_people_read_each_fact_below_its_object(world):
    text = snapshot_text(document(world))
    assert "  host mail01.corp.example\n" in text
    assert "    DelegatedMSAEnabled: unset\n      before Complete: 1\n" in text
    assert "(declared: it was created, and is not ours to" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_has_no_snapshot_yet_is_said_so():
    world = World("plans/one-account.yaml", "plans/estates/one-account.yaml")
    assert document(world) == {"plan": "one-account", "digest": world.digest, "snapshots": []}
    assert "no snapshot yet" in snapshot_text(document(world))


def test_only_what_was_chosen(world):
    assert document(world, ())["snapshots"] == []
