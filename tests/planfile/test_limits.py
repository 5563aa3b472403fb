"""Files that are made to hurt, or that no editor would have written."""

from pathlib import Path

import pytest

from orchestrator.errors import Exit
from orchestrator.planfile import PlanInvalid, load_plan, parse_plan
from orchestrator.planfile.convert import LONGEST
from orchestrator.planfile.problem import MOST
from orchestrator.planfile.source import LARGEST
from orchestrator.planfile.tree import MOST_WRITTEN

VALID = Path(__file__).parents[2] / "plans" / "quickstart.yaml"


def only_problem(raw: bytes):
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(raw)
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_depth_that_would_overflow_the_stack_of_a_composer_is_a_problem(opening: str):
    assert "nested deeper" in only_problem(opening.encode() * 100_000).message


def test_a_file_beyond_the_limit_is_refused_unread():
    assert only_problem(b"#" * (LARGEST + 1)).id == "too-large"


def test_many_aliases_to_little_are_no_bomb():
    services = ", ".join(["&s A"] + [f"B{index}" for index in range(3000)])
    raw = VALID.read_text().replace("[BatchRunner]", f"&all [{services}]").replace("[DirSync]", "*all")
    assert parse_plan(raw.encode()).migration("dmsa-sync").hosts[0].services[0] == "A"


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert parse_plan(b"\xef\xbb\xbf" + VALID.read_bytes()).name == "quickstart"


def test_windows_line_ends_change_nothing():
    text = VALID.read_text()
    assert parse_plan(text.replace("\n", "\r\n").encode()) == parse_plan(text.encode())


def test_tabs_inside_text_are_text():
    text = VALID.read_text().replace("name: quickstart ", "description: |\n  a\n  \tb\nname: quickstart ")
    assert parse_plan(text.encode()).description == "a\n\tb\n"


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_what_cannot_be_opened_is_input_that_is_invalid(tmp_path: Path, name: str):
    with pytest.raises(PlanInvalid, match="cannot be read") as refused:
        load_plan(tmp_path / name)
    assert refused.value.exit_code == Exit.INVALID


def test_nothing_that_a_plan_refers_to_is_opened(tmp_path: Path):
    path = tmp_path / "plan.yaml"
    path.write_bytes(VALID.read_bytes())
    loaded = load_plan(path)
    assert loaded.plan.estate.lab == "estates/quickstart.yaml"
    assert loaded.directory == tmp_path
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.yaml"]


@pytest.mark.parametrize("shape", ["- a\n", "- []\n", "- {}\n", "- *a\n"])
def test_more_values_than_any_plan_has_are_not_read_to_the_end(shape: str):
    found = only_problem(b"- &a x\n" + shape.encode() * MOST_WRITTEN)
    assert found.id == "too-many"
    assert found.line in (MOST_WRITTEN, MOST_WRITTEN + 1)


def test_a_text_without_end_is_too_long_and_is_not_repeated():
    text = VALID.read_text().replace("name: quickstart ", f"description: {'a' * (LONGEST + 1)}\nname: quickstart ")
    found = only_problem(text.encode())
    assert found.id == "too-long"
    assert len(found.message) < 100


@pytest.mark.parametrize(
    ("broken", "count", "kind"),
    [
        ("policy: {" + "a: 1, " * 3000 + "}", 3000, "duplicate-key"),
        ("policy: {" + ", ".join(f"k{n}: 1" for n in range(3000)) + "}", 3000, "unknown-key"),
        ("policy: {" + ", ".join(f"drop_{n}: 1" for n in range(3000)) + "}", 3000, "deletion"),
        ("notify: [" + "no, " * 3000 + "]", 3000, "kind"),
        ("notify: [" + "{}, " * 3000 + "]", 3000, "missing-key"),
    ],
)
def test_of_very_many_problems_the_first_thousand_are_told_and_all_are_counted(broken: str, count: int, kind: str):
    text = VALID.with_name("one-account.yaml").read_text().replace("version: 1\n", f"version: 1\n{broken}\n", 1)
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(text.encode())
    assert len(refused.value.problems) == MOST
    assert {problem.id for problem in refused.value.problems} == {kind}
    assert refused.value.count == count
    assert f"\n… and {count - MOST:,} more\n… what else is wrong shows when these are mended" in str(refused.value)


def test_of_very_many_cross_checks_the_first_thousand_are_told():
    text = VALID.read_text().replace("[BatchRunner]", "[" + "A, " * 3000 + "]")
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(text.encode())
    assert {problem.id for problem in refused.value.problems} == {"host-twice"}
    assert str(refused.value).endswith("\n… what else is wrong shows when these are mended")


@pytest.mark.parametrize("line", ["pass" * 1000, "key: " * 1000, "pass " * 1000, "a" * 5000, ": " * 3000])
def test_a_line_that_looks_like_secrets_is_hidden_in_one_look(line: str):
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(f"{line}\n}}password: hunter2\n".encode())
    assert "hunter2" not in str(refused.value)


def test_a_number_in_base_sixty_of_any_length_is_only_a_number():
    text = VALID.read_text().replace("name: quickstart ", f"change: 1{':1' * 30_000}\nname: quickstart ")
    assert "which YAML reads as a number" in only_problem(text.encode()).message


REAL = """version: 1
name: real
estate:
  domain: corp.example
  directory: {{endpoint: h0, server: h0}}
  connections: [{connections}]
  sites: [{{name: all, match: ["[h]*"]}}]
waves:
  - name: only
    migrations:
      - account: CN=a,DC=corp,DC=example
        dmsa: {{name: a, dns_host_name: a.corp.example}}
        hosts: [{hosts}]
"""


def real(connections: list[str], hosts: int) -> bytes:
    named = ", ".join(f"{{name: h{number}, services: [A]}}" for number in range(hosts))
    return REAL.format(connections=", ".join(connections), hosts=named).encode()


def test_thousands_of_hosts_may_each_have_a_connection():
    plan = parse_plan(real([f"{{match: H{number}}}" for number in range(2000)], 2000))
    assert len(plan.estate.connections) == 2000


def test_more_patterns_than_can_be_tried_on_every_host_are_refused():
    found = only_problem(real([f'{{match: "h{number}*"}}' for number in range(600)], 2))
    assert (found.id, found.path) == ("patterns", "estate.connections[500].match")


def test_a_circle_of_very_many_waves_is_told_in_short():
    wave = "  - name: w{0}\n    needs: [w{1}]\n    migrations: [{{account: CN=a{0}, dmsa: {{name: a{0}, "
    wave += "dns_host_name: a}}, hosts: [{{name: h, services: [A]}}]}}]\n"
    waves = "".join(wave.format(number, (number + 1) % 300) for number in range(300))
    found = only_problem(f"version: 1\nname: x\nestate: {{lab: x}}\nwaves:\n{waves}".encode())
    assert found.id == "needs-circular"
    assert "w8 needs … (290 more) … needs w299 needs w0" in found.message
