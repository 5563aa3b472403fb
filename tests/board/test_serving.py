"""``dmsa board``: what it refuses to begin with, and one real process behind TLS."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import typer
from click.testing import CliRunner

from orchestrator.board.serving import is_loopback
from orchestrator.cli import app
from orchestrator.errors import OrchestratorError
from orchestrator.journal import open_journal
from tests.board.certificate import write_certificate
from tests.board.inside import TOKEN
from tests.board.stage import NAME, append, rows
from tests.cli.desk import Desk
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
QUICKSTART = str(ROOT / "plans" / "quickstart.yaml")
NAMED = "board.corp.example"


def refused(*words: str) -> str:
    """Run the verb, which must refuse; return what it says, with its exit code before it."""
    ended = CliRunner().invoke(typer.main.get_command(app), ["board", *words])
    if isinstance(ended.exception, OrchestratorError):
        return f"{int(ended.exception.exit_code)} {ended.exception}"
    return f"{ended.exit_code} {' '.join(ended.output.split())}"


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(TOKEN + "\n", encoding="ascii")
    return str(tmp_path / "token")


@pytest.fixture
def tls(tmp_path: Path) -> tuple[str, str]:
    return write_certificate(tmp_path, NAMED)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "board.corp.example", "127.0.0.1.evil.example"])
def test_it_is_not_reached_from_elsewhere_without_tls_and_token(host, token, tls):
    cert, key = tls
    for words, missing in (
        ((), ("--tls-cert and --tls-key", "--token-file or --token")),
        (("--token-file", token), ("--tls-cert and --tls-key",)),
        (("--tls-cert", cert, "--tls-key", key), ("--token-file or --token",)),
    ):
        said = refused("--host", host, *words)
        assert said.startswith("2 ")
        for word in missing:
            assert word in said.replace("│ ", "").replace(" │", "")


def test_what_does_not_go_together_is_refused(token, tls):
    cert, key = tls
    protected = ("--tls-cert", cert, "--tls-key", key, "--token-file", token)
    assert refused("--host", "0.0.0.0", *protected).startswith("2 ")
    assert "--name" in refused("--host", "0.0.0.0", *protected)
    assert refused("--tls-cert", cert).startswith("2 ")
    assert refused("--token-file", token, "--token", "${env:X}").startswith("2 ")


@pytest.mark.parametrize("literal", [TOKEN, "$TOKEN", "${env:A}${env:B}", "", "${keyring:x}"])
def test_a_token_is_never_a_word_of_the_command(literal):
    said = refused("--token", literal)
    assert said.startswith("2 ")
    assert "reference" in said
    assert TOKEN not in said


def test_a_token_that_is_not_there_or_can_be_guessed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BOARD_TOKEN", "secret")
    said = refused("--token", "${env:BOARD_TOKEN}")
    assert said.startswith("3 ")
    assert "32" in said
    assert "secret" not in said
    assert refused("--token", "${env:BOARD_NOWHERE}").startswith("3 ")
    assert refused("--token-file", str(tmp_path / "nowhere")).startswith("3 ")


def test_what_cannot_be_used_is_said(tmp_path, tls):
    cert, key = tls
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", encoding="ascii")
    for pair in ((str(broken), key), (cert, str(broken)), (str(tmp_path / "gone.pem"), key)):
        said = refused("--port", "0", "--tls-cert", pair[0], "--tls-key", pair[1])
        assert said.startswith("3 the certificate")
        assert "PEM" in said
    with closing(socket.create_server(("127.0.0.1", 0))) as busy:
        said = refused("--port", str(busy.getsockname()[1]))
    assert said.startswith("3 the board cannot listen")
    assert refused(QUICKSTART, QUICKSTART).startswith("3 two of the plan files")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("", False), ("localhost.evil.example", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_what_is_loopback(host, is_it):
    assert is_loopback(host) is is_it


def page() -> tuple[str, list[str]]:
    """Return how board.md makes a token, and the words with which it starts a board for others."""
    text = (ROOT / "runbooks" / "board.md").read_text(encoding="utf-8")
    make, _, start = text.partition("$ (umask")[2].partition("```")[0].partition("\n$ dmsa ")
    return f"(umask{make}", shlex.split(start.replace("\\\n", " "))


def test_a_board_for_others_as_the_page_says_shows_a_row_of_another_process_as_it_comes(tmp_path):
    make, words = page()
    desk = Desk.new(tmp_path / "desk", None)
    here = {"/etc/dmsa": str(desk.folder), "plans/erp.yaml": "plan.yaml"}
    for there, place in here.items():
        make, words = make.replace(there, place), [word.replace(there, place) for word in words]
    write_certificate(desk.folder, NAMED)
    subprocess.run(["sh", "-c", make], check=True)
    token = desk.folder / "board.token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    with closing(open_journal(desk.journal, create=True)) as journal:
        append(journal, rows()[:60])
        with desk.running(*words, "--port", "0") as board:
            url = board.until(lambda line: "shows" in line).split()[0]
            assert url.startswith(f"https://{NAMED}:")
            with _client(url, desk.folder) as client:
                assert client.get("/").status_code == 401
                assert client.get("/", headers={"host": "evil.example"}).status_code == 421
                client.headers["authorization"] = f"Bearer {token.read_text(encoding='ascii').strip()}"
                found = client.get(f"/plans/{NAME}/journal").text
                live = found.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
                with client.stream("GET", live) as stream:
                    events = _events(stream.iter_lines())
                    append(journal, rows()[60:61])
                    change = json.loads(next(events))
                    assert 'id="r-61"' in change["rows"][0]
                    board.signal(signal.SIGTERM)
                    assert list(events) == []
            ended = board.end()
    assert ended.returncode == 128 + signal.SIGTERM
    assert ended.stderr == ""


def _client(url: str, folder: Path) -> httpx.Client:
    """Return a client that finds the board's name on this machine, and trusts its certificate for that name."""
    port = url.rpartition(":")[2].rstrip("/")

    def named(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = NAMED

    return httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        headers={"host": f"{NAMED}:{port}"},
        verify=ssl.create_default_context(cafile=str(folder / "board.pem")),
        event_hooks={"request": [named]},
        trust_env=False,
        timeout=PATIENCE,
    )


def _events(lines: Iterator[str]) -> Iterator[str]:
    """Yield the data of every change; the end of the stream is the end."""
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind == "change":
            yield value


def test_the_command_explains_itself():
    ended = CliRunner().invoke(typer.main.get_command(app), ["board", "--help"])
    assert ended.exit_code == 0
    assert "Example: dmsa board" in " ".join(ended.output.split())
