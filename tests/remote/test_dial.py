"""Connections that are made at the same time: the client library shares a table of the process."""

from __future__ import annotations

import os
import threading
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from requests import Request, Session

from orchestrator.remote.connection import Secret, Settings
from orchestrator.remote.dial import asked_for, dial

AT_ONCE = 4


@pytest.fixture
def interleaved():
    """Let threads that are begun in the test give way to each other before each line that changes the table."""

    def give_way(frame, _event, _argument):
        if frame.f_code is not ET.register_namespace.__code__:
            return None
        os.sched_yield()
        return give_way

    before = threading.gettrace()
    threading.settrace(give_way)
    yield
    threading.settrace(before)


@pytest.mark.usefixtures("interleaved")
def test_hosts_are_dialled_at_the_same_time():
    together = threading.Barrier(AT_ONCE)

    def make(number: int) -> str:
        together.wait()
        wsman = dial(Settings(f"app{number}.corp.example", 5986, "127.0.0.1", "ntlm"))
        wsman.close()
        return wsman.transport.server

    for _ in range(5):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            assert list(threads.map(make, range(AT_ONCE))) == [f"app{number}.corp.example" for number in range(AT_ONCE)]


def test_retry_after_is_a_number_of_seconds_or_a_date():
    assert [asked_for(text) for text in ("120", " 7 ", "0")] == [120.0, 7.0, 0.0]
    soon = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    assert 290 < asked_for(soon) <= 300
    assert asked_for("Fri, 31 Dec 1999 23:59:59 GMT") == 0.0
    assert [asked_for(text) for text in ("", "soon", "-5", "1e3")] == [None] * 4


URL = "https://app01.corp.example:5986/wsman"
OF_A_CALL = {"Content-Type": "application/soap+xml;charset=UTF-8"}


def to_app01(auth):
    return dial(Settings("app01.corp.example", 5986, "127.0.0.1", auth, True, Secret("me"), Secret("x")))


def plain(prepared):
    return prepared.method, prepared.url, dict(prepared.headers), prepared.body, len(prepared.hooks["response"])


@pytest.mark.parametrize("auth", ["basic", "ntlm", "certificate"])
@pytest.mark.parametrize("cookies", [{}, {"balancer": "2"}], ids=["no cookie", "a cookie"])
def test_every_request_is_what_requests_would_have_made_of_it(auth, cookies):
    with closing(to_app01(auth)) as one:
        session = one.transport.session
        for body, headers in ((None, {}), (b"<a/>", OF_A_CALL), ("<\xe4/>".encode(), {**OF_A_CALL, "X": "1"})) * 2:
            request = Request("POST", URL, data=body, headers=headers)
            assert plain(session.prepare_request(request)) == plain(Session.prepare_request(session, request))
            session.cookies.update(cookies)


def test_another_url_is_another_request():
    with closing(
        dial(Settings("app01.corp.example", 5986, "127.0.0.1", "basic", True, Secret("me"), Secret("x")))
    ) as one:
        session = one.transport.session
        urls = [URL, f"{URL}?x=1", URL]
        assert [session.prepare_request(Request("POST", url)).url for url in urls] == urls
