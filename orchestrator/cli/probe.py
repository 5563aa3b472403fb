"""``probe-windows``: what does this Windows do where no document says? Asked of a disposable pair, by trying."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    DEFAULT_JOURNAL,
    JournalPlace,
    Json,
    LogFormat,
    Only,
    PlanFile,
    Verbose,
    as_typed,
)

if TYPE_CHECKING:
    from orchestrator.clock import EstateClock
    from orchestrator.model.plan import Plan
    from orchestrator.planfile import Loaded
    from orchestrator.probe import Subject
    from orchestrator.remote.psrp import PsrpTransport


def probe_windows(
    plan: PlanFile,
    only: Only = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes: this pair is disposable.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The result; default: <plan>.probe.yaml.")
    ] = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Ask Windows what no document says, on a disposable pair (drill: true) in a test forest; write the answers down.

    Its answers under "switches" are what an estate file takes, so that the lab does what was seen. At the end the pair
    is unlinked and the account as it was found; after an interruption the same command begins with the way back.

    Exit codes: 0 asked, 4 a person is needed, 5 not everything was asked, 6 another runner drives.

    Example: dmsa probe-windows plans/probe.yaml --yes
    """
    from orchestrator.cli.inquire import Record, conclude
    from orchestrator.cli.logs import configure
    from orchestrator.cli.result_file import found_before
    from orchestrator.cli.signals import Signals
    from orchestrator.planfile import load_plan
    from orchestrator.probe import Inquiry
    from orchestrator.views.output import say
    from orchestrator.views.probe import intention

    configure(verbose, log_format)
    loaded = load_plan(plan)
    id_ = chosen(loaded.plan, only)
    if not json:
        say(intention(loaded.plan, id_))
    if not yes:
        raise typer.BadParameter("nothing was done; say --yes if this is what you want")
    file = output or Path(f"{loaded.plan.name}.probe.yaml")
    options = [*(["--only", only] if only else []), "--yes", *(["--output", str(output)] if output else [])]
    again = f"dmsa probe-windows {as_typed(plan, journal)} {shlex.join(options)}"
    signals = Signals()
    with signals.heard(), _pair(loaded, journal, id_) as (resolved, transport, clock):
        subject = subject_of(resolved, id_)
        inquiry = Inquiry(subject, found_before(file, subject))
        record = Record(inquiry, loaded.digest, file, again, clock, quiet=json)
        with signals.stopping(lambda: None):
            record.fill(transport, resolved.policy_of(id_), lambda: bool(signals.number))
    raise typer.Exit(conclude(record, signals.number, as_json=json))


def chosen(plan: Plan, only: str | None) -> str:
    """Return the one disposable pair that is meant.

    Raises:
        InputInvalid: there is none, it is not one, or it is not marked as disposable.
    """
    from orchestrator.cli.selection import select
    from orchestrator.errors import InputInvalid

    named = select(plan, only)
    disposable = [id_ for id_ in named if plan.migration(id_).drill]
    if not disposable:
        raise InputInvalid(
            f"{', '.join(named[:20])}: no disposable pair. Nothing was done. Only a migration with `drill: true` may "
            "be probed, for its account is disabled and enabled again and again."
        )
    if len(disposable) > 1:
        raise InputInvalid(f"{plan.name} has {len(disposable)} disposable pairs. Say which: --only {disposable[0]}")
    return disposable[0]


def subject_of(plan: Plan, id_: str) -> Subject:
    """Return the pair of a migration, with all that asking needs to know; the plan's estate is resolved.

    Raises:
        InputInvalid: the plan names no domain controller.
    """
    from fnmatch import fnmatchcase

    from orchestrator.errors import InputInvalid
    from orchestrator.model.call import Cmdlet, Value
    from orchestrator.model.plan import Connection
    from orchestrator.probe import Subject

    migration, directory = plan.migration(id_), plan.estate.directory
    if directory is None:
        raise InputInvalid("the plan names no estate.directory")
    dmsa = migration.dmsa
    parameters: dict[str, Value] = {
        "Name": dmsa.name,
        "DNSHostName": dmsa.dns_host_name,
        "CreateDelegatedServiceAccount": True,
        "KerberosEncryptionType": dmsa.encryption,
        "Description": f"dmsa run {plan.name}",
        "Server": directory.server,
    }
    if dmsa.path:
        parameters["Path"] = dmsa.path
    found = (c for c in plan.estate.connections if fnmatchcase(directory.endpoint.lower(), c.match.lower()))
    connection = next(found, Connection(match="*"))
    plain = connection.configuration == Connection(match="*").configuration
    return Subject(
        plan=plan.name,
        endpoint=directory.endpoint,
        server=directory.server,
        account=migration.account,
        dmsa=dmsa.name,
        create=Cmdlet("New-ADServiceAccount", parameters),
        principals=dmsa.principals,
        host=migration.hosts[0].name,
        delegates=connection.delegate or not plain,
    )


@contextlib.contextmanager
def _pair(loaded: Loaded, place: str, id_: str) -> Iterator[tuple[Plan, PsrpTransport, EstateClock]]:
    """Take the journal's lease, so that no runner moves the pair meanwhile, and reach the estate.

    Raises:
        JournalHeld: a runner drives.
        PersonNeeded: the pair is somewhere in a migration.
    """
    from orchestrator.cli.compose import clock_for, estate_of
    from orchestrator.cli.history import refuse_other_plan, replay
    from orchestrator.cli.selection import this_runner
    from orchestrator.errors import PersonNeeded
    from orchestrator.journal import JournalUnusable, open_journal
    from orchestrator.model.lifecycle import Phase
    from orchestrator.remote.connection import Connections
    from orchestrator.remote.psrp import PsrpTransport

    with contextlib.closing(open_journal(place, create=True)) as journal, contextlib.ExitStack() as afterwards:
        lease = journal.acquire(this_runner())

        def release() -> None:
            with contextlib.suppress(JournalUnusable):
                journal.release(lease)

        afterwards.callback(release)
        state, _ = replay(journal, loaded.plan.name)
        refuse_other_plan(state, loaded)
        if state[id_].phase not in {Phase.PLANNED, Phase.ROLLED_BACK}:
            raise PersonNeeded(
                f"{id_} is {state[id_].phase}. Nothing was done. Only a pair that is not being migrated may be probed: "
                f"`dmsa rollback {as_typed(loaded.path, place)} --only {id_}` comes first."
            )
        resolved = afterwards.enter_context(estate_of(loaded, place))
        transport = PsrpTransport(Connections(resolved.plan.estate, resolved.base).settings)
        afterwards.callback(transport.close)
        yield resolved.plan, transport, clock_for(resolved.plan, transport)
