"""A journal that any earlier version wrote replays, can be looked at, and finishes on this one, over the real wire."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.cli.history import replay
from orchestrator.journal import Entry, JournalConflict, open_journal
from orchestrator.model.event import VERSION
from tests.cli.desk import assert_once_each, assert_promised
from tests.journal.ancestors import RELEASED, STAGES, VERSIONS, left_behind

RUN = ("run", "plan.yaml")
every = pytest.mark.parametrize("stage", STAGES)
of_every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def desk(version, stage, tmp_path):
    return left_behind(version, stage, tmp_path / "desk")


def state_of(desk):
    with closing(open_journal(desk.journal, create=False)) as journal:
        return replay(journal, "released")[0]


def test_every_version_of_the_vocabulary_has_left_its_journals():
    assert list(VERSIONS) == list(range(1, VERSION + 1))
    for version in VERSIONS:
        assert {file.stem for file in (RELEASED / str(version)).iterdir()} == set(STAGES)


@of_every_version
@every
def test_it_is_of_its_version_and_what_its_name_says(version, stage, desk):
    with closing(open_journal(desk.journal, create=False)) as journal:
        assert {row.version for row in journal.read()} == {version}
    state = state_of(desk)
    report, batch = state["dmsa-report"], state["dmsa-batch"]
    assert {
        "killed": batch.open.keys() == {"directory"} and batch.phase == "prepared",
        "soaking": batch.phase == "restarted" and batch.waits["directory"].waiting_for == "dwell",
        "completed": report.phase == batch.phase == "completed",
        "rolling-back": batch.phase == "unlinked" and report.intention == batch.intention == "back",
        "held": report.held is not None and report.held.reason == "operator" and report.phase == "prepared",
    }[stage]


@of_every_version
@every
def test_it_can_be_looked_at(version, stage, desk):
    def typed(*words):
        done = CliRunner().invoke(app, [*words, "--journal", str(desk.journal)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert_promised(words, done.stdout)
        return done.stdout

    typed("journal", "verify", "--json")
    shown = json.loads(typed("journal", "show", "--json"))["rows"]
    lines = typed("journal", "show").splitlines()
    assert len(lines) == len(shown) > 20
    began = next(line for line in lines[:2] if "run-began" in line)  # a shell may be opened to read the time first
    assert began.partition("run-began")[2].split()[:3] == ["run", "began,", "plan"]
    assert [json.loads(line) for line in typed("journal", "export").splitlines()] == shown
    (wave,) = json.loads(typed("status", str(desk.folder / "plan.yaml"), "--json"))["waves"]
    phases = {one["dmsa"]: one["phase"] for one in wave["migrations"]}
    assert phases == {id_: state.phase for id_, state in state_of(desk).migrations.items()}


FINISHING = ("killed", "soaking", "completed")
OF_EACH = [
    (version, stage)
    for version in VERSIONS
    for number, stage in enumerate(FINISHING)
    if version == VERSION or (version + number) % 3 == 0
]
"""Every stage of this version, and one of each earlier one, by turns: over the wire they take seconds."""


@pytest.mark.parametrize(("version", "stage"), OF_EACH)
def test_it_finishes(version, stage, desk):
    desk.done(*RUN)
    assert set(desk.phases().values()) == {"completed"}
    assert_once_each(desk.lab, accounts=2)
    desk.done("journal", "verify")
    with closing(open_journal(desk.journal, create=False)) as journal:
        assert [*journal.read()][-1].version == VERSION


@pytest.mark.parametrize("version", [VERSIONS[0], VERSION])
@pytest.mark.parametrize("stage", ["rolling-back"])
def test_it_goes_all_the_way_back(version, stage, desk):
    desk.done("rollback", "plan.yaml", "--all", "--yes")
    assert set(desk.phases().values()) == {"rolled_back"}
    desk.done("journal", "verify")


@pytest.mark.parametrize("version", [VERSIONS[0], VERSION])
@pytest.mark.parametrize("stage", ["held"])
def test_it_is_still_held_and_can_be_released(version, stage, desk):
    assert desk.dmsa(*RUN).returncode == 4
    desk.done("release", "plan.yaml", "--only", "dmsa-report", "--reason", "closed")
    desk.done(*RUN)
    assert set(desk.phases().values()) == {"completed"}
    assert_once_each(desk.lab, accounts=2)


# The other way round: an older version meets what a newer one has written.


LOOKS = (("status", "plan.yaml"), ("status", "plan.yaml", "--json"))
MOVES = (
    RUN,
    ("hold", "plan.yaml", "--reason", "x"),
    ("release", "plan.yaml", "--reason", "x"),
    ("undo", "plan.yaml", "--only", "dmsa-batch"),
    ("rollback", "plan.yaml", "--all", "--yes"),
)


@pytest.mark.parametrize(
    ("kind", "version", "why", "commands"),
    [
        ("approved", VERSION + 1, f"it is of version {VERSION + 1} of the vocabulary of events", LOOKS + MOVES),
        ("approved-by-moonlight", VERSION, "has no kind 'approved-by-moonlight'", (RUN, LOOKS[0])),
        ("held", VERSION + 1, f"it is of version {VERSION + 1} of the vocabulary of events", LOOKS[:1]),
    ],
)
def test_what_a_newer_version_wrote_ends_every_verb_in_words_and_nothing_is_done(
    kind, version, why, commands, tmp_path
):
    desk = left_behind(VERSION, "held", tmp_path / "desk")
    with closing(open_journal(desk.journal, create=False)) as journal:
        head = journal.head() + 1
        entry = Entry("released", None, kind, version, {"migration": "dmsa-report", "by": "a newer operator"})
        journal.append([entry], expected=head - 1, lease=None)
    far_side = (desk.lab / "commands.jsonl").read_bytes()
    for command in commands:
        ended = desk.dmsa(*command)
        assert (ended.returncode, ended.stdout) == (3, ""), command
        assert ended.stderr.startswith(f"dmsa: row {head} of the journal ({kind}, version {version}) cannot be read: ")
        assert why in ended.stderr
        assert "upgrade dmsa" in ended.stderr
        assert "defect" not in ended.stderr
    assert desk.rows() == head
    assert (desk.lab / "commands.jsonl").read_bytes() == far_side
    desk.done("journal", "verify")
    assert "by=a newer operator" in desk.done("journal", "show", "--last", "1").splitlines()[-1]


def test_a_run_that_hears_it_in_the_middle_ends_in_words_too(tmp_path):
    desk = left_behind(VERSION, "soaking", tmp_path / "desk")
    with desk.running(*RUN) as run:
        run.until(lambda line: "drives" in line)
        with closing(open_journal(desk.journal, create=False)) as journal:
            while True:
                head = journal.head()
                entry = Entry("released", None, "approved", VERSION + 1, {"by": "a newer operator"})
                try:
                    journal.append([entry], expected=head, lease=None)
                    break
                except JournalConflict:
                    continue
        ended = run.end()
    assert ended.returncode == 3
    assert f"dmsa: row {head + 1} of the journal (approved, version {VERSION + 1}) cannot be read" in ended.stderr
    assert "Nothing was written, and nothing is sent." in ended.stderr
    assert desk.rows() == head + 1
    assert desk.driver is None
