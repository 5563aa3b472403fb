"""The one place that posts to webhooks. A URL is a secret: it is in no message, log line or traceback of ours.

TLS is verified, proxies are those of the environment (``HTTPS_PROXY``, ``NO_PROXY``), and so may be the authorities
(``REQUESTS_CA_BUNDLE``). A redirect is followed on the same host only: what is posted goes to nobody whom the plan does
not name. What the receiver says is read no further than its status and one word.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

import requests

from orchestrator import __version__
from orchestrator.model.receiver import receiver_of
from orchestrator.remote.connection import Secret, Unconfigured, secret_of

Outcome: TypeAlias = Literal["taken", "later", "refused"]
CONNECT_WITHIN, ANSWER_WITHIN = 5.0, 15.0
LONGEST_RETRY_AFTER = 3600.0
_LATER = frozenset({408, 409, 421, 423, 425, 429})
"""Client errors that are about the moment, not about the request (RFC 9110, 15.5; RFC 6585; RFC 8470)."""
_SAME_REQUEST = frozenset({307, 308})
"""Redirects under which a POST stays one (RFC 9110, 15.4)."""
_REDIRECTS = 3
_WORD = re.compile(rb"[a-z][a-z_]{1,39}")
"""What Slack says is one such word: ``invalid_payload``, ``channel_is_archived``."""
_POSTING = threading.local()


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keep urllib3 from logging what it does on this thread: its messages hold the URL."""
    _POSTING.on = True
    try:
        yield
    finally:
        _POSTING.on = False


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(lambda _record: not getattr(_POSTING, "on", False))


@dataclass(frozen=True)
class Answer:
    """What came of a post. ``why`` is for people; ``after``: seconds that the receiver wants to be left alone."""

    outcome: Outcome
    why: str = ""
    status: int = 0
    after: float | None = None


@dataclass(frozen=True)
class Webhook:
    """A receiver: the URL or reference of the plan, and where relative paths begin."""

    given: str
    base: Path
    environment: Callable[[str], str | None] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Who it is, without what is secret."""
        return receiver_of(self.given)

    def __repr__(self) -> str:
        return f"<webhook {self.name}>"

    def url(self) -> Secret:
        """Return the URL, looked up now: a file or keyring may hold another one than before.

        Raises:
            Unconfigured: what the plan refers to is not there, or is no URL.
        """
        looked_up = {} if self.environment is None else {"environment": self.environment}
        url = secret_of(f"receiver {self.name}", "webhook", self.given, self.base, **looked_up)
        return Secret(url.reveal().strip())

    def post(self, body: Callable[[str], Mapping[str, Any]], notice: str) -> Answer:
        """Post a document; *body* makes it for the URL, which it must not keep. Never raises for what is remote."""
        try:
            url = self.url().reveal()
        except Unconfigured as wrong:
            return Answer("later", f"{wrong.fault.message}; {wrong.fault.remedy}")
        if not _is_url(url):
            return Answer("later", f"receiver {self.name}: what webhook refers to is no http:// or https:// URL")
        content = json.dumps(body(url), ensure_ascii=False).encode(errors="replace")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"dmsa/{__version__}",
            "X-Dmsa-Notice": notice,
        }
        try:
            with _unlogged():
                return _posted(url, content, headers)
        except requests.RequestException as error:
            return Answer("later", _why(error))
        except (ValueError, UnicodeError) as error:  # urllib3 and idna have errors of their own about URLs
            return Answer("later", f"the URL cannot be used ({type(error).__name__})")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _posted(url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    for _ in range(_REDIRECTS):
        with requests.post(
            url,
            data=content,
            headers=dict(headers),
            timeout=(CONNECT_WITHIN, ANSWER_WITHIN),
            allow_redirects=False,
            stream=True,
        ) as response:
            where = response.headers.get("Location")
            if response.status_code not in _SAME_REQUEST or where is None:
                return _answer(response)
            target = urljoin(url, where)
            if _place(target) != _place(url):
                return Answer("refused", "it redirects to another place; put the new URL in", response.status_code)
            url = target
    return Answer("refused", f"it redirects more than {_REDIRECTS} times", response.status_code)


def _place(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _answer(response: requests.Response) -> Answer:
    status = response.status_code
    if 200 <= status < 300:
        return Answer("taken", status=status)
    why = f"it answers {status}{_said(response)}"
    if status >= 500 or status in _LATER:
        return Answer("later", why, status, _retry_after(response.headers.get("Retry-After")))
    return Answer("refused", why, status)


def _said(response: requests.Response) -> str:
    try:
        word = response.raw.read(41, decode_content=True) or b""
    except Exception:  # noqa: BLE001 - the status is the answer; what breaks after it is not asked for
        return ""
    return f" {word.strip().decode()}" if _WORD.fullmatch(word.strip()) else ""


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else _until(value)
    except (TypeError, ValueError):
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime.fromtimestamp(time.time(), UTC)).total_seconds()


def _why(error: requests.RequestException) -> str:
    """Say what is wrong without the exception's own words: those hold the URL."""
    match error:
        case requests.exceptions.SSLError():
            return "its TLS certificate is not trusted, or TLS failed (REQUESTS_CA_BUNDLE names other authorities)"
        case requests.exceptions.ProxyError():
            return "the proxy of the environment (HTTPS_PROXY) does not connect to it"
        case requests.exceptions.ConnectTimeout():
            return f"no connection within {CONNECT_WITHIN:.0f} s"
        case requests.exceptions.ReadTimeout():
            return f"no answer within {ANSWER_WITHIN:.0f} s"
        case requests.exceptions.ConnectionError():
            return "no connection, or it broke off before an answer"
        case _:
            return f"it could not be posted ({type(error).__name__})"
