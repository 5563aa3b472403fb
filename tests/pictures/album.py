"""Which pictures of a terminal there are, and the folder that each command is typed in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import story
from tests.pictures import shop
from tests.pictures.terminal import ROOT, Take

FOLDER = ROOT / "runbooks" / "pictures"
JOURNAL = Path(".dmsa") / "journal.db"

DRAFT = """\
version: 1
name: first-draft
estate: {lab: estates/one-account.yaml}
policy: {dwell: 14 days}
waves:
  - name: only
    migrations:
      - account: CN=svc-mail,OU=Service Accounts,DC=corp,DC=example
        dmsa: {name: dmsa-mail, dns_hostname: dmsa-mail.corp.example}
        hosts:
          - {name: mail01, services: [MailRelay]}
"""
"""A plan as one writes it the first time."""


@dataclass(frozen=True)
class Scene:
    """A command on a terminal, in a folder that was laid out for it."""

    take: Take
    lay_out: Callable[[Path], None] = lambda _folder: None


def _draft(folder: Path) -> None:
    (folder / "plans" / "draft.yaml").write_text(DRAFT, encoding="utf-8")


def _old_windows(folder: Path) -> None:
    """Let one server be older than dMSAs are (Windows Server 2022, build 20348)."""
    estate = folder / "plans" / "estates" / "quickstart.yaml"
    text = estate.read_text(encoding="utf-8")
    changed = text.replace("- name: app03.corp.example\n", "- name: app03.corp.example\n    build: 20348\n")
    assert changed != text
    estate.write_text(changed, encoding="utf-8")


def in_the_middle(folder: Path) -> None:
    """Put the journal of the story there, up to its middle."""
    story.write(folder / JOURNAL, end=story.middle())


def at_the_end(folder: Path) -> None:
    """Put the journal of the whole story there."""
    story.write(folder / JOURNAL)


def _pilot_done(folder: Path) -> None:
    """Complete the first wave of the shop; one account of the second is held by a person."""
    shop.lay_out(folder)
    say(folder, "run", "plans/shop.yaml", "--only", "pilot")
    say(folder, "hold", "plans/shop.yaml", "--only", "dmsa-web", "--reason", "freeze until Monday", "--as", "anna.berg")


def say(folder: Path, *words: str) -> None:
    """Let a command do what a picture is not about."""
    command = [sys.executable, "-m", "orchestrator", *words]
    done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def folder_for(scene: Scene, folder: Path) -> Path:
    """Lay out a new folder for a scene: the plans that ship, and what the scene adds."""
    shutil.copytree(ROOT / "plans", folder / "plans")
    scene.lay_out(folder)
    return folder


SCENES = {
    "check.svg": Scene(Take("dmsa check plans/draft.yaml", code=3, columns=108), _draft),
    "preflight.svg": Scene(Take("dmsa preflight plans/quickstart.yaml", code=4), _old_windows),
    "run.svg": Scene(
        Take(
            "dmsa run plans/shop.yaml",
            until=r"dmsa-sync +waits[^\n]+dwell[^\n]+\n[^\n]+dmsa-www[^\n]+restart 2/4: web03, web04",
        ),
        _pilot_done,
    ),
    "status.svg": Scene(Take("dmsa status plans/waves.yaml"), in_the_middle),
    "drill.svg": Scene(Take("dmsa drill plans/web-farm.yaml", since="Drill 1 of")),
}
"""Pictures of a terminal, by the name of their file."""
