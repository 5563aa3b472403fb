"""``dmsa jea``, and the quick start through the endpoints that it writes, over the wire."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.cli.desk import QUICKSTART, ROOT, Desk, assert_once_each, counted, hasten, read_plan, record
from tests.endpoints import DC, RUNNER, nobody

BATCH = ("run", "plan.yaml", "--only", "dmsa-batch")
ROLE = "jea/app02.corp.example/DmsaHost/RoleCapabilities/DmsaHost.psrc"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose operator has no right of its own, and whose machines have the plan's endpoints."""
    desk = Desk.new(tmp_path)
    desk.done("jea", "plan.yaml", "-o", "jea", "--runners", RUNNER)
    path = desk.folder / "estates" / "quickstart.yaml"
    estate = yaml.safe_load(path.read_text(encoding="utf-8"))
    nobody(estate)
    estate["jea"] = "../jea"
    path.write_text(yaml.safe_dump(estate), encoding="utf-8")
    return desk


def change(desk: Desk, file: str, old: str, new: str) -> None:
    path = desk.folder / file
    text = path.read_text(encoding="utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_quick_start_runs_to_its_end_and_back_through_jea_endpoints(desk):
    assert "All done." in desk.done("run", "plan.yaml")
    assert set(desk.phases().values()) == {"completed"}
    assert_once_each(desk.lab)
    assert counted(desk.lab) == QUICKSTART
    assert "Rolled back: 5, each compared with its snapshot." in desk.done("rollback", "plan.yaml", "--all", "--yes")
    rows = record(desk.lab)
    assert {row["configuration"] for row in rows} == {"DmsaDirectory", "DmsaHost"}
    assert not [row for row in rows if row["outcome"] == "refused"]
    acting = {row["acting"].partition("\\")[0] for row in rows}
    assert acting == {"CORP", "WinRM Virtual Users"}


def test_a_disposable_pair_is_probed_through_jea_endpoints(tmp_path):
    desk = Desk(tmp_path)
    shutil.copy(ROOT / "plans" / "probe.yaml", tmp_path / "plan.yaml")
    estate = yaml.safe_load((ROOT / "plans" / "estates" / "probe.yaml").read_text(encoding="utf-8"))
    nobody(estate)
    (tmp_path / "estates").mkdir()
    (tmp_path / "estates" / "probe.yaml").write_text(yaml.safe_dump({**estate, "jea": "../jea"}), encoding="utf-8")
    desk.done("jea", "plan.yaml", "-o", "jea", "--runners", RUNNER)
    assert "38 of 61 answered" in desk.done("probe-windows", "plan.yaml", "--yes")
    rows = record(desk.lab)
    assert {row["configuration"] for row in rows} == {"DmsaDirectory"}
    assert not [row for row in rows if row["outcome"] == "refused"]


@pytest.mark.parametrize(
    ("file", "old", "new", "says", "entry"),
    [
        (
            ROLE,
            "Name = 'Restart-Service'",
            "Name = 'Stop-Service'",
            "The term 'Restart-Service' is not recognized",
            "the entry Name = 'Restart-Service' under VisibleCmdlets must be there",
        ),
        (
            ROLE,
            "@{ Name = 'PassThru'; ValidateSet = 'True' }",
            "",
            "matches parameter name 'PassThru'",
            "the entry Name = 'Restart-Service' under VisibleCmdlets must list the parameter",
        ),
        (
            f"jea/{DC}/DmsaDirectory/RoleCapabilities/DmsaDirectory.psrc",
            r"'(?:dmsa-batch|",
            r"'(?:",
            "Cannot validate argument on parameter 'Name'",
            "the entry Name = 'New-ADServiceAccount' under VisibleCmdlets must let the value through",
        ),
        (ROLE, "VisibleProviders = 'Registry'", "", "Cannot find drive", "VisibleProviders = 'Registry'"),
        (
            "jea/app02.corp.example/DmsaHost.pssc",
            RUNNER,
            "CORP\\nobody",
            "denies access to this session configuration",
            "role definitions of the JEA endpoint",
        ),
    ],
    ids=["command", "parameter", "value", "provider", "caller"],
)
def test_what_is_missing_is_held_with_its_entry(desk, file, old, new, says, entry):
    change(desk, file, old, new)
    ended = desk.dmsa(*BATCH)
    assert ended.returncode == 4, ended.stdout
    assert "Traceback" not in ended.stderr
    held = desk.migrations()["dmsa-batch"]["held"]
    assert says in held["detail"] + held["release"]
    assert entry in held["detail"] + held["release"]
    assert desk.dmsa(*BATCH).returncode == 4, "and again after a new start of the lab"


def test_an_endpoint_that_is_not_registered_is_said_to_be_so(desk):
    (desk.folder / "jea" / "app02.corp.example" / "DmsaHost.pssc").unlink()
    with desk.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json", forked=True) as lab:
        assert lab.until_line(1)
        ready = json.loads(lab.lines[0])
        plan = read_plan("quickstart.yaml")
        hasten(plan)
        (desk.folder / "secret").write_text(ready["password"])
        login = {
            "auth": "basic",
            "username": ready["username"],
            "password": "${file:secret}",
            "tls": {"ca": ready["ca"]},
        }
        plan["estate"] = {
            "simulated": True,
            "domain": "corp.example",
            "directory": {"endpoint": DC, "server": DC},
            "addresses": ready["addresses"],
            "connections": [
                {"match": "dc*", "configuration": "DmsaDirectory", **login},
                {"match": "*", "configuration": "DmsaHost", **login},
            ],
        }
        desk.write_plan(plan)
        assert desk.dmsa(*BATCH).returncode == 4
    assert "has no session configuration of that name" in json.dumps(desk.migrations()["dmsa-batch"]["held"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("VisibleCmdlets = @(", "", "DmsaHost.psrc:11: expected a key"),
        ("SessionType = 'RestrictedRemoteServer'", "", "SessionType must be RestrictedRemoteServer"),
        ("ModuleVersion = '1.0.0'", "", "ModuleVersion is missing"),
    ],
)
def test_files_that_cannot_be_registered_start_no_lab(desk, old, new, says):
    for name in ("DmsaHost/RoleCapabilities/DmsaHost.psrc", "DmsaHost.pssc", "DmsaHost/DmsaHost.psd1"):
        path = f"jea/app02.corp.example/{name}"
        if old in (desk.folder / path).read_text(encoding="utf-8-sig"):
            change(desk, path, old, new)
    for command in (BATCH, ("lab", "serve", "estates/quickstart.yaml", "--state", "s", "--jea", "jea")):
        ended = desk.dmsa(*command)
        assert (ended.returncode, "Traceback" in ended.stderr) == (3, False)
        assert says in ended.stderr
        assert "Nothing was started." in ended.stderr


def test_a_changed_endpoint_does_not_change_what_was(desk):
    """What an endpoint refused stays refused in the record, when the lab starts anew with other files."""
    change(desk, ROLE, "Name = 'New-Item'", "Name = 'Nothing'")
    assert desk.dmsa(*BATCH).returncode == 4
    (refused,) = [row for row in record(desk.lab) if row["outcome"] == "refused" and row["write"]]
    assert refused["cmdlet"] == "New-Item"
    assert desk.shown()["machines"]["app02.corp.example"]["DelegatedMSAEnabled"] == "no-key"
    change(desk, ROLE, "Name = 'Nothing'", "Name = 'New-Item'")
    desk.done("release", "plan.yaml", "--only", "dmsa-batch", "--reason", "the role file is right now")
    desk.done(*BATCH)
    assert desk.phases()["dmsa-batch"] == "completed"


# The verb.


def test_the_files_are_for_windows(desk):
    files = sorted(
        path.relative_to(desk.folder).as_posix() for path in (desk.folder / "jea").rglob("*.*") if path.is_file()
    )
    assert len(files) == 18
    assert ROLE in files
    for name in files:
        raw = (desk.folder / name).read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf# ")
        assert raw.count(b"\n") == raw.count(b"\r\n") > 3
    assert not [name for name in files if name.endswith(".new")]


def test_it_says_what_it_wrote_and_what_was_there(desk):
    stray = desk.folder / "jea" / "old.corp.example" / "DmsaHost.pssc"
    stray.parent.mkdir()
    shutil.copy(desk.folder / "jea" / "app01.corp.example" / "DmsaHost.pssc", stray)
    said = desk.done("jea", "plan.yaml", "-o", "jea", "--run-as", "CORP\\gmsa", "--host-run-as", "CORP\\hosts")
    assert "CORP\\dmsa-runners may connect" in said
    assert "work as CORP\\gmsa, hosts as CORP\\hosts" in said
    assert said.splitlines()[-1].strip() == "old.corp.example/DmsaHost.pssc"
    assert stray.exists()
    assert "GroupManagedServiceAccount = 'CORP\\hosts'" in stray.with_name("x").parent.parent.joinpath(
        "app01.corp.example", "DmsaHost.pssc"
    ).read_text(encoding="utf-8-sig")
    document = json.loads(desk.done("jea", "plan.yaml", "-o", "jea", "--json"))
    assert [end["configuration"] for end in document["endpoints"]] == ["DmsaDirectory"] * 2 + ["DmsaHost"] * 4
    assert document["left"] == ["old.corp.example/DmsaHost.pssc"]
    assert len([file for end in document["endpoints"] for file in end["files"]]) == 18


def test_a_plan_for_a_real_domain_needs_no_network(tmp_path):
    desk = Desk(tmp_path)
    shutil.copy(ROOT / "plans" / "erp.yaml", tmp_path / "plan.yaml")
    said = desk.done("jea", "plan.yaml", "-o", "out")
    assert "DmsaDirectory" in said
    assert "other-domain-controllers" in said, "its domain has more than converge_on names"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("plan.yaml",), 2, "-o"),
        (("plan.yaml", "-o", "x", "--runners", "nobody"), 2, "expected DOMAIN\\name"),
        (("plan.yaml", "-o", "x", "--run-as", "A\\b'; c"), 2, "expected DOMAIN\\name"),
        (("nothing.yaml", "-o", "x"), 3, "nothing.yaml"),
        (("plan.yaml", "-o", "plan.yaml/x"), 3, "cannot be written to"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(tmp_path, args, code, says):
    desk = Desk.new(tmp_path)
    ended = desk.dmsa("jea", *args)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    assert says in " ".join(ended.stderr.replace("│", " ").split())


def test_a_plan_whose_estate_is_not_there_is_refused(tmp_path):
    desk = Desk.new(tmp_path)
    (desk.folder / "estates" / "quickstart.yaml").unlink()
    ended = desk.dmsa("jea", "plan.yaml", "-o", "x")
    assert ended.returncode == 3
    assert "Nothing was written." in ended.stderr
