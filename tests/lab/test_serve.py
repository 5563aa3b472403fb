"""The estate as a process: started, found again, ended; by hand, by a parent, by a parent that is killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

import orchestrator
from orchestrator.errors import InputInvalid, OrchestratorError, PersonNeeded
from orchestrator.lab import serve
from orchestrator.lab.embedded import EmbeddedLab
from orchestrator.lab.statelock import StateBusy
from tests.patience import PATIENCE

ESTATE = """\
domain: {dns: corp.example, netbios: CORP}
dcs: [{name: dc01.corp.example}]
hosts: [{name: app01.corp.example}, {name: quiet.corp.example, listening: false}]
"""
HOST = "dc01.corp.example"


@pytest.fixture
def estate(tmp_path) -> Path:
    path = tmp_path / "estate.yaml"
    path.write_text(ESTATE)
    return path


def run(lab: EmbeddedLab, cmdlet: str, username: str = "") -> PowerShell:
    address, port = lab.addresses[HOST].split(":")
    who = {"username": username or lab.username, "password": lab.password, "auth": "basic"}
    with WSMan(address, port=int(port), cert_validation=str(lab.ca), **who) as client, RunspacePool(client) as pool:
        shell = PowerShell(pool).add_cmdlet(cmdlet)
        shell.invoke()
        return shell


def recorded(state: Path) -> list[str]:
    return [json.loads(line)["cmdlet"] for line in (state / "commands.jsonl").read_text().splitlines()]


def start(*arguments: str, **options) -> subprocess.Popen[str]:
    """Start a Python that can import this package, as its own group."""
    where = {**os.environ, "PYTHONPATH": str(Path(orchestrator.__file__).parents[1])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *arguments], env=where, **(pipes | options))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_lab_answers_records_and_is_found_again_under_the_same_address_and_password(estate, tmp_path):
    state = tmp_path / "state"
    with EmbeddedLab(estate, state) as lab:
        assert set(lab.addresses) == {HOST, "app01.corp.example", "quiet.corp.example"}
        assert lab.addresses[HOST].startswith("127.77.0.1:")
        assert lab.username == "CORP\\operator"
        (root,) = run(lab, "Get-ADRootDSE").output
        assert root.adapted_properties["dmsaLab"] is True
        known = lab.addresses, lab.password
    assert recorded(state) == ["Get-ADRootDSE"]
    assert stat.S_IMODE((state / "password").stat().st_mode) == 0o600
    with EmbeddedLab(estate, state) as lab:
        assert (lab.addresses, lab.password) == known
        for spelling in ("operator", "operator@corp.example"):
            run(lab, "Get-ADDomain", spelling)
    assert recorded(state) == ["Get-ADRootDSE", "Get-ADDomain", "Get-ADDomain"]


def test_a_host_without_endpoint_refuses_connections(estate, tmp_path):
    with EmbeddedLab(estate, tmp_path / "state") as lab:
        lab.addresses[HOST] = lab.addresses["quiet.corp.example"]
        with pytest.raises(Exception, match="Connection refused"):
            run(lab, "Get-Service")


def test_closing_twice_is_closing_once(estate, tmp_path):
    with EmbeddedLab(estate, tmp_path / "state") as lab:
        lab.close()
        lab.close()


@pytest.mark.parametrize(("text", "words"), [("domain: 5\n", "domain"), (None, "cannot be used"), ("\x00", "not YAML")])
def test_an_estate_file_that_cannot_be_used_is_the_callers_fault(tmp_path, text, words):
    path = tmp_path / "estate.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputInvalid, match=words), EmbeddedLab(path, tmp_path / "state"):
        pass


def test_a_state_of_another_estate_is_refused(estate, tmp_path):
    with EmbeddedLab(estate, tmp_path / "state"):
        pass
    estate.write_text(ESTATE + "seed: 2\n")
    with pytest.raises(InputInvalid, match="another estate file"), EmbeddedLab(estate, tmp_path / "state"):
        pass


def test_a_lab_that_is_not_installed_says_how_to_install_it(estate, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['psrpcore'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        pytest.raises(PersonNeeded, match=r"pip install 'dmsa-orchestrator\[lab\]'"),
        EmbeddedLab(estate, tmp_path / "state"),
    ):
        pass


def test_a_lab_that_breaks_says_what_it_said(estate, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'a strange word'); os._exit(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        pytest.raises(OrchestratorError, match="status 9 before it was ready:\na strange word"),
        EmbeddedLab(estate, tmp_path / "state"),
    ):
        pass


PARENT = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from orchestrator.lab.embedded import EmbeddedLab
    with EmbeddedLab(Path(sys.argv[1]), Path(sys.argv[2])) as lab:
        try:
            print(lab._child.pid, flush=True)
            sys.stdin.readline()
        except KeyboardInterrupt:
            print(lab._child.poll(), flush=True)
            sys.stdin.readline()
""")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_killed_parent_takes_its_lab_along(estate, tmp_path):
    parent = start("-c", PARENT, str(estate), str(tmp_path / "state"))
    child = int(parent.stdout.readline())
    assert is_running(child)
    parent.kill()
    parent.communicate(timeout=PATIENCE)
    with EmbeddedLab(estate, tmp_path / "state") as lab:  # waits for the lock that only the child's end frees
        run(lab, "Get-ADRootDSE")
    assert not is_running(child)


def test_an_interrupt_at_the_terminal_leaves_the_lab_to_its_parent(estate, tmp_path):
    parent = start("-c", PARENT, str(estate), str(tmp_path / "state"), start_new_session=True)
    parent.stdout.readline()
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.stdout.readline() == "None\n"
    parent.communicate("\n", timeout=PATIENCE)
    assert parent.returncode == 0


BY_HAND = """
import sys
from pathlib import Path
from orchestrator.lab.serve import serve
sys.exit(serve(Path(sys.argv[1]), Path(sys.argv[2]), as_json=False, until_stdin_closes=False))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_by_hand_it_prints_a_plans_estate_and_ends_at_a_signal(estate, tmp_path, number, status):
    process = start("-c", BY_HAND, str(estate), str(tmp_path / "state"))
    page = []
    while not page or not page[-1].startswith("Ctrl-C"):
        page.append(process.stdout.readline())
    process.send_signal(number)
    rest, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest) == (status, "")
    assert said.splitlines() == [f"The simulated estate ended ({number.name}); its state is in {tmp_path / 'state'}."]
    block = yaml.safe_load("".join(page).split("\n\n")[1])["estate"]
    assert block["simulated"] is True
    assert block["directory"] == {"endpoint": HOST, "server": HOST}
    (connection,) = block["connections"]
    assert connection["password"] == f"${{file:{tmp_path / 'state' / 'password'}}}"
    assert (tmp_path / "state" / "password").read_text() not in "".join(page)
    assert Path(connection["tls"]["ca"]).read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_a_state_in_use_needs_a_person(estate, tmp_path, monkeypatch):
    def busy(*_):
        raise StateBusy("in use by another process")

    monkeypatch.setattr(serve, "Lab", busy)
    with pytest.raises(PersonNeeded, match="in use by another process"):
        serve.serve(estate, tmp_path / "state", as_json=True, until_stdin_closes=False)
