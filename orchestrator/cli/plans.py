"""The verbs that need nothing but a plan: ``check`` and ``schema``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.views.output import say_document

if TYPE_CHECKING:
    from orchestrator.planfile import Loaded, PlanInvalid


class Document(StrEnum):
    """What ``schema`` can describe."""

    PLAN = "plan"
    CHECK = "check"
    STATUS = "status"
    RUNS = "runs"
    SNAPSHOT = "snapshot"
    JOURNAL = "journal"
    EXPORT = "export"
    VERIFY = "verify"
    RESTORE = "restore"
    PROBE = "probe"
    AMEND = "amend"
    REHEARSE = "rehearse"
    JEA = "jea"
    PREFLIGHT = "preflight"
    PREVIEW = "preview"
    FORETOLD = "foretold"
    VERIFICATION = "verification"
    CERTIFICATE = "certificate"
    DRILLS = "drills"
    DISCOVERY = "discovery"
    EXPECT = "expect"
    RECONCILE = "reconcile"
    NOTICES = "notices"
    REPORT = "report"
    CLUSTER_STATUS = "cluster-status"


def check(
    plans: Annotated[list[Path], typer.Argument(help="Plan files.", metavar="PLAN...")],
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Check plans without a network: every problem at once, with line, column and fix.

    Nothing that a plan refers to is opened. Exit code 0 if all are valid, else 3.

    Example: dmsa check plans/quickstart.yaml
    """
    from orchestrator.planfile import PlanInvalid, load_plan
    from orchestrator.views.page import say_page

    results: list[Loaded | PlanInvalid] = []
    for path in plans:
        try:
            results.append(load_plan(path))
        except PlanInvalid as invalid:
            results.append(invalid)
    if json:
        say_document({"plans": [_as_json(result) for result in results]})
    else:
        for result in results:
            say_page(_as_text(result))
    if any(isinstance(result, PlanInvalid) for result in results):
        raise typer.Exit(PlanInvalid.exit_code)


def schema(
    of: Annotated[
        Document,
        typer.Argument(
            metavar="[DOCUMENT]",
            help="plan, check, status, runs, snapshot, journal, export, verify, restore, probe, amend, rehearse, "
            "jea, preflight, preview, foretold, verification, certificate, drills, discovery, expect, reconcile, "
            "notices, report or cluster-status.",
        ),
    ] = (Document.PLAN),
) -> None:
    """Print the JSON Schema of the plan, or of what a verb prints with --json.

    With the plan's, an editor completes and checks plans as they are typed; the others say what a program that reads
    check, status (also the end of run), status without a plan (runs), status --snapshot, journal show, export (each
    line), verify, restore, probe-windows, amend, rehearse, jea, preflight, preview, preview --against (foretold),
    verify (verification), drill (and its certificate), drill --history, discover (discovery), expect, reconcile,
    notices, report or cluster status (cluster-status) may rely on.

    Example: dmsa schema > plan.schema.json
    """
    say_document(_schema(of))


def _schema(of: Document) -> dict[str, Any]:
    from orchestrator.planfile import json_schema
    from orchestrator.report.schema import report_schema
    from orchestrator.views.amendment import amendment_schema
    from orchestrator.views.certificate_schema import certificate_schema, drills_schema
    from orchestrator.views.check_schema import check_schema
    from orchestrator.views.cluster import cluster_schema
    from orchestrator.views.discovery_schema import discovery_schema
    from orchestrator.views.expectation_schema import expectation_schema, reconciliation_schema
    from orchestrator.views.jea_schema import jea_schema
    from orchestrator.views.journal_schema import history_schema, line_schema, rebuilt_schema, soundness_schema
    from orchestrator.views.notices import notices_schema
    from orchestrator.views.preflight_schema import preflight_schema
    from orchestrator.views.preview_schema import foretold_schema, preview_schema
    from orchestrator.views.probe_schema import probe_schema
    from orchestrator.views.rehearsal import rehearsal_schema
    from orchestrator.views.runs import runs_schema
    from orchestrator.views.snapshot import snapshot_schema
    from orchestrator.views.status_schema import status_schema
    from orchestrator.views.verification_schema import verification_schema

    schemas = {
        Document.PLAN: json_schema,
        Document.CHECK: check_schema,
        Document.STATUS: status_schema,
        Document.RUNS: runs_schema,
        Document.SNAPSHOT: snapshot_schema,
        Document.JOURNAL: history_schema,
        Document.EXPORT: line_schema,
        Document.VERIFY: soundness_schema,
        Document.RESTORE: rebuilt_schema,
        Document.PROBE: probe_schema,
        Document.AMEND: amendment_schema,
        Document.REHEARSE: rehearsal_schema,
        Document.JEA: jea_schema,
        Document.PREFLIGHT: preflight_schema,
        Document.PREVIEW: preview_schema,
        Document.FORETOLD: foretold_schema,
        Document.VERIFICATION: verification_schema,
        Document.CERTIFICATE: certificate_schema,
        Document.DRILLS: drills_schema,
        Document.DISCOVERY: discovery_schema,
        Document.EXPECT: expectation_schema,
        Document.RECONCILE: reconciliation_schema,
        Document.NOTICES: notices_schema,
        Document.REPORT: report_schema,
        Document.CLUSTER_STATUS: cluster_schema,
    }
    return schemas[of]()


def _as_json(result: Loaded | PlanInvalid) -> dict[str, Any]:
    from orchestrator.planfile import PlanInvalid

    if isinstance(result, PlanInvalid):
        problems = [problem.as_json() for problem in result.problems]
        return {"path": result.file, "valid": False, "plan": None, "digest": None, "problems": problems}
    name = result.plan.name
    return {"path": str(result.path), "valid": True, "plan": name, "digest": result.digest, "problems": []}


def _as_text(result: Loaded | PlanInvalid) -> str:
    from orchestrator.planfile import PlanInvalid

    if isinstance(result, PlanInvalid):
        return f"{result}\n{result.file}: {result.count:,} problem{'s' if result.count > 1 else ''}"
    migrations = list(result.plan.migrations())
    hosts = {host.name.casefold() for migration in migrations for host in migration.hosts}
    counted = ", ".join(
        f"{count} {thing}{'' if count == 1 else 's'}"
        for count, thing in ((len(result.plan.waves), "wave"), (len(migrations), "migration"), (len(hosts), "host"))
    )
    return f"{result.path}: valid; {counted}; digest {result.digest}"
