"""Rooms and floors: imports go down only, adapters do not know each other, pure rooms touch nothing.

A file that must break a rule is named here with its reason, so that the exception is read and not discovered.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "orchestrator"

FLOORS = {
    "errors": 0,
    "model": 0,
    "steps": 1,
    "guards": 1,
    "planfile": 2,
    "engine": 2,
    "probe": 2,
    "expectation": 3,
    "preview": 3,
    "notices": 3,
    "verification": 2,
    "discovery": 2,
    "remote": 3,
    "journal": 3,
    "clock": 3,
    "lab": 3,
    "conductor": 4,
    "views": 5,
    "cluster": 5,
    "rehearsal": 5,
    "report": 6,
    "board": 7,
    "cli": 8,
    "__main__": 9,
    "__init__": 0,
}
ADAPTERS = {"remote", "journal", "clock", "lab"}
PURE = {
    *("model", "steps", "guards", "engine", "probe", "verification", "discovery", "expectation", "preview", "notices"),
    "report",
}
IMPURE = {
    "asyncio", "concurrent", "ctypes", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue",
    "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib",
    "aiohttp", "prometheus_client", "psrpcore", "pypsrp", "requests", "rich", "spnego", "structlog", "typer", "urllib3",
    "yaml",
}  # fmt: skip
ONLY_IN = {
    "transitions": {"model/lifecycle.py"},
    "tenacity": {"engine/backoff.py"},
    "cryptography": {"model/signature.py", "cli/signing.py", "lab/wire/certificates.py", "lab/serve.py"},
    "pypsrp": {"remote"},
    "requests": {"remote"},
    "sqlite3": {"journal"},
    "psycopg": {"journal"},
    "psrpcore": {"lab/wire"},
    "aiohttp": {"lab"},
    "typer": {"cli"},
    "rich": {"views", "cli"},
    "jinja2": {"report", "board"},
    "starlette": {"board"},
    "uvicorn": {"board"},
    "prometheus_client": {"views/metrics.py"},
    "celery": {"cluster/broker.py"},
    "kombu": {"cluster/broker.py"},
    "amqp": {"cluster/broker.py"},
}
STAIRS = (
    *("conductor", "tenure", "noticing", "rest", "flightdeck", "agenda", "flights", "shells", "fence", "spoken"),
    *("runlog", "checkpoints", "attending"),
)
"""The files of the conductor's room; each may import those after it."""
LONGEST_FILE = 400
ATTRACTING = {"util", "utils", "helper", "helpers", "manager", "handler", "handlers", "common", "base", "misc"}

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> frozenset[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def inner(names: frozenset[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("orchestrator.") and name.count(".") > 0}


def ident(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_imports_go_down_only(path):
    here = room(path)
    for other in inner(imports(path)) - {here, "__version__"}:
        assert FLOORS[other] <= FLOORS[here], f"{ident(path)} imports {other}, which is on a higher floor"
        same = FLOORS[other] == FLOORS[here] and other not in {"model", "errors"}
        assert not same, f"{ident(path)} imports its neighbour {other}"


@pytest.mark.parametrize("step", STAIRS)
def test_inside_the_conductor_imports_go_down_too(step):
    found = imports(PACKAGE / "conductor" / f"{step}.py")
    others = {name.split(".")[2] for name in found if name.startswith("orchestrator.conductor.")}
    assert others <= {*STAIRS[STAIRS.index(step) + 1 :]}


def test_the_stairs_have_every_file_of_the_conductor():
    assert {path.stem for path in FILES if room(path) == "conductor"} == {"__init__", *STAIRS}


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in PURE], ids=ident)
def test_pure_rooms_touch_nothing(path):
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & IMPURE, f"{ident(path)} is in a pure room and imports {sorted(tops & IMPURE)}"
    calls = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not calls & {"now", "utcnow", "today", "uuid4", "input", "open", "print"}, ident(path)


@pytest.mark.parametrize("path", [p for p in FILES if p.is_relative_to(PACKAGE / "lab" / "estate")], ids=ident)
def test_the_estate_touches_nothing(path):
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & (IMPURE - {"random", "yaml"}), ident(path)


@pytest.mark.parametrize(("library", "places"), ONLY_IN.items())
def test_a_library_lives_in_its_room(library, places):
    users = {ident(path) for path in FILES if library in {name.split(".")[0] for name in imports(path)}}
    strangers = {user for user in users if not any(user == p or user.startswith(f"{p}/") for p in places)}
    assert not strangers
    assert users, f"nobody uses {library}"


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_files_can_be_held_in_the_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_no_name_attracts_everything(path):
    words = set(path.stem.split("_"))
    assert not words & ATTRACTING


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_every_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{ident(path)} has no docstring"


def test_nothing_sends_script_text():
    for path in FILES:
        if room(path) != "lab":
            assert "add_script" not in path.read_text(encoding="utf-8"), ident(path)
