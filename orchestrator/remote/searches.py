"""What may be asked of a domain controller by LDAP: one object by its name, or the account of a name. Nothing else.

There is no write here and no filter: what leaves is built from these values (:mod:`orchestrator.remote.ldap`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.model.witness import SEARCH
from orchestrator.remote.kinds import ACCOUNT_NAME, ATTRIBUTES, DN, matching
from orchestrator.remote.rows import Row, form, reads

_BY_GUID = matching("a GUID as a name", r"<GUID=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}>")

SEARCHES: Mapping[str, Row] = MappingProxyType(
    {
        SEARCH: reads(
            SEARCH,
            form({"Base": DN | _BY_GUID, "Properties": ATTRIBUTES}),
            form({"Base": DN, "Account": ACCOUNT_NAME, "Properties": ATTRIBUTES}),
            by="link complete undo reset",
            source="RFC 4511, 4.5; MS-ADTS 3.1.1.3.1.2.4",
        )
    }
)
"""Every statement that an LDAP endpoint takes."""
