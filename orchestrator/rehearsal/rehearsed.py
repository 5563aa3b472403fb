"""What a rehearsal is of: a plan, its identity, and the estate that it is played on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from orchestrator.lab.estate.directory import Directory as SimulatedDirectory
from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.lab.jea import Registered
from orchestrator.model.plan import Approvals, Directory, Estate, Plan


@dataclass(frozen=True)
class Rehearsed:
    """What a world is made of: a plan, its identity, and the estate it is played on."""

    plan: Plan
    digest: str
    canonical: dict[str, Any]
    spec: EstateSpec
    registered: Registered | None = None
    witness: Literal["none", "ldap"] = "none"
    left_out: tuple[str, ...] = ()
    """Migrations of the plan's file that are not rehearsed."""
    of: Rehearsed | None = field(default=None, repr=False, compare=False)
    first_day: list[SimulatedDirectory] = field(default_factory=list, repr=False, compare=False)
    """The estate's directory on its first day, once a world has been made of it: the next one begins alike."""

    @cached_property
    def resolved(self) -> Plan:
        """The plan with the estate it is played on in place of its own. Nobody has to sign: no keys are at hand."""
        controller = self.spec.first_controller.name
        known = self.plan.estate.directory
        directory = Directory(endpoint=controller, server=controller, witness=known.witness if known else self.witness)
        if known is not None and self.plan.estate.lab is None:
            server = known.server
            directory = Directory(endpoint=server, server=server, converge_on=known.converge_on)
        estate = Estate(lab=self.plan.estate.lab or "rehearsal", domain=self.spec.domain.dns, directory=directory)
        resolved = _without_keys(self.plan).model_copy(update={"estate": estate})
        for cached in ("_index", "_needs"):
            resolved.__dict__.pop(cached, None)
        return resolved

    @property
    def whole(self) -> Rehearsed:
        """The same with every migration of the plan: what a seed draws from."""
        return self.of or self

    def without(self, id_: str) -> Rehearsed | None:
        """Return the same without a migration; None if nothing would be left."""
        waves = [(wave, tuple(one for one in wave.migrations if one.id != id_)) for wave in self.plan.waves]
        kept = [wave.model_copy(update={"migrations": migrations}) for wave, migrations in waves if migrations]
        if not kept:
            return None
        names = {wave.name for wave in kept}
        needs = [None if wave.needs is None else tuple(name for name in wave.needs if name in names) for wave in kept]
        shown = tuple(wave.model_copy(update={"needs": need}) for wave, need in zip(kept, needs, strict=True))
        plan = self.plan.model_copy(update={"waves": shown})
        for cached in ("_index", "_needs"):
            plan.__dict__.pop(cached, None)
        return replace(self, plan=plan, left_out=(*self.left_out, id_), of=self.whole)

    def under(self, spec: EstateSpec) -> Rehearsed:
        """Return the same with other weather, or other clocks of hosts."""
        other = replace(self, spec=spec)
        other.__dict__["resolved"] = self.resolved
        return other


def _without_keys(plan: Plan) -> Plan:
    """Return a plan as it is rehearsed: nobody can sign there, so nobody has to."""
    bare = {"keys": None}

    def unkeyed(approvals: Approvals) -> dict[str, Approvals]:
        return {"approvals": approvals.model_copy(update=bare)} if approvals.keys is not None else {}

    waves = tuple(
        wave.model_copy(
            update={
                **unkeyed(wave.approvals),
                "migrations": tuple(one.model_copy(update=unkeyed(one.approvals)) for one in wave.migrations),
            }
        )
        for wave in plan.waves
    )
    return plan.model_copy(
        update={"waves": waves, "policy": plan.policy.model_copy(update=unkeyed(plan.policy.approvals))}
    )
