"""NTLM and Kerberos as pypsrp speaks them, held to what a plan asks for.

pypsrp takes a log-on that worked for good enough. Here a ticket that was to be delegated and was not ends it before
anything is sent with it, and a host that does not prove itself after it has answered is told apart from one that
refused: what it was asked may have been done.
"""

from __future__ import annotations

import re
from typing import Any

from pypsrp.negotiate import HTTPNegotiateAuth
from requests import PreparedRequest, Response
from spnego import ContextReq

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z]+)(?=\s|,|$)")
_SCHEMES = {
    "basic": {"basic"},
    "kerberos": {"kerberos", "negotiate"},
    "negotiate": {"kerberos", "negotiate"},
    "ntlm": {"ntlm", "negotiate"},
}
"""By which schemes of HTTP each ``auth`` of a plan can travel; a certificate is offered by nobody."""


class NotOffered(Exception):
    """The host answered 401 and does not offer the way to log on that the plan names."""


class NotDelegated(Exception):
    """The ticket was to be delegated, and the log-on would have gone without; nothing was sent with it."""


class Unproved(Exception):
    """The host answered, and then did not prove that it is the one that the ticket is for."""


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

    def leaving(self, request: PreparedRequest) -> None:
        """Look at a request, or a leg of the handshake, that is about to be sent.

        Raises:
            NotDelegated: it would carry a log-on that is less than what was asked for.
        """
        self._answered = False
        if self.delegate and "Authorization" in request.headers:
            for context in self.contexts.values():
                if not context.context_attr & ContextReq.delegate:
                    raise NotDelegated

    def arrived(self, response: Response) -> None:
        """Look at what came back."""
        self._answered = response.status_code != 401

    def response_hook(self, response: Response, **kwargs: Any) -> Response:
        """Log on if that is what *response* asks for, and return the answer to the request that was refused.

        Raises:
            NotDelegated: before anything was sent with the log-on.
            Unproved: the host answered, and did not prove itself.
            SpnegoError: there is no log-on.
        """
        try:
            answer: Response = super().response_hook(response, **kwargs)  # type: ignore[no-untyped-call]  # pypsrp
        except Exception as error:
            if self._answered:
                raise Unproved from error
            raise
        return answer
