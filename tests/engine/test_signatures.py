"""Every signature of a journal is checked against the plan that its run went by; the first wrong row is named."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.engine.signatures import SignatureCheck
from orchestrator.journal import Row
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import VERSION, Event, to_body
from orchestrator.model.words import Amended, Approval, ApprovalWithdrawn, Approved, WaiverApproved
from tests.signers import line_of, raw_of, signed_by

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
THIS, OTHER = "a" * 64, "b" * 64


def plan(keys: dict[str, str] | None = None, other: dict[str, str] | None = None) -> dict[str, Any]:
    """Return as much of a canonical plan as is asked: two migrations in one wave, one in another without keys."""
    one, two = ({"dmsa": {"name": f"dmsa-{n}"}, "approvals": {"keys": k}} for n, k in (("a", keys), ("b", other)))
    three = {"dmsa": {"name": "dmsa-c"}, "approvals": {"keys": None}}
    return {"waves": [{"name": "main", "migrations": [one, two]}, {"name": "free", "migrations": [three]}]}


KEYED = plan({"ann": raw_of("ann"), "ben": line_of("ben")})


def gate(by: str = "ann", wave: str = "main", digest: str = THIS) -> Approval:
    return Approved(wave=wave, gate="start", digest=digest, by=by, given=AT)


def waiver(by: str = "ann", migration: str = "dmsa-a") -> Approval:
    return WaiverApproved(migration=migration, guard="recycle-bin", digest=THIS, by=by, given=AT)


def rows(*events: Event | tuple[str, Event]) -> list[Row]:
    found = []
    for seq, one in enumerate(events, 1):
        run, event = one if isinstance(one, tuple) else ("erp", one)
        found.append(Row(run, AT, event.kind, VERSION, to_body(event), seq, None, "0" * 64))
    return found


def checked(*events: Event | tuple[str, Event]) -> SignatureCheck:
    check = SignatureCheck()
    for row in rows(*events):
        check.take_in(row)
    return check


BEGAN = RunBegan(digest=THIS, plan=KEYED, by="x", tool="1")
FREE = RunBegan(digest=THIS, plan=plan(), by="x", tool="1")
SIGNED = signed_by("ann", gate(), "erp")


def test_what_is_signed_as_it_should_be_is_counted():
    found = checked(BEGAN, SIGNED, signed_by("ben", gate("ben"), "erp"), signed_by("ann", waiver(), "erp"))
    assert (found.signed, found.wrong) == (3, None)


def test_where_nobody_has_a_key_nothing_need_be_signed():
    found = checked(FREE, gate(), waiver(), gate(wave="free"), ApprovalWithdrawn(wave="main", gate="start", by="ann"))
    assert (found.signed, found.wrong) == (0, None)


@pytest.mark.parametrize(
    ("events", "row", "why"),
    [
        ((BEGAN, gate()), 2, "is not signed, and the plan has keys"),
        ((BEGAN, waiver()), 2, "is not signed, and the plan has keys"),
        ((BEGAN, signed_by("eve", gate(), "erp")), 2, "has a signature that does not fit"),
        ((BEGAN, signed_by("eve", gate("eve"), "erp")), 2, "is by somebody who has no key in the plan"),
        ((BEGAN, signed_by("ann", gate(), "mail")), 2, "has a signature that does not fit"),
        ((BEGAN, SIGNED, SIGNED.model_copy(update={"by": "ben"})), 3, "has a signature that does not fit"),
        ((BEGAN, SIGNED.model_copy(update={"digest": OTHER})), 2, "is of a plan (digest bbbbbbbbbbbb) that the run"),
        ((SIGNED,), 1, "is of a plan"),
        ((BEGAN, ("mail", SIGNED)), 2, "is of a plan"),
        ((FREE, SIGNED), 2, "is signed, and the plan names no keys"),
        ((BEGAN, SIGNED, gate("ben"), signed_by("eve", gate("ben"), "erp")), 3, "is not signed"),
    ],
)
def test_the_first_wrong_row_is_named(events, row, why):
    found = checked(*events)
    assert found.wrong is not None
    assert found.wrong[0] == row
    assert why in found.wrong[1]
    assert found.wrong[1].startswith(("wave main, before start: the approval of", "the waiver of recycle-bin for"))


def test_each_approval_is_held_against_the_keys_of_its_day():
    rolled = Amended(digest=OTHER, plan=plan({"ann": raw_of("ann-2")}), by="x", reason="ann has a new key")
    new = signed_by("ann-2", gate(digest=OTHER), "erp")
    assert checked(BEGAN, SIGNED, rolled, new).wrong is None
    old = checked(BEGAN, SIGNED, rolled, signed_by("ann", gate(digest=OTHER), "erp"))
    assert old.wrong is not None
    assert old.wrong[0] == 4


def test_a_key_of_one_migration_of_the_wave_is_enough_for_its_gate():
    both = RunBegan(digest=THIS, plan=plan({"ann": raw_of("ann")}, {"ben": raw_of("ben")}), by="x", tool="1")
    assert checked(both, SIGNED, signed_by("ben", gate("ben"), "erp")).wrong is None
    assert checked(both, signed_by("ben", waiver("ben", "dmsa-b"), "erp")).wrong is None
    assert checked(both, signed_by("ben", waiver("ben"), "erp")).wrong is not None


def test_what_this_version_cannot_read_is_left_to_others():
    check = SignatureCheck()
    check.take_in(Row("erp", AT, "approved", VERSION + 1, {"by": "z"}, 1, None, "0" * 64))
    assert check.wrong is None
