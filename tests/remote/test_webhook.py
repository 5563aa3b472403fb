"""Posting notices to real HTTP servers on loopback: good ones, bad ones, and some that are not there."""

import contextlib
import logging
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from orchestrator.lab.wire.certificates import Authority
from orchestrator.model.noticed import NoticeRaised
from orchestrator.model.notices import Notice
from orchestrator.remote import webhook
from orchestrator.remote.errands import Errands
from orchestrator.remote.outbox import Outbox
from orchestrator.remote.webhook import Answer, Webhook
from tests.patience import PATIENCE
from tests.receivers import DROP, HANG, SECRET, dead_port, receiving

NOTICE = Notice("erp/1-abc", NoticeRaised(number=1, occasion="held", wave="w", migrations=("a",), detail="d"), None)


def post(url: str, base: Path = Path(), environment=None) -> Answer:
    return Webhook(url, base, environment).post(lambda _url: {"text": "hello", "dmsa": {}}, NOTICE.id)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_notice_arrives_as_json_with_its_id():
    with receiving() as receiver:
        assert post(receiver.url) == Answer("taken", status=200)
    (got,) = receiver.got
    assert (got.path, got.notice, got.body["text"]) == (f"/services/T0/{SECRET}", NOTICE.id, "hello")
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    assert got.headers["User-Agent"].startswith("dmsa/")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "taken"), (202, "taken"), (204, "taken")]
    + [(status, "refused") for status in (300, 301, 302, 304, 400, 401, 403, 404, 405, 410, 413, 415, 422)]
    + [(status, "later") for status in (408, 409, 425, 429, 500, 502, 503, 504, 599)],
)
def test_what_a_status_means(status, outcome):
    with receiving(lambda _number: (status, {}, b"")) as receiver:
        answer = post(receiver.url)
    assert (answer.outcome, answer.status) == (outcome, status)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"invalid_payload", " invalid_payload"),
        (b"channel_is_archived\n", " channel_is_archived"),
        (b'{"error": "no"}', ""),
        (SECRET.encode(), ""),
        (b"a" * 100_000, ""),
        (b"", ""),
    ],
)
def test_only_one_word_of_what_the_receiver_says_is_kept(said, heard):
    with receiving(lambda _number: (400, {}, said)) as receiver:
        assert post(receiver.url).why == f"it answers 400{heard}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30", 30.0), ("0", 0.0), ("99999", webhook.LONGEST_RETRY_AFTER), ("soon", None), ("-5", None), ("", None)],
)
def test_retry_after_in_seconds(value, seconds):
    with receiving(lambda _number: (429, {"Retry-After": value}, b"")) as receiver:
        assert post(receiver.url).after == seconds


def test_retry_after_as_a_date():
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    with receiving(lambda _number: (503, {"Retry-After": date}, b"")) as receiver:
        after = post(receiver.url).after
    assert after is not None
    assert 300 < after <= 600


def test_nobody_listens():
    answer = post(f"http://127.0.0.1:{dead_port()}/{SECRET}")
    assert answer == Answer("later", "no connection, or it broke off before an answer")


def test_a_receiver_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(webhook, "ANSWER_WITHIN", 0.2)
    with receiving(lambda _number: HANG) as receiver:
        assert post(receiver.url).outcome == "later"


def test_a_connection_that_breaks_off():
    with receiving(lambda _number: DROP) as receiver:
        assert post(receiver.url).outcome == "later"


def test_an_answer_that_is_no_http():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-nonsense\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        answer = post(f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}")
        thread.join()
    assert answer.outcome == "later"
    assert SECRET not in answer.why


def test_a_redirect_on_the_same_host_is_followed():
    with receiving(lambda number: (308, {"Location": "/moved"}, b"") if number == 1 else 200) as receiver:
        assert post(receiver.url).outcome == "taken"
    assert [one.path for one in receiver.got] == [f"/services/T0/{SECRET}", "/moved"]
    assert receiver.got[0].body == receiver.got[1].body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_is_posted_to_another_host(status):
    with receiving() as other:
        with receiving(lambda _number: (status, {"Location": other.url}, b"")) as receiver:
            answer = post(receiver.url)
        assert answer.outcome == "refused"
        assert not other.got
    assert SECRET not in answer.why


def test_redirects_end():
    with receiving(lambda _number: (307, {"Location": "/again"}, b"")) as receiver:
        assert post(receiver.url).outcome == "refused"
    assert len(receiver.got) == 3


def test_tls_is_verified_against_the_authorities_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    with receiving(tls=authority.identity("receiver", "127.0.0.1").context) as receiver:
        refused = post(receiver.url)
        assert refused.outcome == "later"
        assert "certificate is not trusted" in refused.why
        assert not receiver.got
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert post(receiver.url).outcome == "taken"


# Who it is, and what is secret about him.


def test_a_url_may_stand_in_the_environment_or_in_a_file(tmp_path):
    with receiving() as receiver:
        known = {"TEAMS": f" {receiver.url}\n"}.get
        assert post("${env:TEAMS}", environment=known).outcome == "taken"
        (tmp_path / "hook").write_text(f"{receiver.url}\n", encoding="utf-8")
        assert post("${file:hook}", tmp_path).outcome == "taken"
        (tmp_path / "hook").write_text(f"{receiver.url}/rotated", encoding="utf-8")
        assert post("${file:hook}", tmp_path).outcome == "taken"
    assert receiver.got[-1].path.endswith("/rotated")


@pytest.mark.parametrize(
    ("given", "known", "says"),
    [
        ("${env:TEAMS}", {}, "the environment variable TEAMS, which is not set"),
        ("${file:hook}", {}, "which is not a file"),
        ("${env:TEAMS}", {"TEAMS": SECRET}, "no http:// or https:// URL"),
        ("${env:TEAMS}", {"TEAMS": f"ftp://host/{SECRET}"}, "no http:// or https:// URL"),
        ("${env:TEAMS}", {"TEAMS": f"https://[::1/{SECRET}"}, "no http:// or https:// URL"),
        ("${env:TEAMS}", {"TEAMS": f"https://host:port/{SECRET}"}, "no http:// or https:// URL"),
        ("${env:TEAMS}", {"TEAMS": f"https://a..b/{SECRET}"}, "cannot be used"),
    ],
)
def test_a_reference_that_leads_nowhere_is_tried_again_later(given, known, says, tmp_path):
    answer = post(given, tmp_path, known.get)
    assert answer.outcome == "later"
    assert says in answer.why
    assert SECRET not in answer.why


def test_nothing_that_is_logged_or_shown_holds_the_url(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with receiving(lambda _number: (500, {"Bad Header": "x"}, b"")) as receiver:
        hook = Webhook(receiver.url, Path())
        post(receiver.url)
        shown = f"{hook!r} {hook} {hook.url()!r} {hook.name}"
    post(f"http://127.0.0.1:{dead_port()}/{SECRET}")
    assert SECRET not in shown
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())


def test_what_others_log_with_urllib3_is_not_kept_from_them(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("of a call to a host")
    assert "of a call to a host" in caplog.text


# The outbox.


def test_receivers_do_not_wait_for_each_other():
    with receiving(lambda _number: HANG) as hung, receiving() as good:
        outbox = Outbox([Webhook(hung.url, Path()), Webhook(good.url, Path())], lambda *_: {"text": "x"})
        hung_name, good_name = (Webhook(one.url, Path()).name for one in (hung, good))
        assert outbox.send(hung_name, NOTICE, 0)
        assert outbox.send(good_name, NOTICE, 3)
        (answered,) = outbox.answers(PATIENCE)
        assert (answered.receiver, answered.notice, answered.missed) == (good_name, NOTICE.id, 3)
        assert outbox.under_way(hung_name)
        assert not outbox.under_way(good_name)


def test_somebody_whom_the_plan_does_not_name_is_sent_nothing():
    outbox = Outbox([], lambda *_: {})
    assert not outbox.send("env:OTHER", NOTICE, 0)
    assert list(outbox.answers()) == []


def test_a_defect_in_what_is_written_is_an_answer_and_says_nothing_secret():
    def broken(_webhook, _notice, _missed, url):
        raise KeyError(url)

    with receiving() as receiver:
        outbox = Outbox([Webhook(receiver.url, Path())], broken)
        outbox.send(Webhook(receiver.url, Path()).name, NOTICE, 0)
        (answered,) = outbox.answers(PATIENCE)
    assert answered.answer == Answer("later", "a defect in the program (KeyError)")


def test_errands_leave_no_thread_behind():
    errands = Errands()
    before = threading.active_count()
    for number in range(50):
        errands.begin("one", lambda number=number: number)
        assert list(errands.ended(PATIENCE)) == [("one", number)]
    with contextlib.suppress(RuntimeError):
        for thread in threading.enumerate():
            if thread.name == "errand-one":
                thread.join(PATIENCE)
    assert threading.active_count() <= before
    errands.begin("one", os.getpid)
    with pytest.raises(ValueError, match="under way"):
        errands.begin("one", os.getpid)
    assert list(errands.ended(PATIENCE)) == [("one", os.getpid())]
