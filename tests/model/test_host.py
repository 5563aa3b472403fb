"""What an answer about a host says: services, tasks, pools, and the switch."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.merge import merge
from orchestrator.model.call import Read, cmdlet
from orchestrator.model.host import (
    KERBEROS_PARENT,
    HostSeen,
    host_reads,
    host_seen,
    parent_read,
    process_reads,
    services_read,
    split_task,
    wql_or,
)
from orchestrator.model.log_on import POOLS, pool_log_ons
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable
from orchestrator.model.plan import Host
from tests.reading import FarSide

AT = datetime(2026, 3, 2, tzinfo=UTC)
NAME = "app01.corp.example"


def seen(host: dict | None = None, more: tuple[Read, ...] = (), **facts: object) -> HostSeen:
    """Return the host as the engine would ask for it."""
    asked = Host.model_validate({"name": NAME, **(host or {})})
    far = FarSide({"hosts": {"app01": facts}}, {"app01": asked.services}, AT)
    reads = merge((*host_reads(asked), *more))
    return host_seen(NAME, [(read, far.reply(read)) for read in reads])


def test_itself():
    found = seen()
    assert (found.build, found.computer_name, found.in_domain) == (26100, "APP01", True)
    assert (found.local_time, found.key_exists, found.value, found.enabled) == (AT, True, None, False)


@pytest.mark.parametrize(
    "missing", ["BuildNumber", "LocalDateTime", "LastBootUpTime", "Domain", "PartOfDomain", "Name"]
)
def test_a_property_that_is_missing_is_never_a_default(missing):
    with pytest.raises(Unreadable, match=missing):
        seen(system={missing: "(absent)"})


def test_a_time_must_be_a_time():
    with pytest.raises(Unreadable, match="LocalDateTime is not a time"):
        seen(system={"LocalDateTime": "yesterday"})


@pytest.mark.parametrize(("value", "enabled"), [(1, True), (0, False), (None, False), ("1", False), (2, False)])
def test_only_the_dword_1_enables(value, enabled):
    assert seen(value=value).enabled is enabled


def test_two_paths_are_told_apart():
    found = seen(more=(parent_read(NAME),), key=False, parent=True)
    assert (found.key_exists, found.parent_exists) == (False, True)
    assert seen(key=False).parent_exists is None


def test_a_path_that_got_two_answers_is_not_understood():
    read = Read(NAME, (cmdlet("Test-Path", LiteralPath=KERBEROS_PARENT),))
    twice = Reply(Outcome.SUCCEEDED, (Record("System.Boolean", {"": True}), Record("System.Boolean", {"": False})))
    far = FarSide({}, {}, AT)
    replies = [(one, far.reply(one)) for one in host_reads(Host(name=NAME))]
    with pytest.raises(Unreadable, match="did not say whether"):
        host_seen(NAME, [*replies, (read, twice)])


def test_services_are_found_in_any_spelling():
    found = seen({"services": ["app"]}, services={"app": {"Name": "APP", "dependents": ["Cache"]}})
    assert found.services["app"].name == "APP"
    assert found.services["app"].dependents is None or found.services["app"].running


def test_dependents_arrive_as_names_or_as_objects():
    for shape in (["Cache"], [{"Name": "Cache", "Status": 4}], "Cache"):
        found = seen({"services": ["App"]}, services={"App": {"dependents": shape}})
        assert found.services["app"].dependents == ("Cache",)
    assert seen({"services": ["App"]}).services["app"].dependents == ()


def test_a_type_name_is_no_service():
    """What a nested object becomes when it does not survive serialisation."""
    with pytest.raises(Unreadable, match="came back without names"):
        seen({"services": ["App"]}, services={"App": {"dependents": ["System.ServiceProcess.ServiceController"]}})


def test_a_service_that_is_not_there_is_not_there():
    assert seen({"services": ["App", "Other"]}, services={"Other": None}).services.keys() == {"app"}


def test_processes_belong_to_services_by_their_number():
    more = (process_reads(NAME, [100]),)
    found = seen({"services": ["App"]}, more, services={"App": {"started": AT}})
    assert found.processes == {found.services["app"].pid: AT}


def test_tasks():
    task = {"path": r"\Reports\Nightly"}
    run = {"State": "Ready", "LastRunTime": AT, "LastTaskResult": 1326, "NextRunTime": None}
    found = seen({"tasks": [task]}, tasks={r"\Reports\Nightly": run}).tasks[r"\reports\nightly"]
    assert (found.state, found.last_run, found.last_result, found.next_run) == ("Ready", AT, 1326, None)
    assert not seen({"tasks": [task]}, tasks={r"\Reports\Nightly": None}).tasks


def test_pools_are_told_apart_although_each_answer_is_a_bare_word():
    found = seen({"app_pools": ["Portal", "Api"]}, pools={"Portal": "Stopped", "Api": "Started"})
    assert found.app_pools == {"portal": "Stopped", "api": "Started"}


def test_a_reply_that_did_not_come_is_unreadable():
    far = FarSide({"refused": ["Get-ItemProperty"]}, {}, AT)
    with pytest.raises(Unreadable, match="Access is denied"):
        host_seen(NAME, [(read, far.reply(read)) for read in host_reads(Host(name=NAME))])


def test_what_was_never_asked_is_unreadable():
    with pytest.raises(Unreadable, match="did not answer for Win32_OperatingSystem"):
        host_seen(NAME, [])


@pytest.mark.parametrize(
    ("path", "parts"),
    [(r"\Nightly", ("\\", "Nightly")), (r"\A\B\C", ("\\A\\B\\", "C"))],
)
def test_a_task_s_folder_and_name(path, parts):
    assert split_task(path) == parts


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4))
def test_a_quote_in_a_name_stays_a_name(names):
    """Read back as WQL reads it: outside quotes there are only the attribute and OR."""
    outside, inside, escaped = "", False, False
    for character in wql_or("Name", names):
        if inside and escaped:
            escaped = False
        elif inside and character == "\\":
            escaped = True
        elif character == "'":
            inside = not inside
        elif not inside:
            outside += character
    assert outside == " OR ".join(["Name="] * len(names))
    assert not inside


def test_dependents_are_read_in_a_stable_order():
    assert services_read(NAME, {"b", "a"}) == services_read(NAME, ["a", "b"])


def test_pools_of_which_nobody_tells_do_not_hide_the_host():
    far = FarSide({"refused": ["Get-WebConfigurationProperty"]}, {}, AT)
    found = far.seen("dmsa-app", (*host_reads(Host(name=NAME)), Read(NAME, (POOLS,))))
    assert found.host(NAME).build == 26100
    with pytest.raises(Unreadable, match="Access is denied"):
        pool_log_ons(found, NAME)
