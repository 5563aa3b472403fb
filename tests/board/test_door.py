"""Nobody gets in who should not, nothing is done but looking, and every answer says what may run on a page."""

from __future__ import annotations

import functools
import re
import time

import pytest

from orchestrator.board import app as app_module
from orchestrator.board.app import ASSETS
from orchestrator.board.door import COOKIE, HEADERS, LASTS, Key, hosts
from orchestrator.board.page import Address
from orchestrator.board.pages import every_address
from tests.board.inside import TOKEN, elsewhere, hub_of, on_loopback
from tests.board.markup import Elements
from tests.board.stage import FAILED, NAME, sight

BEARER = {"authorization": f"Bearer {TOKEN}"}
PATHS = (
    "/",
    f"/plans/{NAME}",
    f"/live?of=%2Fplans%2F{NAME}&since=a.1.b",
    "/api/board",
    "/api/openapi.json",
    "/metrics",
    "/nowhere",
)


@functools.cache
def board():
    return hub_of()


@pytest.fixture(scope="module")
def here():
    return on_loopback(board())


@pytest.fixture(scope="module")
def there():
    return elsewhere(board())


# Host.


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost:8443.evil.example",
        "127.0.0.1:8443@evil.example",
        "",
        "2130706433:8443",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_request_for_another_name_is_refused(here, host, path):
    answer = here.get(path, headers={"host": host})
    assert answer.status_code == 421
    assert NAME not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8443", "localhost:8443", "LOCALHOST:8443", "[::1]:8443"])
def test_a_request_for_this_one_is_not(here, host):
    assert here.get("/", headers={"host": host}).status_code == 200


def test_elsewhere_loopback_is_no_name(there):
    assert there.get("/", headers={**BEARER, "host": "127.0.0.1:8443"}).status_code == 421
    assert there.get("/", headers=BEARER).status_code == 200


def test_two_host_headers_are_refused(here):
    answer = here.get("/", headers=[("host", "127.0.0.1:8443"), ("host", "evil.example")])
    assert answer.status_code == 421


def test_names_with_ports():
    assert hosts(("a", "b:444", "[::1]"), 8443) == {"a:8443", "b:444", "[::1]:8443"}
    assert hosts(("a",), 443) == {"a", "a:443"}
    assert hosts(("a:443",), 8443) == {"a", "a:443"}


# Token.


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": b"Bearer \xff\xfe"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"{COOKIE}=9999999999.{'0' * 64}"},
        {"cookie": f"{COOKIE}=x.y; {COOKIE}"},
        {"cookie": b"\xff"},
        {"accept": "text/html"},
    ],
)
def test_without_the_token_it_is_401_and_tells_nothing(there, path, headers):
    answer = there.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    for secret in (TOKEN, FAILED, "CHG0031337"):
        assert secret not in answer.text


@pytest.mark.parametrize("kind", ["Bearer", "bearer"])
def test_with_it_everything_is_there(there, kind):
    for path in ("/", f"/plans/{NAME}", "/api/runs"):
        assert there.get(path, headers={"authorization": f"{kind} {TOKEN}"}).status_code == 200


def test_on_loopback_nobody_asks_for_it(here):
    assert here.get("/").status_code == 200
    assert here.get("/login").headers["location"] == "/"
    assert here.post("/login", data={"token": "x"}).status_code == 405


def test_a_browser_is_asked_and_brought_back(there):
    asked = there.get(f"/plans/{NAME}/wave?name=main", headers={"accept": "text/html"})
    assert asked.status_code == 401
    assert 'value="/plans/quickstart/wave?name=main"' in asked.text
    answer = there.post("/login", data={"token": TOKEN, "next": "/plans/quickstart/wave?name=main"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/plans/quickstart/wave?name=main")
    cookie = answer.headers["set-cookie"].lower()
    for word in ("httponly", "secure", "samesite=strict", "path=/", f"max-age={LASTS}"):
        assert word in cookie
    assert cookie.startswith("__host-")
    assert "domain" not in cookie
    assert TOKEN not in cookie
    value = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    assert there.get("/", headers={"cookie": f"a=b; {COOKIE}={value}"}).status_code == 200


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN.upper(), "\u00fc" * 64, TOKEN + "\x00"])
def test_a_wrong_token_gives_no_cookie(there, token):
    answer = there.post("/login", data={"token": token, "next": "/"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This is not the token" in answer.text
    assert 'name="token" type="password"' in answer.text
    if len(token) > 1:
        assert token not in answer.text


@pytest.mark.parametrize(
    "next_",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=y",
        "\t//evil",
        "/ü",
        "",
    ],
)
def test_a_log_in_leads_nowhere_else(there, next_):
    answer = there.post("/login", data={"token": TOKEN, "next": next_})
    assert answer.headers["location"] == "/"
    assert "x=y" not in answer.headers["set-cookie"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&" * 50, b"token=" + b"x" * 5000, b"", b"{}"])
def test_what_is_no_form_is_refused(there, body):
    assert there.post("/login", content=body).status_code in {400, 401, 413}


def test_a_cookie_ends_and_is_of_one_board():
    key, now = Key(TOKEN), time.time()
    cookie = key.cookie(now)
    assert key.accepts(cookie, now)
    assert not key.accepts(cookie, now + LASTS)
    assert not Key(TOKEN).accepts(cookie, now)
    until, _, seal = cookie.partition(".")
    assert not key.accepts(f"{int(until) + 1}.{seal}", now)
    assert TOKEN not in repr(key)


# Only looking.


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("path", [*PATHS, "/assets/board.css"])
def test_nothing_can_be_done(here, there, method, path):
    answer = here.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert there.request(method, path, headers=BEARER).status_code == 405


def test_head_tells_what_get_would(here):
    for path in ("/", "/api/board", "/assets/board.js", f"/plans/{NAME}/journal?migration={FAILED}"):
        assert here.head(path).status_code == here.get(path).status_code == 200
        assert here.head(path).content == b""
    mark = board().mark(board().showing(Address()))
    answer = here.head(f"/live?of=%2F&since={mark}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


# What every answer says.


@pytest.mark.parametrize(
    "path", [*PATHS, "/login", "/assets/board.css", "/assets/none", "/api/none", f"/plans/{NAME}/journal?before=9"]
)
def test_every_answer_says_what_may_run_and_who_may_keep_it(here, there, path):
    for answer in (
        here.get(path),
        there.get(path),
        here.get(path, headers={"host": "x"}),
        here.request("DELETE", path),
    ):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert rule in policy


def test_pages_keep_to_their_own_policy(here):
    for address in every_address(sight()):
        elements = Elements(here.get(address.url).text)
        assert not [name for _, name, _ in elements.attributes if name == "style" or name.startswith("on")]
        scripts = [attributes for tag, attributes in elements.shape if tag == "script"]
        assert scripts == [("type", "src")]
        assert not [tag for tag, _ in elements.shape if tag in {"style", "iframe", "object", "embed", "base"}]
        for value in (*elements.named("src"), *elements.named("href")):
            assert value.startswith(("/", "#main"))
            assert not value.startswith("//")


def test_what_is_served_asks_nobody_else(here):
    for name in ASSETS:
        text = here.get(f"/assets/{name}").text
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]+\.", text), name
        assert "@import" not in text
        assert "url(" not in text


# Where nothing is.


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../pages.py",
        "/assets/..%2fpages.py",
        "/assets/%2e%2e/pages.py",
        "/assets/..%5cpages.py",
        "/assets//etc/passwd",
        "/assets/board.css/",
        "/assets/board.css%00.js",
        "/assets/",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/templates/frame.html",
        "/plans/../../etc/passwd",
        f"/plans/{NAME}/../../x",
        "/plans/nobody",
        f"/plans/{NAME}%3Fx",
        f"/plans/{NAME}%23x",
        "/plans/nobody/journal?before=7",
        f"/plans/{NAME}/wave?name=../../etc/passwd",
        f"/plans/{NAME}/wave",
        "/live",
        "/live?of=/&since=x",
        "/live?of=//evil&since=a.1.b",
        f"/live?of=/plans/{NAME}/journal?before=3&since=a.1.b",
    ],
)
def test_there_is_nothing(here, path):
    answer = here.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "%0d%0aSet-Cookie:%20x=y", "%00", "%ff%fe", "\u202e", "a" * 5000, "'\"><img src=x>"],
)
def test_what_is_asked_for_is_not_given_back(here, name):
    for path in (
        f"/plans/{name}",
        f"/plans/{NAME}/wave?name={name}",
        f"/{name}",
        f"/assets/{name}",
        f"/api/plans/{name}/status",
    ):
        answer = here.get(path)
        assert answer.status_code in {400, 404}
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "%0d%0aSet-Cookie:%20x=y", "\u202e", "'\"><img src=x>"])
def test_a_filter_is_text(here, name):
    answer = here.get(f"/plans/{NAME}/journal?migration={name}")
    assert answer.status_code == 200
    elements = Elements(answer.text)
    assert [tag for tag, _ in elements.shape].count("script") == 1
    assert "img" not in [tag for tag, _ in elements.shape]
    assert "\u202e" not in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_open_pages_are_told_to_come_back(here, monkeypatch):
    monkeypatch.setattr(app_module, "MOST_PAGES", 0)
    mark = board().mark(board().showing(Address()))
    answer = here.get(f"/live?of=%2F&since={mark}")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_what_a_browser_finds_missing_is_a_page_and_a_program_is_given_a_document(here):
    assert here.get("/nowhere", headers={"accept": "text/html"}).text.startswith("<!DOCTYPE html>")
    assert "error" in here.get("/nowhere", headers={"accept": "application/json"}).json()
    assert "error" in here.get("/api/nowhere", headers={"accept": "text/html"}).json()
