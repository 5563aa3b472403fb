"""Samba reads the same descriptors as the same entries, and its access check grants the same: a peer, not a copy.

Samba 4.17 knows no conditions, labels or claims, and its bindings show the check without object types; those are held
against the documents (test_sddl.py) and against the lab's own check (tests/guards/test_who_may.py).
"""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.security.access import OWNER_RIGHTS, Wish, granted
from orchestrator.model.security.sddl import Acl, Entry, Security, read, write
from orchestrator.model.security.words import OF_OBJECTS, Inherit, Kind, Right, sid_of
from tests.model.test_sddl import WORDS
from tests.services import without

DOMAIN = "S-1-5-21-1-2-3"
PYTHON = "/usr/bin/python3"
TYPES = {Kind.ALLOW: 0, Kind.DENY: 1, Kind.AUDIT: 2, Kind.ALLOW_OBJECT: 5, Kind.DENY_OBJECT: 6, Kind.AUDIT_OBJECT: 7}
"""ACE types by number (MS-DTYP 2.4.4.1)."""
PEOPLE = (
    *("S-1-1-0", "S-1-5-11", "S-1-5-10", "S-1-5-18", "S-1-5-9", "S-1-3-0", "S-1-5-32-544", "S-1-5-32-548"),
    *(f"{DOMAIN}-{rid}" for rid in (500, 512, 513, 1104, 1105)),
)
GUIDS = ("0feb936f-47b3-49f2-9386-1dedc2c23765", "3752e002-43be-48c8-b3ca-2cb2fffbc8a1")
KNOWN = [right for right in Right if right not in {Right.AS, Right.MA}]
SPECIFIC = [right for right in Right if right < Right.AS]
OF_ORDER = [Right.CC, Right.WP, Right.RP, Right.WD, Right.WO, Right.SD, Right.RC]


def asked(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask Samba everything at once."""
    if not Path(PYTHON).exists() or _run("-c", "import samba.security").returncode:
        without("needs Samba's Python bindings (python3-samba), which this machine does not have")
    text = "".join(json.dumps({"domain": DOMAIN, **one}) + "\n" for one in requests)
    done = _run(str(Path(__file__).with_name("peer_samba.py")), said=text)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(requests)
    return found


def _run(*words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([PYTHON, *words], input=said, capture_output=True, text=True, check=False)


def entry(chance: random.Random, kinds: list[Kind], *, plain: bool = False) -> Entry:
    kind = chance.choice(kinds)
    about, inherited_by = (chance.choice((None, *GUIDS)) if kind in OF_OBJECTS else None for _ in range(2))
    masks = [sum(chance.sample(SPECIFIC, chance.randrange(1, 4)))]
    if not plain:
        masks = [sum(chance.sample(KNOWN, chance.randrange(1, 5))), chance.randrange(1, 2**32)]
    flags = chance.choice([0, 0, 2, 0x12, 0x0A, 0x1A]) if plain else chance.randrange(32)
    flags |= 0 if plain or kind not in {Kind.AUDIT, Kind.AUDIT_OBJECT} else chance.randrange(4) << 6
    return Entry(kind, Inherit(flags), chance.choice(masks), chance.choice(PEOPLE), about, inherited_by)


def shown(acl: Acl | None) -> list[list[Any]] | None:
    """Return our entries as Samba's are shown."""
    if acl is None or acl.entries is None:
        return None
    return [
        [TYPES[one.kind], int(one.flags), one.rights, one.trustee, one.about, one.inherited_by] for one in acl.entries
    ]


def test_samba_reads_the_same_entries_and_we_read_what_it_writes():
    chance = random.Random("descriptors")
    allowing, auditing = list(TYPES)[:2] + list(TYPES)[3:5], [Kind.AUDIT, Kind.AUDIT_OBJECT]
    made = []
    for _ in range(400):
        owner, group = (chance.choice((None, *PEOPLE)) for _ in range(2))
        control = chance.choice([(), ("P",), ("AI",), ("P", "AI")])
        dacl = Acl(control, tuple(entry(chance, allowing) for _ in range(chance.randrange(1, 5))))
        sacl = Acl((), tuple(entry(chance, auditing) for _ in range(chance.randrange(1, 3))))
        made.append(Security(owner, group, dacl, chance.choice((None, sacl))))
    answers = asked([{"sddl": write(one, DOMAIN)} for one in made])
    for one, answer in zip(made, answers, strict=True):
        assert [one.owner, one.group] == [answer["owner"], answer["group"]]
        assert shown(one.dacl) == answer["dacl"]
        assert shown(one.sacl) == answer["sacl"]
        again = read(answer["sddl"], DOMAIN)
        assert (shown(again.dacl), shown(again.sacl)) == (answer["dacl"], answer["sacl"])


def test_samba_knows_the_same_words_for_somebody():
    for word, answer in zip(WORDS, asked([{"sddl": f"O:{word}"} for word in WORDS]), strict=True):
        assert sid_of(word, DOMAIN) == answer["owner"], word


@pytest.mark.parametrize("limits_owner", [False, True])
def test_samba_grants_the_same(limits_owner: bool):
    """Entries in any order, denials after what they would deny too: the first that speaks of a right decides."""
    chance = random.Random(f"access {limits_owner}")
    made, tokens = [], []
    for _ in range(2000):
        entries = [entry(chance, [Kind.ALLOW, Kind.DENY], plain=True) for _ in range(chance.randrange(6))]
        if limits_owner:
            rights = sum(chance.sample(SPECIFIC, 2))
            kind = chance.choice([Kind.ALLOW, Kind.DENY])
            entries.insert(chance.randrange(len(entries) + 1), Entry(kind, Inherit(0), rights, OWNER_RIGHTS))
        made.append(Security(chance.choice(PEOPLE), PEOPLE[0], Acl((), tuple(entries))))
        tokens.append(frozenset(chance.sample([one for one in PEOPLE if one not in {"S-1-5-10", "S-1-3-0"}], 3)))
    answers = asked([
        {"sddl": write(one, DOMAIN), "token": sorted(token), "rights": [int(right) for right in OF_ORDER]}
        for one, token in zip(made, tokens, strict=True)
    ])  # fmt: skip
    granting = 0
    for one, token, answer in zip(made, tokens, answers, strict=True):
        for right in OF_ORDER:
            if one.owner in token and right in {Right.RC, Right.WD} and not limits_owner:
                continue  # Samba follows the mode of KB5008383 in which an owner has no right by itself
            ours = granted(one, token, Wish(right, "do it")) is not None
            assert ours == (int(right) in answer["granted"]), (write(one, DOMAIN), sorted(token), right)
            granting += ours
    assert granting > 200, "or nothing was compared"
