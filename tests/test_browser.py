"""What the browser tests look for is found where it is there: each fault on a page of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser import PHONE, chromium, too_wide, unreached, violations, visiting

__all__ = ["chromium"]

pytestmark = pytest.mark.service

FRAME = """\
<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,"><main><h1>A page</h1>{}</main>
"""
PAGES = {
    "quiet": "<p>Nothing is wrong.</p>",
    "links": '<p><a href="/quiet">One</a> and <a href="/links">another</a></p>',
    "foreign": '<img alt="" src="http://127.0.0.2:9/picture.png">',
    "missing": '<img alt="" src="/nothing.png">',
    "says": "<script>console.error('out of order')</script>",
    "breaks": "<script>null.order</script>",
    "framed": '<iframe title="inside" src="/quiet"></iframe>',
    "pale": '<p style="color: #aaa; background: #fff">Hard to read</p>',
    "wide": '<table style="width: 900px"><tr><td>wide</table>',
    "boxed": '<div style="overflow-x: auto" tabindex="0"><table style="width: 900px"><tr><td>wide</table></div>',
    "cut": '<div style="overflow: hidden"><table style="width: 900px"><tr><td>wide</table></div>',
    "drawn-late": '<div style="content-visibility: auto"><p style="margin-left: 20px; width: 100%">wide</p></div>',
    "skipped": '<a href="/quiet" tabindex="-1">by mouse alone</a>',
    "dark": '<style>a:focus {outline: none}</style><a href="/quiet">where am I?</a>',
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGES.get(self.path.strip("/"))
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(FRAME.format(body).encode())

    def log_message(self, *_said):
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_page_without_fault_is_let_through(chromium, site):
    with visiting(chromium, f"{site}links", width=PHONE) as page:
        page.click("text=One")
        assert page.inner_text("p") == "Nothing is wrong."
        page.go_back()
        assert (violations(page), too_wide(page), unreached(page)) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("foreign", "asks another origin than its own http://127.0.0.1:.*: http://127.0.0.2:9/picture.png"),
        ("missing", "error on the console: .*404.*nothing.png"),
        ("says", "error on the console: out of order"),
        ("breaks", "error on the page: Cannot read properties of null"),
        ("framed", "has a frame"),
    ],
)
def test_what_a_page_must_not_do_fails_the_test(chromium, site, name, complaint):
    with pytest.raises(AssertionError, match=complaint), visiting(chromium, f"{site}{name}"):
        pass


def test_what_is_expected_is_forgiven_and_nothing_else(chromium, site):
    with visiting(chromium, f"{site}missing", forgives="nothing.png"):
        pass
    with (
        pytest.raises(AssertionError, match="out of order"),
        visiting(chromium, f"{site}says", forgives="nothing.png"),
    ):
        pass


def test_faults_that_a_reader_meets_are_found(chromium, site):
    with visiting(chromium, f"{site}pale", width=PHONE) as page:
        assert [one.partition(" ")[0] for one in violations(page)] == ["color-contrast"]
        page.goto(f"{site}wide")
        assert "<table" in too_wide(page)[1] or "<main" in too_wide(page)[1]
        page.goto(f"{site}boxed")
        assert too_wide(page) == []
        for name in ("cut", "drawn-late"):
            page.goto(f"{site}{name}")
            assert [one.partition(": ")[0] for one in too_wide(page)] == ["cut off"], name
        page.goto(f"{site}skipped")
        assert unreached(page) == ['not reached by Tab: <a href="/quiet" tabindex="-1">by mouse alone</a>']
        page.goto(f"{site}dark")
        assert unreached(page) == ['shows no focus: <a href="/quiet">where am I?</a>']
