"""A Kerberos ticket that a password buys, for one log-on of one thread, and gone afterwards.

OpenLDAP takes tickets only from a cache, the runner's own; where the plan names a user and a password, the cache is one
in memory that this thread alone is pointed to (``gss_krb5_ccache_name`` of MIT Kerberos is a matter of the thread).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

_MINOR = re.compile(r"Minor \(\d+\): (?P<says>.*)", re.DOTALL)


class NoTicket(Exception):
    """Kerberos gave none; the text says why, and holds no secret."""


@contextmanager
def bought(username: str, password: str) -> Iterator[None]:
    """Let this thread log on with a ticket of *username* while the context lasts.

    Raises:
        NoTicket: the password is wrong, or no domain controller answers for the realm.
    """
    import gssapi.raw
    import krb5

    kerberos = gssapi.raw.OID.from_int_seq("1.2.840.113554.1.2.2")
    cache = f"MEMORY:{uuid4()}".encode()
    try:
        name = gssapi.raw.import_name(username.encode(), gssapi.raw.NameType.user)
        found = gssapi.raw.acquire_cred_with_password(name, password.encode(), mechs=[kerberos], usage="initiate")
        gssapi.raw.store_cred_into({b"ccache": cache}, found.creds, usage="initiate", mech=kerberos, overwrite=True)
    except gssapi.raw.GSSError as error:
        said = _MINOR.search(str(error))
        raise NoTicket(" ".join((said["says"] if said else str(error)).split())) from None
    gssapi.raw.krb5_ccache_name(cache)
    try:
        yield
    finally:
        gssapi.raw.krb5_ccache_name(None)
        context = krb5.init_context()
        krb5.cc_destroy(context, krb5.cc_resolve(context, cache))


def held() -> str | None:
    """Return the principal whose ticket this process would log on with; None without one, or without Kerberos."""
    try:
        import gssapi.raw

        kerberos = gssapi.raw.OID.from_int_seq("1.2.840.113554.1.2.2")
        found = gssapi.raw.acquire_cred(None, mechs=[kerberos], usage="initiate")
        name = gssapi.raw.inquire_cred(found.creds, name=True).name
        shown = gssapi.raw.display_name(name, name_type=False).name
    except (ImportError, OSError):
        return None
    except gssapi.raw.GSSError:
        return None
    text = shown.decode("utf-8", "replace") if isinstance(shown, bytes) else str(shown)
    return text if text.isprintable() and text else None
