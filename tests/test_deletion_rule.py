"""The deletion rule: no original account is ever deleted, at no level. Here each level is tried, and says why.

The originals stay for ever: services log on with their names, also after Complete, both links stand on them, and they
are the way back. So there is no word for deleting one, moving one away, or disabling one: not in a plan, not on the
command line, not in the catalogue, not past the gate, not on a JEA endpoint. Whoever adds such a word is stopped here,
and by :mod:`tests.remote.test_law` and :mod:`tests.remote.test_deletion_rule`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from orchestrator.cli import app
from orchestrator.engine.outcome import exit_of
from orchestrator.errors import Exit, SafetyRefusal
from orchestrator.lab.jea.role import read_role
from orchestrator.model.action import Answer, Perform
from orchestrator.model.call import Cmdlet, Write
from orchestrator.model.case import Case, Seen
from orchestrator.model.driven import CallRefused
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.planfile import PlanInvalid, parse_plan
from orchestrator.planfile.keys import _places, asks_for_deletion
from orchestrator.remote import law
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.jea import roles
from orchestrator.remote.rows import Effect
from orchestrator.remote.searches import SEARCHES
from orchestrator.steps import STEPS
from orchestrator.steps.start import Start
from tests import hostile_plans
from tests.endpoints import DOMAIN, files, plan
from tests.world import DC, World

ROOT = Path(__file__).parent.parent
BECAUSE = "original accounts are never deleted"
DESTROYS = ("Remove-", "Disable-", "Clear-", "Move-", "Rename-", "Stop-", "Uninstall-", "Unregister-", "Invoke-")
GIVES_WAY = {"Remove", "Clear", "Replace", "Enabled", "Instance", "AccountExpirationDate", "OtherAttributes"}


# The plan.


def test_no_key_of_the_plan_asks_for_deletion():
    assert not [key for key in _places() if asks_for_deletion(key)], BECAUSE


@pytest.mark.parametrize("where", [(), ("policy",), ("waves", 0), ("waves", 0, "migrations", 0)], ids=str)
@pytest.mark.parametrize(
    "key", ["delete_original", "removeAccount", "purge", "decommission", "clean_up", "retire", "drop"]
)
def test_a_plan_that_asks_for_it_is_told_that_nobody_can(where, key):
    data = yaml.safe_load((ROOT / "plans" / "one-account.yaml").read_text(encoding="utf-8"))
    place = data.setdefault("policy", {}) if where == ("policy",) else data
    for step in where if where != ("policy",) else ():
        place = place[step]
    place[key] = True
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(yaml.safe_dump(data).encode())
    assert f"{key} asks for deletion: {BECAUSE}, and no plan can ask for it" in str(refused.value)


# The command line.


def _verbs(command: object) -> Iterator[str]:
    for name, inner in getattr(command, "commands", {}).items():
        yield name
        yield from _verbs(inner)
    for parameter in getattr(command, "params", ()):
        yield from (option.strip("-") for option in parameter.opts)


def test_no_verb_or_option_asks_for_deletion():
    assert not [word for word in _verbs(typer.main.get_command(app)) if asks_for_deletion(word)], BECAUSE


# The catalogue, and what LDAP may be asked.


def test_no_row_can_say_it_and_ldap_only_reads():
    assert not [said for row in CATALOGUE.values() for said in law.objections(row)], BECAUSE
    assert {row.effect for row in SEARCHES.values()} == {Effect.READS}, BECAUSE
    writing = {name for name, row in CATALOGUE.items() if row.effect is Effect.WRITES}
    assert not {name for name in writing if name.startswith(DESTROYS)} - {"Remove-ItemProperty"}, BECAUSE
    assert law.WRITING_VERBS.isdisjoint(prefix.rstrip("-") for prefix in DESTROYS), BECAUSE


# The gate: the last look before the wire.


class Traitor(Start):
    """A step that wants the account gone; ``statement`` is how."""

    def __init__(self, statement: Cmdlet) -> None:
        self.statement = statement

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        del seen
        return Perform(Write(case.endpoint, self.statement))


WAYS = (
    Cmdlet("Remove-ADUser", {"Identity": "CN=svc-report,OU=Service Accounts,DC=corp,DC=example", "Server": DC}),
    Cmdlet("Disable-ADAccount", {"Identity": "CN=svc-report,OU=Service Accounts,DC=corp,DC=example", "Server": DC}),
    Cmdlet("Set-ADObject", {"Identity": "CN=a,DC=b", "ProtectedFromAccidentalDeletion": False, "Server": DC}),
    Cmdlet("Set-ADUser", {"Identity": "CN=a,DC=b", "Enabled": False, "Server": DC}),
    Cmdlet("Remove-ItemProperty", {"LiteralPath": r"AD:\CN=svc-report,DC=corp,DC=example", "Name": "*"}),
)


@pytest.mark.parametrize("statement", WAYS, ids=str)
def test_a_step_that_wants_it_is_stopped_before_the_wire_with_exit_8_and_a_row_in_the_journal(statement, monkeypatch):
    world = World()
    monkeypatch.setitem(STEPS, Trigger.START, Traitor(statement))
    with pytest.raises(SafetyRefusal, match="safety rule") as refused:
        world.run()
    assert refused.value.exit_code == Exit.REFUSED == 8
    (row,) = [event for event in world.events() if isinstance(event, CallRefused)]
    assert row.detail == str(refused.value)
    assert exit_of(world.state(), world.plan) is Exit.REFUSED
    assert not [one for one in world.arrived(statement.name) if one == statement.parameters], "nothing was sent"
    for id_ in world.ids:
        assert world.far_side.has_account(id_, DC)


def test_the_gate_stands_in_front_of_every_wire():
    """Each transport asks it once more itself; a new one that does not is found here."""
    room = ROOT / "orchestrator" / "remote"
    texts = {path.name: path.read_text(encoding="utf-8") for path in room.glob("*.py")}
    a_transport = re.compile(r"^class \w+Transport\b(?!\(Protocol)", re.MULTILINE)
    transports = {name for name, text in texts.items() if a_transport.search(text)}
    assert transports == {"psrp.py", "ldap.py"}
    for name in transports:
        assert "gate.check(call)" in texts[name], BECAUSE


# JEA: what an endpoint shows.


ONLY_READS = ("Get-", "Export-ScheduledTask")
"""What may be shown with all of its parameters: whatever they are given, it reads (Microsoft Learn, ScheduledTasks)."""


@pytest.mark.parametrize("name", ["quickstart", "programme", "web-farm", "probe", "erp"])
def test_no_role_shows_a_command_that_could(name):
    shown = {file: text for file, text in files(roles(plan(name), DOMAIN), name).items() if file.endswith(".psrc")}
    assert shown
    for file, text in shown.items():
        role = read_role(text, file)
        for command in (*role.cmdlets.values(), *role.functions.values()):
            assert not command.name.startswith(DESTROYS) or command.name == "Remove-ItemProperty", f"{file}: {BECAUSE}"
            bare = command.parameters is None
            assert not bare or command.name.startswith(ONLY_READS) or command.name.lower() in role.defined, command.name
            assert GIVES_WAY.isdisjoint(command.parameters or {}), f"{file}: {command.name}: {BECAUSE}"


# Plans that chance writes: a sample of ``python -m tests.bench.deletion_rule``.


def test_what_hostile_plans_get_said_is_of_the_catalogue_and_leaves_every_object_where_it_was():
    chance, came = random.Random(23), []
    while len(came) < 15:
        raw, spec = hostile_plans.drawn(chance)
        accepted = hostile_plans.accepted(raw)
        if accepted is not None:
            came.append(hostile_plans.driven(accepted, spec, back=len(came) % 2 == 0))
            assert not came[-1].wrong, raw
    assert {one.phase for one in came} >= {Phase.COMPLETED, Phase.PLANNED}, "some get far, some nowhere"
    assert sum(one.writes for one in came) > 50
