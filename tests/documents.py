"""The generated parts of the documents: written here from the code they describe, and compared by a test.

``python -m tests.documents`` refreshes them. A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``;
what is around it is written by hand. So a table in a runbook cannot tell another story than the program.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from orchestrator.engine.failing import LEFT_TO_A_PERSON
from orchestrator.expectation import IDS as INCIDENTS
from orchestrator.guards import all_guards
from orchestrator.lab.estate import weather_spec
from orchestrator.lab.estate.sessions_spec import SessionsSpec
from orchestrator.lab.estate.spec import EstateSpec, Switches
from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.lifecycle import MOVES, PATH, Move, Phase, Trigger, mermaid
from orchestrator.model.plan import Plan, Policy, Window
from orchestrator.model.written import write_duration
from orchestrator.planfile.crosschecks import CHECKS
from orchestrator.probe.out_of_reach import OUT_OF_REACH
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.rows import Effect, Form, Row
from orchestrator.verification import IDS
from orchestrator.views.metrics import exposed
from tests import claims

ROOT = Path(__file__).parent.parent
RUNBOOKS = ROOT / "runbooks"
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(RUNBOOKS.glob("*.md")))
PART = re.compile(r"(?<=<!-- generated: )(?P<name>[a-z-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)

ASKED_ELSEWHERE = {
    "window-open": "as a rule of the wave",
    "blackout": "as a rule of the wave",
    "approvals": "as a rule of the wave",
    "failure-budget": "as a rule of the wave",
}
"""Guards without a file in ``orchestrator/guards``: what asks their question all the same."""


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("``", "`")


def code(text: object) -> str:
    """Return text as Markdown code; nothing for nothing."""
    return f"`{text}`" if f"{text}" else ""


# The lifecycle.


def left_to_a_person() -> str:
    """Return the reasons of holds that `on_failure: undo` does not answer, and why not."""
    return table(("held as", "left to a person, because"), ((code(one), why) for one, why in LEFT_TO_A_PERSON.items()))


def lifecycle() -> str:
    return f"```mermaid\n{mermaid()}```\n"


def way() -> str:
    """Draw the path forward and the ways back; of one step to one phase only the last arrow is drawn."""
    words: dict[tuple[Phase, Phase], list[str]] = {(m.source, m.dest): [m.trigger] for m in MOVES if _forward(m)}
    together: dict[tuple[Trigger, Phase], list[Phase]] = {}
    for move in MOVES:
        if move.trigger in {Trigger.UNDO, Trigger.RESET, Trigger.RESTORE} or move.source is Phase.RESTORED:
            together.setdefault((move.trigger, move.dest), []).append(move.source)
    for (trigger, dest), found in together.items():
        path = [phase for phase in PATH if phase in found]
        for source in dict.fromkeys((*(phase for phase in found if phase not in path), *path[-1:])):
            where = f", from {path[0]} on" if len(path) > 1 and source is path[-1] else ""
            words.setdefault((source, dest), []).append(f"{trigger}{where}")
    arrows = (f"    {source} -->|{' / '.join(said)}| {dest}" for (source, dest), said in words.items())
    return "\n".join(["```mermaid", "flowchart LR", *arrows, "```"]) + "\n"


def _forward(move: Move) -> bool:
    return (move.source, move.dest) in set(pairwise(PATH)) and move.trigger is not Trigger.ADOPT


def moves() -> str:
    together: dict[tuple[str, ...], list[str]] = {}
    for move in MOVES:
        row = (code(move.trigger), code(move.dest), code(move.pair or ""), move.reason)
        together.setdefault(row, []).append(code(move.source))
    return table(
        ("from", "by", "to", "where the pair was read as", "reason"),
        ((", ".join(sources), *row) for row, sources in together.items()),
    )


# Guards.


def guards() -> str:
    return table(("guard", "asked", "waiver", "in this version", "because"), map(_guard, GUARDS))


def _guard(id_: str) -> tuple[str, ...]:
    rule = GUARDS[id_]
    found = {guard.id: guard for guard in all_guards()}.get(id_)
    asked = " ".join(stage.value for stage in Stage if stage in rule.stages)
    only = rule.waivable_at != rule.stages
    where = f", at {' '.join(stage.value for stage in Stage if stage in rule.waivable_at)} only" if only else ""
    waiver = {0: "never", 1: f"one person{where}", 2: f"two people{where}"}[rule.approvers]
    because = (type(found).__doc__ or "").split("\n\n")[0] if found else ""
    return code(id_), asked, waiver, "yes" if found else ASKED_ELSEWHERE.get(id_, "not yet"), because


# The catalogue.


def catalogue() -> str:
    return table(("cmdlet", "parameters", "effect", "used by", "taken from"), map(_row, CATALOGUE.values()))


def _row(row: Row) -> tuple[str, ...]:
    effect = "reads" if row.effect is Effect.READS else "writes" if row.idempotent else "writes; a second one differs"
    role = f" (JEA: {code(row.role_function)})" if row.role_function else ""
    forms = "<br>or ".join(_form(form) for form in row.forms)
    return code(row.cmdlet) + role, forms, effect, ", ".join(row.used_by) or "nothing yet", row.source


def _form(form: Form) -> str:
    given = [f"{code(name)}: {_kind(kind.name)}" for name, kind in form.required.items()]
    given += [f"[{code(name)}: {_kind(kind.name)}]" for name, kind in form.optional.items()]
    return "; ".join(given) or "none"


def _kind(name: str) -> str:
    return name.replace("\\\\", "\\").replace("*", r"\*")


# Questions that nobody but a person can ask.


def out_of_reach() -> str:
    head = ("question", "why it is not asked", "to find out")
    return table(head, ((f"{each.asks} ({code(each.id)})", each.why, each.instead) for each in OUT_OF_REACH))


# What a verification finds.


def findings() -> str:
    return table(("finding", "means"), ((code(id_), meaning) for id_, meaning in IDS.items()))


# What a reconciliation finds.


def incidents() -> str:
    return table(("finding", "means"), ((code(id_), meaning) for id_, meaning in INCIDENTS.items()))


# What is measured.


def metrics() -> str:
    head = ("name", "kind", "labels", "is")
    return table(
        head, ((code(name), kind, ", ".join(map(code, labels)), means) for name, kind, labels, means in exposed())
    )


# Claims about Windows.


def believed() -> str:
    head = ("claim", "source", "what the program does", "tests that depend on it")
    return (
        "\n".join(f"\n## {area}\n\n{table(head, map(_claim, found))}" for area, found in claims.load().items()) + "\n"
    )


def _claim(claim: claims.Claim) -> tuple[str, ...]:
    both = f"; both ways: {', '.join(map(code, claim.switch))}" if claim.switch else ""
    tests = ", ".join(code(test.removeprefix("tests/")) for test in claim.tests)
    return claim.claim, f"**{claim.confidence}**: {claim.source}", claim.does + both, tests


# Keys of the plan and of the estate file.


def plan_keys() -> str:
    return _keys(Plan)


def cross_checks() -> str:
    return table(("id", "says"), ((code(id_), (check.__doc__ or "").split("\n\n")[0]) for id_, check in CHECKS))


def estate_keys() -> str:
    return _keys(EstateSpec, leave_out=("switches", "sessions", "weather"))


def sessions() -> str:
    return table(
        ("key", "values", "default", "meaning"),
        (
            (code(name), _values(field), _default(field), field.description or "")
            for name, field in SessionsSpec.model_fields.items()
        ),
    )


def switches() -> str:
    return table(
        ("switch", "values", "default"),
        ((code(name), _values(field), _default(field)) for name, field in Switches.model_fields.items()),
    )


def weather() -> str:
    kinds = [kind for kind in vars(weather_spec).values() if isinstance(kind, type) and "kind" in _fields(kind)]
    return table(("kind", "its keys", "what happens"), map(_weather, kinds))


def _fields(kind: type) -> dict[str, FieldInfo]:
    return kind.model_fields if issubclass(kind, BaseModel) else {}


def _weather(kind: type[BaseModel]) -> tuple[str, ...]:
    fields = kind.model_fields
    name = get_args(fields["kind"].annotation)[0]
    keys = [code(key) + (f" ({_default(field)})" if _says(field) else "") for key, field in fields.items()]
    return code(name), ", ".join(key for key in keys if key != "`kind`"), (kind.__doc__ or "").split("\n\n")[0]


def _says(field: FieldInfo) -> bool:
    return not field.is_required() and field.default is not None


def _keys(model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> str:
    rows = [row for row in _walk(model, "", {}) if row[0].strip("`").partition(".")[0] not in leave_out]
    described = any(row[3] for row in rows)
    head = ("key", "values", "default", "meaning") if described else ("key", "values", "default")
    return table(head, (row[: len(head)] for row in rows))


def _walk(model: type[BaseModel], above: str, listed: dict[Any, str]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        # A wave and a migration take every key of `policy`; they are listed once, there.
        if issubclass(model, Policy) and model is not Policy and name in Policy.model_fields:
            continue
        key, inner = f"{above}{field.alias or name}", _model_in(field.annotation)
        many = "[]" if inner and get_origin(_not_none(field.annotation)) is tuple else ""
        known = listed.setdefault(inner, key) if inner in REPEATED else key
        values = _values(field) if known == key else f"keys, as in {code(known)}"
        yield code(key + many), values, _default(field), field.description or ""
        if inner and known == key:
            yield from _walk(inner, f"{key}{many}.", listed)


def _not_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        options = [option for option in get_args(annotation) if option is not type(None)]
        return options[0] if len(options) == 1 else annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    annotation = _not_none(annotation)
    if get_origin(annotation) is tuple:
        annotation = get_args(annotation)[0]
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


REPEATED = {Window}
"""Models whose keys are listed where they first stand."""

NAMES: dict[Any, str] = {
    str: "text", int: "number", bool: "`true`, `false`", timedelta: "duration", date: "date",
    time: 'time of day, quoted', AwareDatetime: "time with its zone",
}  # fmt: skip


def _values(field: FieldInfo) -> str:
    return _kind_of(field.annotation)


def _kind_of(annotation: Any) -> str:
    annotation = _not_none(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if _model_in(annotation):
        return "list" if origin is tuple else "keys"
    if origin is Literal:
        return ", ".join(code(value) for value in arguments)
    if origin in {tuple, frozenset}:
        return f"list of {_kind_of(arguments[0])}"
    if origin is dict:
        return f"map: {_kind_of(arguments[0])} to {_kind_of(arguments[1])}"
    if origin in {Union, types.UnionType}:
        return " or ".join(_kind_of(argument) for argument in arguments)
    if hasattr(annotation, "__metadata__"):
        return _kind_of(arguments[0])
    return NAMES[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if isinstance(value, BaseModel) or value is None or value in ((), {}, ""):
        return ""
    return code(_written(value))


def _written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return write_duration(value)
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
        case tuple():
            return f"[{', '.join(map(_written, value))}]"
        case frozenset():
            return f"[{', '.join(sorted(map(_written, value)))}]"
        case _:
            return str(value)


PARTS: dict[str, Callable[[], str]] = {
    "left-to-a-person": left_to_a_person,
    "lifecycle": lifecycle,
    "way": way,
    "moves": moves,
    "guards": guards,
    "catalogue": catalogue,
    "plan-keys": plan_keys,
    "cross-checks": cross_checks,
    "estate-keys": estate_keys,
    "switches": switches,
    "sessions": sessions,
    "weather": weather,
    "out-of-reach": out_of_reach,
    "claims": believed,
    "findings": findings,
    "incidents": incidents,
    "metrics": metrics,
}


def refreshed(text: str) -> str:
    """Return a page with its generated parts as the code has them now."""
    return PART.sub(lambda part: f"{part['name']} -->\n{PARTS[part['name']]()}", text)


def main() -> None:
    """Write every page whose generated parts are not as the code has them."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if refreshed(text) != text:
            page.write_text(refreshed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
