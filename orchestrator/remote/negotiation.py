"""NTLM and Kerberos as pypsrp speaks them, held to what a plan asks for.

pypsrp takes a log-on that worked for good enough. Here a ticket that was to be delegated and was not ends it before
anything is sent with it, and a host that does not prove itself after it has answered is told apart from one that
refused: what it was asked may have been done. And where a ticket was refused, the two clocks are compared: that they
differ explains some refusals, and Kerberos itself names neither the clock nor the difference.
"""

from __future__ import annotations

import re
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from pypsrp.negotiate import HTTPNegotiateAuth
from requests import PreparedRequest, Response
from spnego import ContextReq

from orchestrator.model.written import write_duration

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z]+)(?=\s|,|$)")
_SCHEMES = {
    "basic": {"basic"},
    "kerberos": {"kerberos", "negotiate"},
    "negotiate": {"kerberos", "negotiate"},
    "ntlm": {"ntlm", "negotiate"},
}
"""By which schemes of HTTP each ``auth`` of a plan can travel; a certificate is offered by nobody."""

_ALLOWED = 300
"""Seconds that clocks may differ by (RFC 4120 1.6, and the default of a Windows domain)."""


class NotOffered(Exception):
    """The host answered 401 and does not offer the way to log on that the plan names."""


class NotDelegated(Exception):
    """The ticket was to be delegated, and the log-on would have gone without; nothing was sent with it."""


class Unproved(Exception):
    """The host answered, and then did not prove that it is the one that the ticket is for."""


class Apart(Exception):
    """The host refused a log-on, and its clock is not the runner's: the text says by how much, and to which side."""


def check_offer(auth: str, response: Response) -> None:
    """See whether a 401 offers *auth* at all.

    Raises:
        NotOffered: it does not.
    """
    wanted = _SCHEMES.get(auth)
    if response.status_code != 401 or wanted is None:
        return
    offered = _SCHEME.findall(response.headers.get("WWW-Authenticate", ""))
    if not wanted & {scheme.lower() for scheme in offered}:
        raise NotOffered(f"{auth}; it offers {', '.join(offered) or 'nothing'}")


class Negotiation(HTTPNegotiateAuth):
    """One connection's log-on by NTLM or Kerberos, bound to the host's certificate where there is TLS."""

    def __init__(
        self, *, username: str | None, password: str | None, provider: str, delegate: bool, seal: bool
    ) -> None:
        super().__init__(username, password, auth_provider=provider, delegate=delegate, wrap_required=seal)
        self._answered = False
        self._shown = False
        self._apart = ""

    def leaving(self, request: PreparedRequest) -> None:
        """Look at a request, or a leg of the handshake, that is about to be sent.

        Raises:
            NotDelegated: it would carry a log-on that is less than what was asked for.
        """
        self._answered = False
        self._shown = "Authorization" in request.headers
        if self.delegate and "Authorization" in request.headers:
            for context in self.contexts.values():
                if not context.context_attr & ContextReq.delegate:
                    raise NotDelegated

    def arrived(self, response: Response) -> None:
        """Look at what came back."""
        self._answered = response.status_code != 401
        self._apart = _apart(response.headers.get("Date", "")) if self._shown and not self._answered else ""

    def response_hook(self, response: Response, **kwargs: Any) -> Response:
        """Log on if that is what *response* asks for, and return the answer to the request that was refused.

        Raises:
            NotDelegated: before anything was sent with the log-on.
            Unproved: the host answered, and did not prove itself.
            Apart: it refused what the log-on showed it; why is in the cause.
            SpnegoError: there is no log-on.
        """
        try:
            answer: Response = super().response_hook(response, **kwargs)  # type: ignore[no-untyped-call]  # pypsrp
        except Exception as error:
            if self._answered:
                raise Unproved from error
            if self._apart:
                raise Apart(self._apart) from error
            raise
        return answer


def _apart(date: str) -> str:
    """Return how far the host's clock is from the runner's, by the Date of its answer; nothing where it is near."""
    try:
        ahead = parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return ""
    if abs(ahead) < _ALLOWED:
        return ""
    by = write_duration(timedelta(minutes=round(abs(ahead) / 60)))
    return f"{by} {'ahead of' if ahead > 0 else 'behind'} the runner's"
