"""Samba's reading of security descriptors and its access check, for a test to hold against: JSON in, JSON out.

Runs under the system's Python, to which Samba's bindings belong; it starts no server and opens no file.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def entry(ace: Any) -> list[Any]:
    """Return an entry as plain data: type, flags, mask, trustee, and the GUIDs of an object's entry."""
    about = inherited_by = None
    if ace.type in {5, 6, 7, 8}:  # entries for objects (MS-DTYP 2.4.4.1)
        about = str(ace.object.type) if ace.object.flags & 1 else None
        inherited_by = str(ace.object.inherited_type) if ace.object.flags & 2 else None
    return [ace.type, ace.flags, ace.access_mask, str(ace.trustee), about, inherited_by]


def main() -> None:
    """Answer one request a line."""
    from samba import NTSTATUSError  # type: ignore[import-not-found]
    from samba.dcerpc import security  # type: ignore[import-not-found]
    from samba.security import access_check  # type: ignore[import-not-found]

    for line in sys.stdin:
        asked = json.loads(line)
        domain = security.dom_sid(asked["domain"])
        try:
            found = security.descriptor.from_sddl(asked["sddl"], domain)
        except TypeError as error:
            raise SystemExit(f"{asked['sddl']}: {error}") from None
        answer = {
            "owner": str(found.owner_sid) if found.owner_sid else None,
            "group": str(found.group_sid) if found.group_sid else None,
            "dacl": [entry(ace) for ace in found.dacl.aces] if found.dacl else None,
            "sacl": [entry(ace) for ace in found.sacl.aces] if found.sacl else None,
            "sddl": found.as_sddl(domain),
            "granted": [],
        }
        token = security.token()
        sids = [security.dom_sid(sid) for sid in asked.get("token", ())]
        token.sids, token.num_sids = sids, len(sids)
        for right in asked.get("rights", ()):
            try:
                access_check(found, token, right)
                answer["granted"].append(right)
            except NTSTATUSError:
                continue
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
