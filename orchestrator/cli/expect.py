"""``expect`` and ``reconcile``: what a wave writes, for those who watch; and what was written that no step explains."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json, Only, PlanFile, as_typed

if TYPE_CHECKING:
    from orchestrator.expectation import Names, SeenEvent, TimeForm, Told
    from orchestrator.model.plan import Plan
    from orchestrator.model.run import RunState
    from orchestrator.planfile import Loaded

_Wave = Annotated[str | None, typer.Option("--wave", metavar="NAME", help="Only this wave.")]


def expect(
    plan: PlanFile,
    wave: _Wave = None,
    only: Only = None,
    format_: Annotated[
        Literal["text", "csv", "json"], typer.Option("--format", help="How it is written; --json is --format json.")
    ] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file.")] = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
) -> None:
    """Tell what a wave will write and which events that leaves, for those who watch the domain.

    Per step: each change of the directory, old and new, each event, where, by whom and when. With a journal: exact
    values from the snapshot, and what was done already with its times. No network; exits 0.

    Example: dmsa expect plans/quickstart.yaml --wave pilot --format csv -o pilot.csv
    """
    from orchestrator.expectation import expected
    from orchestrator.expectation.history import history
    from orchestrator.planfile import load_plan
    from orchestrator.views.expectation import expectation_csv, expectation_document, expectation_text
    from orchestrator.views.output import say, say_document
    from orchestrator.views.working import working

    loaded = load_plan(plan)
    ids = _chosen(loaded.plan, wave, only)
    with working("reading", quiet=json):
        known = _known(loaded, journal)
        found = expected(known.plan, ids, known.run, history(known.told))
    document = expectation_document(known.plan, loaded.digest, ids, found, known.operator, known.at)
    shape = "json" if json else format_
    if output is not None:
        _write(
            output,
            _as_json(document)
            if shape == "json"
            else {"csv": expectation_csv, "text": expectation_text}[shape](document),
        )
    elif shape == "json":
        say_document(document)
    else:
        say((expectation_csv if shape == "csv" else expectation_text)(document).rstrip("\r\n"))


def reconcile(
    plan: PlanFile,
    events: Annotated[list[Path], typer.Argument(metavar="EVENTS...", help="Exported events: CSV, JSON, XML.")],
    wave: _Wave = None,
    only: Only = None,
    operator: Annotated[
        list[str] | None,
        typer.Option("--operator", metavar="ACCOUNT", help="Whom the runner logs on as; default: the plan's username."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", metavar="FILE", help="CSV or JSON with name, sid, address: who is who."),
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option("--known", metavar="NAME", help="A dMSA that others use rightfully.")
    ] = None,
    privileged: Annotated[
        list[str] | None,
        typer.Option("--privileged", metavar="ACCOUNT", help="An account (DN or name) that no link may name."),
    ] = None,
    not_logged: Annotated[
        list[int] | None,
        typer.Option("--not-logged", metavar="ID", help="An event id that no computer logs beside a step."),
    ] = None,
    computer: Annotated[
        str, typer.Option("--computer", metavar="NAME", help="What logged events that name no computer (event viewer).")
    ] = "",
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help="Zone of times that name none, such as Europe/Berlin.")
    ] = None,
    time_format: Annotated[
        str | None, typer.Option("--time-format", metavar="FORM", help='As strptime has it: "%d.%m.%Y %H:%M:%S".')
    ] = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
) -> None:
    """Hold exported events against what approved steps explain: what is left over, and what is missing.

    With a journal only its attempts explain anything, inside their time and by the runner's account; without one, the
    wave's steps inside its windows. Nothing is asked of any host.

    Exit codes: 0 everything is explained and nothing is missing, 3 a file cannot be understood, 4 a person is needed.

    Example: dmsa reconcile plans/quickstart.yaml security.csv --operator 'CORP\\svc-dmsa'
    """
    from orchestrator.expectation import Case, TimeForm
    from orchestrator.expectation import reconcile as held_against
    from orchestrator.expectation.names import User
    from orchestrator.planfile import load_plan
    from orchestrator.views.output import say, say_document
    from orchestrator.views.reconciliation import reconciliation_document, reconciliation_text
    from orchestrator.views.working import working

    loaded = load_plan(plan)
    ids = _chosen(loaded.plan, wave, only)
    with working("reading the journal", quiet=json):
        there = _known(loaded, journal)
    operators = operator or ([there.operator] if there.operator else [])
    if not operators:
        raise typer.BadParameter(
            "the plan does not say whom the runner logs on as; name the account", param_hint="--operator"
        )
    case = Case(
        plan=there.plan,
        ids=ids,
        operators=tuple(map(User.of, operators)),
        run=there.run,
        told=there.told,
        names=_names(names),
        known=frozenset(known or ()),
        privileged=frozenset(privileged or ()),
        not_logged=frozenset(not_logged or ()),
    )
    form = TimeForm(time_format, _zone(zone))
    with working("reconciling", quiet=json):
        found = held_against(case, [event for file in events for event in _events(file, form, computer)])
    document = reconciliation_document(
        found, there.plan, loaded.digest, ids, operators, journaled=there.run is not None
    )
    say_document(document) if json else say(reconciliation_text(document, as_typed(plan, journal)))
    raise typer.Exit(document["exit"])


@dataclass(frozen=True)
class _Known:
    """A plan with its domain controller named, what its journal tells (None without one), and who the runner is."""

    plan: Plan
    operator: str
    run: RunState | None
    told: tuple[Told, ...]
    at: datetime | None


def _known(loaded: Loaded, place: str) -> _Known:
    from orchestrator.cli.history import open_existing, refuse_other_plan
    from orchestrator.model.replay import fold_in
    from orchestrator.model.run import RunState

    plan, operator = _resolved(loaded)
    state, told = RunState(loaded.plan.name), []
    opened = open_existing(place)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        for row in opened.read() if opened else ():
            event = fold_in(state, row)
            if event is not None:
                told.append((event, row.at))
    refuse_other_plan(state, loaded)
    return _Known(plan, operator, state if told else None, tuple(told), state.last_at)


def _resolved(loaded: Loaded) -> tuple[Plan, str]:
    """Return the plan with its domain controller, and whom the runner logs on as there; empty: it does not say."""
    from orchestrator.errors import InputInvalid
    from orchestrator.model.plan import Directory, Estate
    from orchestrator.remote.connection import Connections, Unconfigured

    plan = loaded.plan
    if plan.estate.lab is not None:
        from orchestrator.lab.estate.spec import EstateInvalid, load_spec

        try:
            spec = load_spec((loaded.directory / plan.estate.lab).read_text(encoding="utf-8"))
        except (OSError, EstateInvalid, UnicodeDecodeError) as error:
            raise InputInvalid(f"the estate {plan.estate.lab} cannot be read: {error}. Nothing was done.") from error
        server = spec.first_controller.name
        directory = Directory(endpoint=server, server=server)
        estate = Estate(lab=plan.estate.lab, domain=spec.domain.dns, directory=directory)
        return plan.model_copy(update={"estate": estate}), f"{spec.domain.netbios}\\{spec.operator.name}"
    if plan.estate.directory is None:
        raise InputInvalid("the plan names no estate.directory. Nothing was done.")
    try:
        username = Connections(plan.estate, loaded.directory).settings(plan.estate.directory.endpoint).username
    except Unconfigured:
        return plan, ""
    return plan, username.reveal() if username else ""


def _chosen(plan: Plan, wave: str | None, only: str | None) -> tuple[str, ...]:
    from orchestrator.cli.selection import select
    from orchestrator.errors import InputInvalid

    if wave is not None and wave not in {one.name for one in plan.waves}:
        named = ", ".join(one.name for one in plan.waves)
        raise InputInvalid(f"--wave {wave}: {plan.name} has no such wave. It has {named}. Nothing was done.")
    inside = select(plan, wave)
    return tuple(id_ for id_ in select(plan, only) if id_ in inside)


def _events(file: Path, form: TimeForm, computer: str) -> list[SeenEvent]:
    from orchestrator.errors import InputInvalid
    from orchestrator.expectation import EventUnreadable, rows_of, understood

    try:
        return [understood(line, row, form, computer) for line, row in rows_of(_text(file))]
    except EventUnreadable as error:
        raise InputInvalid(
            f"{file}:{error.line}: {error.why}. No event was judged, for one that is left out is one that nobody has "
            "looked at. runbooks/soc.md says which exports are understood."
        ) from error


def _names(file: Path | None) -> Names:
    from orchestrator.errors import InputInvalid
    from orchestrator.expectation import EventUnreadable, Names, rows_of

    found = Names()
    try:
        for line, row in rows_of(_text(file)) if file else ():
            one = {str(key).strip().lower(): str(value or "").strip() for key, value in row.items()}
            if not one.get("name") or not (one.get("sid") or one.get("address")):
                raise InputInvalid(f"{file}:{line}: each row needs a name, and a sid or an address. Nothing was done.")
            found.tell(one["name"], one.get("sid", ""), one.get("address", ""))
    except EventUnreadable as error:
        raise InputInvalid(f"{file}:{error.line}: {error.why}. Nothing was done.") from error
    return found


def _text(file: Path) -> str:
    from orchestrator.errors import InputInvalid

    try:
        raw = file.read_bytes()
        wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))  # what Windows PowerShell writes
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise InputInvalid(f"{file} cannot be read: {error.strerror or error}. Nothing was done.") from error
    except UnicodeDecodeError as error:
        where = f"{file}:{raw[: error.start].count(10) + 1}"
        raise InputInvalid(f"{where}: this is neither UTF-8 nor UTF-16 with a mark. Nothing was done.") from error
    if "\0" in text:
        raise InputInvalid(f"{file} is no text, or UTF-16 without a mark. Save it as UTF-8. Nothing was done.")
    return text


def _zone(name: str | None) -> str | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return str(ZoneInfo(name)) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"there is no zone {name}", param_hint="--zone") from None


def _as_json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, indent=2) + "\n"


def _write(file: Path, text: str) -> None:
    from orchestrator.errors import InputInvalid

    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputInvalid(f"{file} cannot be written: {error}. Nothing was done.") from error
    typer.echo(f"{file} written.", err=True)
