"""The unmodified pypsrp client over TLS: pools, pipelines, streams, and what they cost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import TaggedValue
from pypsrp.shell import WinRS

from orchestrator.lab.command import Command, LabError, LabObject, Result
from tests.patience import PATIENCE

CREATE, RECEIVE, COMMAND, DELETE, SIGNAL = "Create", "Receive", "Command", "Delete", "Signal"
DENIED = LabError(
    id="Access denied,Microsoft.ActiveDirectory.Management.Commands.SetADUser",
    category="PermissionDenied",
    exception="System.UnauthorizedAccessException",
    message="Insufficient access rights <to> perform the operation",
    target="CN=svc,DC=corp,DC=example",
    cmdlet="Set-ADUser",
)


def element(tag: str, text: str) -> ET.Element:
    made = ET.Element(tag)
    made.text = text
    return made


def test_a_pool_costs_three_requests_and_an_invocation_two_more(far):
    pool = far.pool()
    assert far.engine.operations == [CREATE, RECEIVE, RECEIVE]
    assert pool.state == RunspacePoolState.OPENED

    far.engine.operations.clear()
    far.invoke(("Get-ADRootDSE", {}), pool=pool)
    assert far.engine.operations == [COMMAND, RECEIVE]

    far.engine.operations.clear()
    pool.close()
    assert far.engine.operations == [DELETE]
    assert far.engine.discarded == [UUID(pool.id)]


GIVEN = {
    "text": ("svc-erp", "svc-erp"),
    "hostile": ("a_x000A_\x00\n'\"<&>\U0001f600", "a_x000A_\x00\n'\"<&>\U0001f600"),
    "empty": ("", ""),
    "flag": (True, True),
    "off": (False, False),
    "nothing": (None, None),
    "number": (-7, -7),
    "large": (element("I64", str(2**40)), 2**40),
    "fraction": (element("Db", "0.5"), 0.5),
    "guid": (UUID(int=7), UUID(int=7)),
    "bytes": (b"\x00\xff", b"\x00\xff"),
    "list": (["a", 1, None], ["a", 1, None]),
    "table": ({"Add": ["HTTP/x"], "n": {"k": False}}, {"Add": ["HTTP/x"], "n": {"k": False}}),
    "moment": (element("DT", "2026-11-21T01:02:03.5Z"), datetime(2026, 11, 21, 1, 2, 3, 500000, UTC)),
    "zoneless": (element("DT", "2026-11-21T01:02:03"), datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)),
    "duration": (element("TS", "P1DT30S"), timedelta(days=1, seconds=30)),
    "version": (element("Version", "10.0.26100"), "10.0.26100"),
    "char": (element("C", "97"), "a"),
}


def test_parameters_of_every_kind_arrive_as_python_values(far):
    far.invoke(("Set-ADUser", {name: sent for name, (sent, _) in GIVEN.items()}))
    (request,) = far.engine.seen
    ((command,),) = request.statements
    assert command.parameters == {name: expected for name, (_, expected) in GIVEN.items()}
    for name, (_, expected) in GIVEN.items():
        assert type(command.parameters[name]) is type(expected), name


def test_a_request_says_who_asks_what_of_whom(far):
    pool = far.pool(configuration_name="DmsaMigration")
    shell = far.invoke(("Get-ADUser", {"Identity": "svc"}), ("Get-Service", {}), pool=pool)
    (request,) = far.engine.seen
    assert request.host == "dc01.corp.example"
    assert request.principal == "CORP\\operator"
    assert request.configuration == "DmsaMigration"
    assert (request.shell, request.pipeline) == (UUID(pool.id), UUID(shell.id))
    assert request.statements == ((Command("Get-ADUser", {"Identity": "svc"}),), (Command("Get-Service"),))


def test_statements_pipes_and_bare_arguments_keep_their_shape(far):
    shell = PowerShell(far.pool())
    shell.add_cmdlet("Get-ADObject").add_cmdlet("Select-Object").add_parameter("ExpandProperty", "x")
    shell.add_statement().add_cmdlet("wevtutil").add_argument("sl").add_argument("/e:true")
    shell.invoke()
    assert far.engine.seen[0].statements == (
        (Command("Get-ADObject"), Command("Select-Object", {"ExpandProperty": "x"})),
        (Command("wevtutil", {"0": "sl", "1": "/e:true"}),),
    )


def test_a_parameter_given_twice_is_not_lost(far):
    shell = PowerShell(far.pool()).add_cmdlet("Get-Service")
    shell.add_parameter("Name", "a").add_parameter("Name", "b").invoke()
    assert far.engine.seen[0].statements[0][0].parameters == {"Name": "a", "Name (1)": "b"}


def test_objects_come_back_with_types_text_and_both_kinds_of_properties(far):
    types = ("Microsoft.ActiveDirectory.Management.ADUser", "Microsoft.ActiveDirectory.Management.ADEntity")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    values = {
        "Name": "svc",
        "Enabled": True,
        "ObjectGUID": UUID(int=9),
        "Changed": moment,
        "For": timedelta(seconds=30),
    }
    user = LabObject(types, values | {"Note": 2**40}, "CN=svc,DC=corp", frozenset({"Note"}))
    far.engine.does = lambda _: Result(output=(user, True, "text", 5, None, ["a", 1], {"k": "v"}, UUID(int=3)))
    first, *rest = far.invoke(("Get-ADUser", {})).output
    assert first.types == [*types, "System.Object"]
    assert first.to_string == "CN=svc,DC=corp"
    shown = values | {"Changed": "2026-01-02T03:04:05Z", "For": "PT30S"}
    assert first.adapted_properties == shown
    assert first.extended_properties == {"Note": 2**40}
    assert rest == [True, "text", 5, None, ["a", 1], {"k": "v"}, UUID(int=3)]


def test_several_values_of_an_attribute_come_as_the_collection_of_the_ad_module(far):
    entity = ("Microsoft.ActiveDirectory.Management.ADEntity", "System.Object")
    far.engine.does = lambda _: Result(output=(LabObject(entity, {"servicePrincipalName": ["HTTP/a", "HTTP/b"]}),))
    (found,) = far.invoke(("Get-ADObject", {})).output
    values = found.adapted_properties["servicePrincipalName"]
    assert values.types[0] == "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection"
    assert values.property_sets == ["<LST><S>HTTP/a</S><S>HTTP/b</S></LST>"]


def test_an_error_that_does_not_end_the_pipeline_is_in_the_error_stream(far):
    far.engine.does = lambda _: Result(output=(1,), errors=(DENIED,))
    shell = far.invoke(("Set-ADUser", {}))
    assert (shell.state, shell.had_errors, shell.output) == (PSInvocationState.COMPLETED, False, [1])
    (error,) = shell.streams.error
    assert str(error) == DENIED.message
    assert (error.fq_error, error.category, error.activity) == (DENIED.id, 18, "Set-ADUser")
    assert (error.reason, error.target_name, error.target_type) == (
        "UnauthorizedAccessException",
        DENIED.target,
        "String",
    )
    assert error.exception.types[0] == DENIED.exception
    assert error.exception.adapted_properties["Message"] == DENIED.message


def test_an_error_that_ends_the_pipeline_leaves_it_failed(far):
    far.engine.does = lambda _: Result(output=(1,), failure=DENIED)
    shell = far.invoke(("Set-ADUser", {}))
    assert (shell.state, shell.had_errors, shell.output) == (PSInvocationState.FAILED, True, [1])
    assert [each.fq_error for each in shell.streams.error] == [DENIED.id]


def test_a_defect_of_the_estate_is_told_and_not_taken_for_success(far, caplog):
    def broken(_):
        raise ZeroDivisionError("oops")

    far.engine.does = broken
    shell = far.invoke(("Get-ADUser", {}))
    assert shell.state == PSInvocationState.FAILED
    assert "oops" in str(shell.streams.error[0])
    assert "the estate failed" in caplog.text
    assert far.engine.open_calls == 0


@pytest.mark.parametrize("how", ["script", "block", "nested block"])
def test_script_text_is_marked_as_such(far, how):
    shell = PowerShell(far.pool())
    block = element("SBK", "Remove-ADUser svc")
    match how:
        case "script":
            shell.add_script("Remove-ADUser svc")
        case "block":
            shell.add_cmdlet("Where-Object").add_parameter("FilterScript", block)
        case _:
            shell.add_cmdlet("Set-ADUser").add_parameter("Replace", {"a": [block]})
    shell.invoke()
    assert far.engine.seen[0].statements[0][0].is_script


def test_a_script_without_parameters_is_its_text(far):
    PowerShell(far.pool()).add_script("Get-Date; Get-Date").invoke()
    assert far.engine.seen[0].statements == ((Command("Get-Date; Get-Date", {}, is_script=True),),)


def test_objects_fed_to_a_pipeline_are_waited_for(far):
    shell = PowerShell(far.pool()).add_cmdlet("Set-ADUser")
    shell.invoke(input=(each for each in (["a", "b"], ["c"])))
    assert far.engine.seen[0].statements[0][0].parameters == {"InputObject": ["a", "b", "c"]}


def test_command_metadata_is_asked_for_as_get_command(far):
    far.engine.does = lambda _: Result(
        output=(
            LabObject(
                ("Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo",), {"Count": 0}, None, frozenset({"Count"})
            ),
        )
    )
    assert far.pool().get_command_metadata("Get-*") == []
    assert far.engine.seen[0].statements == ((Command("Get-Command", {"Name": ["Get-*"]}),),)


def test_much_goes_in_and_much_comes_out(far):
    far.engine.does = lambda request: Result(output=tuple(request.statements[0][0].parameters.values()) * 3)
    text = "0123456789abcdef" * 60_000
    assert far.invoke(("Set-ADUser", {"Description": text})).output == [text] * 3


def test_twenty_pipelines_at_once_each_get_their_own_answer(far):
    together = threading.Barrier(20, timeout=PATIENCE)

    def echo(request):
        together.wait()
        return Result(output=(request.statements[0][0].parameters["N"],))

    far.engine.does = echo
    pools = [far.pool(far.client(host)) for host in ("dc01.corp.example", "app01.corp.example") for _ in range(5)]
    # Begun and read by one thread: pypsrp keeps the references of what it writes or reads in the pool, for all threads.
    begun = [PowerShell(pools[number // 2]).add_cmdlet("Get-Thing").add_parameter("N", number) for number in range(20)]
    for pipeline in begun:
        pipeline.begin_invoke()
    assert [pipeline.end_invoke() for pipeline in begun] == [[number] for number in range(20)]
    assert far.engine.open_calls == 0


def test_a_slow_command_keeps_nobody_waiting_and_counts_as_open(far):
    begun, go = threading.Event(), threading.Event()

    def wait(request):
        if request.statements[0][0].name == "Slow":
            begun.set()
            go.wait(PATIENCE)
        return Result(output=(request.statements[0][0].name,))

    far.engine.does = wait
    slow = PowerShell(far.pool()).add_cmdlet("Slow")
    slow.begin_invoke()
    assert begun.wait(PATIENCE)
    assert far.engine.open_calls == 1
    assert far.invoke(("Quick", {})).output == ["Quick"]
    go.set()
    assert slow.end_invoke() == ["Slow"]


def test_a_receive_without_news_times_out_and_the_data_come_later(far):
    go = threading.Event()
    far.engine.does = lambda _: Result(output=("late",)) if go.wait(PATIENCE) else Result()
    shell = PowerShell(far.pool(far.client(operation_timeout=1))).add_cmdlet("Slow")
    shell.begin_invoke()
    with pytest.raises(WSManFaultError) as fault:
        shell.runspace_pool._receive(shell.id)
    assert fault.value.code == 2150858793
    assert shell.output == []
    go.set()
    assert shell.end_invoke() == ["late"]


def test_a_stopped_pipeline_says_so_and_its_outcome_is_not_told(far):
    go = threading.Event()
    far.engine.does = lambda _: Result(output=("late",)) if go.wait(PATIENCE) else Result()
    shell = PowerShell(far.pool()).add_cmdlet("Slow")
    shell.begin_invoke()
    shell.runspace_pool.shell.signal("powershell/signal/ctrl_c", shell.id)
    shell.end_invoke()
    go.set()
    assert shell.state == PSInvocationState.STOPPED
    assert shell.streams.error[0].fq_error == "PipelineStopped"
    assert far.invoke(("Quick", {}), pool=shell.runspace_pool).output == ["late"]


def test_a_closed_pipeline_may_run_again_under_its_id(far):
    far.engine.does = lambda _: Result(output=(len(far.engine.seen),))
    shell = far.invoke(("Get-Thing", {}))
    shell.close()
    assert far.engine.operations[-1] == SIGNAL
    shell.clear_streams()
    assert shell.invoke() == [2]


def test_a_pipeline_that_was_not_closed_may_not(far):
    shell = far.invoke(("Get-Thing", {}))
    with pytest.raises(WSManFaultError) as fault:
        shell.invoke()
    assert fault.value.code == 87
    assert len(far.engine.seen) == 1


def test_the_pool_answers_for_itself(far):
    pool = far.pool(min_runspaces=1, max_runspaces=3)
    assert pool.get_available_runspaces() == 3
    pool.max_runspaces = 4
    pool.min_runspaces = 2
    assert (pool.max_runspaces, pool.min_runspaces) == (4, 2)
    pool.reset_runspace_state()
    assert pool.protocol_version == "2.3"


def test_application_arguments_and_secure_strings_are_understood(far):
    pool = RunspacePool(far.client())
    pool.open({"who": "test"})
    pool.exchange_keys()
    far.invoke(("Set-Thing", {"Secret": TaggedValue("SS", "s3cret")}), pool=pool)
    assert far.engine.seen[0].statements[0][0].parameters == {"Secret": "s3cret"}


def test_is_alive_tells_a_living_shell_from_one_that_is_gone(far):
    pool = far.pool()
    assert pool.is_alive()
    twin = RunspacePool(pool.connection)
    twin.id = twin.shell.id = pool.id
    twin.shell.opened, twin.shell._selector_set, twin.state = True, pool.shell._selector_set, RunspacePoolState.OPENED
    twin.close()
    assert not pool.is_alive()


def test_an_unknown_shell_and_an_unknown_command_are_faults(far):
    pool = far.pool()
    with pytest.raises(WSManFaultError) as fault:
        pool.shell.receive("stdout", command_id="D1BF48DA-B26C-4F4A-BE52-B382AC20DD1F")
    assert fault.value.code == 2150858843
    assert "command identifier that does not exist" in fault.value.reason
    pool.shell._selector_set.values = [("ShellId", str(UUID(int=1)), {})]
    with pytest.raises(WSManFaultError) as fault:
        pool.close()
    assert fault.value.code == 2150858843
    assert "invalid selectors" in fault.value.reason


def test_deleting_a_shell_ends_its_pipelines(far):
    go = threading.Event()
    far.engine.does = lambda _: go.wait(PATIENCE) and Result()
    pool = far.pool()
    shell = PowerShell(pool).add_cmdlet("Slow")
    shell.begin_invoke()
    second = far.client()
    second.session_id = pool.connection.session_id
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(shell.poll_invoke)
        while far.engine.operations[-1] != RECEIVE:
            go.wait(0.01)
        second.delete(pool.shell.resource_uri, selector_set=pool.shell._selector_set)
        with pytest.raises(WSManFaultError) as fault:
            waiting.result(PATIENCE)
    go.set()
    assert fault.value.code == 2150858843


def test_a_user_has_so_many_shells_and_sees_no_others(far):
    pools = [far.pool() for _ in range(5)]
    with pytest.raises(WSManFaultError) as fault:
        far.pool()
    assert fault.value.code == 2150859173
    other = far.client(username="other")
    assert far.pool(other).state == RunspacePoolState.OPENED
    assert len(RunspacePool.get_runspace_pools(other)) == 1
    with pytest.raises(WSManFaultError):
        other.delete(pools[0].shell.resource_uri, selector_set=pools[0].shell._selector_set)
    assert pools[0].is_alive()


def test_a_resource_that_is_no_powershell_endpoint_is_refused(far):
    with pytest.raises(WSManFaultError) as fault:
        WinRS(far.client()).open()
    assert fault.value.code == 2150858811
