"""Pictures: each that a page shows is made by the script, small, and says what the program says today."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.documents import PAGES, ROOT
from tests.pictures.__main__ import PICTURES, is_news, main, of_a_terminal
from tests.pictures.album import FOLDER, SCENES
from tests.pictures.drawing import drawn
from tests.pictures.screen import PLAIN, Screen, Style

SHOWN = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)\s]+)\)")
IN_HTML = re.compile(r"<(?:img|source)\s[^>]*?(?:src|srcset)=\"(?P<path>[^\"]+)\"[^>]*>")
MOST_BYTES = 150 * 1024


def shown(page: Path) -> list[tuple[str, Path]]:
    """Return the pictures that a page shows, each with what it is called for those who do not see it."""
    text = page.read_text(encoding="utf-8")
    found = [(match["alt"], match["path"]) for match in SHOWN.finditer(text)]
    for match in IN_HTML.finditer(text):
        alt = re.search(r'alt="([^"]+)"', match[0])
        found.append((alt[1] if alt else "" if match[0].startswith("<img") else "a source", match["path"]))
    return [(alt, (page.parent / path).resolve()) for alt, path in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_is_made_by_the_script_and_has_a_name(page):
    for alt, path in shown(page):
        assert path.parent == FOLDER, f"{page.name} shows {path}, which no script makes"
        assert path.name in PICTURES, f"{page.name} shows {path.name}, which no script makes"
        assert alt.strip(), f"{page.name} shows {path.name} and has no words for it"


def test_every_picture_is_shown_somewhere():
    assert {path.name for page in PAGES for _, path in shown(page)} == PICTURES


def test_the_folder_holds_what_the_script_makes_and_nothing_else():
    assert {path.name for path in FOLDER.iterdir()} == PICTURES, "python -m tests.pictures makes them"
    assert {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.stat().st_size > MOST_BYTES} == {}


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_terminals_picture_asks_no_network_and_fits_its_columns(name):
    drawing = ET.parse(FOLDER / name).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert "//" not in re.sub(r"https?://www\.w3\.org/2000/svg", "", (FOLDER / name).read_text(encoding="utf-8"))
    width = float(drawing.attrib["width"])
    lines = list(drawing.iter(f"{space}text"))
    assert len(lines) > 5
    assert all(float(line.attrib["x"]) + float(line.attrib["textLength"]) < width for line in lines)
    assert drawing.findtext(f"{space}title") == SCENES[name].take.command


@pytest.mark.parametrize("name", ["check.svg", "status.svg"])
def test_it_shows_what_the_program_prints_today(name):
    """Those that take a second; the others are made in the same way."""
    assert not is_news(FOLDER / name, of_a_terminal(name)), "python -m tests.pictures makes it anew"


def test_other_times_are_no_news(tmp_path):
    picture = tmp_path / "one.svg"
    assert is_news(picture, "at 2026-03-02T18:00:01Z, 0:06:01")
    picture.write_text("at 2026-03-02T18:00:01Z, 0:06:01")
    assert not is_news(picture, "at 2026-03-02T18:00:09Z, 0:07:02")
    assert is_news(picture, "at 2026-03-02T18:00:01Z, 0:06:01 late")


def test_a_name_that_is_none_is_refused():
    with pytest.raises(SystemExit, match=r"no picture is called nothing\.svg; there are .*status\.svg"):
        main(["nothing.svg"])


# What a terminal makes of what is written on it.


def screen(*written: str, columns: int = 20) -> Screen:
    found = Screen(columns)
    for piece in written:
        found.write(piece)
    return found


@pytest.mark.parametrize(
    ("written", "stands"),
    [
        (["one\r\ntwo\r\n"], "one\ntwo"),
        (["one\rT"], "Tne"),
        (["one\r\ntwo\x1b[1A\r\x1b[2Kthree"], "three\ntwo"),
        (["12345678901234567890", "12"], "12345678901234567890\n12"),
        (["12345678901234567890", "\r\nnext"], "12345678901234567890\nnext"),
        (["one\r\ntwo\x1b[A\r\x1b[J"], ""),
        (["one two\r\x1b[K"], ""),
        (["\x1b[?25lone\x1b[?25h"], "one"),
        (["cut \x1b[3", "1mred"], "cut red"),
    ],
)
def test_what_is_written_stands_where_a_terminal_puts_it(written, stands):
    assert screen(*written).text == stands


def test_colours_and_weights_are_kept():
    cells = screen("a\x1b[1;31mb\x1b[22mc\x1b[0;2md\x1b[39;92me\x1b[me").lines[0]
    looks = [style for _, style in cells]
    assert looks == [PLAIN, Style(1, bold=True), Style(1), Style(dim=True), Style(10, dim=True), PLAIN]


@pytest.mark.parametrize("written", ["\x1b[48;5;3mx", "\x1b[5Gx", "\a", "\x1b]0;title" + "x" * 16])
def test_what_no_picture_can_show_fails(written):
    with pytest.raises(AssertionError, match=r"picture|terminal"):
        screen(written)


def test_what_is_written_cannot_become_part_of_the_drawing():
    drawing = drawn("dmsa <b>", [[(letter, PLAIN) for letter in "<script> & more"]], 80)
    texts = [element.text for element in ET.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["$", "dmsa <b>", "<script> & more"]
    assert str(ROOT) not in drawing
