"""The conversation as a whole: arrive, ask every question, and leave the account as it was found.

Each experiment begins with an unlinked pair and an account as it was found, so that no answer depends on what was
tried before it. Whatever ends the questions early (a stop, a pair that does not move as it should, an answer that
cannot be read), the way back is taken all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.errors import PersonNeeded
from orchestrator.model.call import Cmdlet, Read, Write, cmdlet
from orchestrator.model.directory import PairSeen, complaint
from orchestrator.model.escape import ldap
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Outcome, Reply, Unreadable
from orchestrator.probe.arrival import Controller, askable, controllers
from orchestrator.probe.found import Found
from orchestrator.probe.judge import Answer, under, unknown
from orchestrator.probe.look import Asking, Did, Look, Subject, look
from orchestrator.probe.out_of_reach import OUT_OF_REACH
from orchestrator.probe.questions import (
    CIRCUMSTANCES,
    EXPERIMENTS,
    QUESTIONS,
    READINGS,
    START_LINKS,
    SWITCHES,
    Act,
    Experiment,
)
from orchestrator.probe.reads import Reading, read_out

_BACK = ("Undo", "Reset")
"""Ways towards an unlinked pair, in the order in which they are tried."""
_POSITIONS = (True, False, "refuse", "nothing")
"""What a switch of the lab can be set to; an answer beyond that is for people."""
_TRIES = 3
"""How often an act is sent whose outcome is unknown, and which, as was read once it had settled, changed nothing."""
_MOST = 8
"""Moves, or repairs, after which the way back is given up; three of each are the most that is known to be needed."""


class Stopped(Exception):
    """Thrown into the conversation by whoever carries it: ask nothing more, and go back."""


class _Stuck(Exception):
    """The pair does not move as it must for going on; the text says how it stands."""


class _Unarranged(Exception):
    """What an experiment needs cannot be had; the others can still be tried."""


@dataclass(frozen=True)
class Finding:
    """An answer with what it rests on."""

    answer: Answer
    evidence: tuple[dict[str, Any], ...] = ()


@dataclass
class Inquiry:
    """One conversation with one disposable pair, and what has come of it so far.

    ``found`` given: an earlier conversation was cut off; the pair is brought back to that first. ``ended_early`` says
    why not everything was asked. ``left`` names what is not as it was found, ``astray`` says why the way back failed;
    ``account_differs`` and ``astray`` are for a person. Once it is ``leaving`` there is nothing to stop any more.
    """

    subject: Subject
    found: Found | None = None
    controller: Controller | None = None
    findings: dict[str, Finding] = field(default_factory=dict)
    doing: str = ""
    last: Look | None = None
    ended_early: str = ""
    astray: str = ""
    account_differs: bool = False
    left: tuple[str, ...] = ()
    leaving: bool = False
    _others: tuple[str, ...] = ()

    def course(self) -> Asking[None]:
        """Hold the conversation.

        Raises:
            PersonNeeded: the pair is not one to ask these questions of; nothing was changed.
            Unreadable: it could not be read before anything was changed.
            Stopped: as thrown in, before anything was changed.
        """
        seen = yield from self._arrive()
        try:
            if seen.dmsa is None:
                yield from self._create()
            yield from self._clean()
            yield from self._ask_all()
        except Stopped:
            self.ended_early = "it was stopped"
        except (_Stuck, Unreadable) as trouble:
            self.ended_early = f"{trouble}"
        yield from self._leave()
        for id_ in QUESTIONS.keys() - self.findings.keys():
            self.findings[id_] = Finding(unknown(f"not asked: {self.ended_early}"))

    @property
    def switches(self) -> dict[str, bool | str]:
        """The answers that a lab takes as they are; what is unknown is left out, so that its default stays."""
        known = {id_: self.findings[id_].answer.value for id_ in QUESTIONS if id_ in SWITCHES & self.findings.keys()}
        return {id_: value for id_, value in known.items() if value in _POSITIONS and value is not None}

    def _arrive(self) -> Asking[PairSeen]:
        """Read everything there is to know before the first write, and refuse what is not disposable and whole."""
        self.controller, self._others = yield from controllers(self.subject)
        here = yield from look(self._pinned())
        seen, self.last = here.seen, here
        account = askable(self.subject, seen)
        if self.found is not None:
            return seen
        if seen.pair is not Pair.UNLINKED:
            raise PersonNeeded(
                f"the pair is not unlinked ({seen}). Nothing was done. Only a pair that nobody uses may be probed: "
                "unlink it first, or name another."
            )
        if not account.enabled:
            raise PersonNeeded(f"{account.dn} is disabled. Nothing was done. Enable it: most questions need that.")
        self.found = Found.of(seen, account, here.grant)
        return seen

    def _pinned(self) -> Subject:
        """Return the pair with its account by objectGUID, once that is known: accounts get moved."""
        return replace(self.subject, account=str(self.found.guid)) if self.found else self.subject

    def _create(self) -> Asking[None]:
        reply = yield from self._send("create the dMSA", self.subject.create)
        here = yield from self._look()
        if here.seen.dmsa is None:
            raise _Stuck(f"the dMSA was not created: {complaint(reply)}")

    def _ask_all(self) -> Asking[None]:
        for each in OUT_OF_REACH:
            self.findings[each.id] = Finding(unknown(f"{each.why}; instead, {each.instead}"))
        for reading in READINGS:
            self.findings[reading.id] = yield from self._read(reading)
        for experiment in EXPERIMENTS:
            yield from self._try(experiment)
        started = self.findings[START_LINKS.id]
        for circumstance in CIRCUMSTANCES:
            holds = yield from self._read(circumstance)
            answer = under(holds.answer, started.answer)
            self.findings[circumstance.id] = Finding(answer, (*holds.evidence, *started.evidence))

    def _read(self, reading: Reading) -> Asking[Finding]:
        self.doing = f"ask: {reading.asks}"
        answer, evidence = yield from read_out(reading, self.subject, self._others)
        return Finding(answer, evidence)

    def _try(self, experiment: Experiment) -> Asking[None]:
        """Carry one experiment out, and let each of its questions that is still open judge what was seen."""
        trail: list[Did] = []
        trouble: Unreadable | _Stuck | None = None
        try:
            yield from self._arrange(experiment)
            for act in experiment.acts:
                yield from self._act(act, trail)
        except _Unarranged as missing:
            for question in experiment.questions:
                self._answer(question.id, Finding(unknown(f"{missing}")))
            return
        except (Unreadable, _Stuck) as stuck:
            trouble = stuck
        evidence = tuple(did.evidence() for did in trail)
        for question in experiment.questions if trail or not trouble else ():
            self._answer(question.id, Finding(question.judge(trail), evidence))
        if trouble:
            raise trouble

    def _answer(self, id_: str, finding: Finding) -> None:
        known = self.findings.get(id_)
        if known is None or known.answer.value is None:
            self.findings[id_] = finding

    def _arrange(self, experiment: Experiment) -> Asking[None]:
        here = yield from self._clean()
        if experiment.members is True and not here.dmsa.principals:
            here = yield from self._allow()
        if experiment.members is False and here.dmsa.principals:
            raise _Unarranged("the dMSA has principals, and the catalogue cannot empty the list; ask a fresh dMSA")
        for verb, before, after in (("Start", Pair.UNLINKED, Pair.STARTED), ("Complete", Pair.STARTED, Pair.COMPLETED)):
            if experiment.begin in {Pair.UNLINKED, before}:
                break
            here = yield from self._move(verb, here)
            if here.pair is not after:
                raise _Unarranged(f"{verb} did not lead to {after}: {here.seen}")

    def _act(self, act: Act, trail: list[Did]) -> Asking[None]:
        before = self.last
        assert before is not None
        if before.pair is not act.when or (act.disabled and before.account.enabled):
            return
        if act.verb == "Allow":
            yield from self._allow()
            return
        purpose = f"see what {act.verb} does to a pair at {before.pair}"
        after, reply = yield from self._do(purpose, act.verb, before)
        trail.append(Did(act.verb, before, after, reply))

    def _look(self) -> Asking[Look]:
        """Read the pair. Without the account there is no way on, and none back either.

        Raises:
            Unreadable: it is gone, or does not say how it stands.
        """
        self.last = here = yield from look(self._pinned())
        if here.seen.account is None:
            raise Unreadable(
                f"{here.seen.server} does not show the account any more. Nothing here can delete it; "
                "runbooks/original-deleted.md says how it is restored"
            )
        return here

    def _send(self, purpose: str, statement: Cmdlet) -> Asking[Reply]:
        self.doing = purpose
        return (yield Write(self.subject.endpoint, statement))

    def _do(self, purpose: str, verb: str, here: Look) -> Asking[tuple[Look, Reply]]:
        """Send one of the four operations, and look. What is unknown was settled by whoever carried it."""
        statement = cmdlet(
            f"{verb}-ADServiceAccountMigration",
            Identity=here.dmsa.dn,
            SupersededAccount=here.account.dn,
            Server=self.subject.server,
        )
        for _ in range(_TRIES):
            reply = yield from self._send(purpose, statement)
            now = yield from self._look()
            if reply.outcome is not Outcome.UNKNOWN or now.pair is not here.pair:
                break
        return now, reply

    def _move(self, verb: str, here: Look) -> Asking[Look]:
        now, _ = yield from self._do(f"arrange the pair: {verb}", verb, here)
        return now

    def _allow(self) -> Asking[Look]:
        """Let somebody retrieve the password: whom the plan names, else the computer of its first host."""
        principals = self.subject.principals
        if not principals:
            wanted = f"(dNSHostName={ldap(self.subject.host)})"
            asked = cmdlet("Get-ADComputer", LDAPFilter=wanted, Server=self.subject.server)
            reply = yield Read(self.subject.endpoint, (asked,))
            principals = tuple(record.text("DistinguishedName") for record in reply.of("ADComputer"))[:1]
        if not principals:
            raise _Unarranged(f"the directory has no computer {self.subject.host} that could be a principal")
        here = yield from self._look()
        statement = cmdlet(
            "Set-ADServiceAccount",
            Identity=str(here.dmsa.guid),
            PrincipalsAllowedToRetrieveManagedPassword=principals,
            Server=self.subject.server,
        )
        yield from self._send("allow a principal", statement)
        here = yield from self._look()
        if not here.dmsa.principals:
            raise _Unarranged("a principal was set and did not appear")
        return here

    def _clean(self) -> Asking[Look]:
        """Bring the pair apart, and the account to how it was found.

        Raises:
            _Stuck: it does not come apart.
            Unreadable: one of the objects is gone, or does not say how it stands.
        """
        here = yield from self._look()
        ways = list(_BACK)
        for _ in range(_MOST):
            if here.pair is Pair.UNLINKED or not ways:
                break
            before = here.pair
            here = yield from self._move(ways[0], here)
            # Whatever moved the pair may lead on; what did not makes way for the next.
            ways = list(_BACK) if here.pair is not before else ways[1:]
        if here.pair is not Pair.UNLINKED:
            raise _Stuck(f"neither {' nor '.join(_BACK)} leads on from here: {here.seen}")
        assert self.found is not None
        for _ in range(_MOST):
            statement = self.found.next_repair(here.seen, self.subject.server)
            if statement is None:
                return here
            yield from self._send("give back what the directory did not", statement)
            here = yield from self._look()
        raise _Stuck(f"the account does not become what it was: {'; '.join(self.found.left_on_account(here))}")

    def _leave(self) -> Asking[None]:
        """Go back, compare, and name what is left."""
        assert self.found is not None
        self.leaving = True
        try:
            here = yield from self._clean()
        except (_Stuck, Unreadable) as trouble:
            self.astray = f"{trouble}"
            return
        on_account = self.found.left_on_account(here)
        self.account_differs = bool(on_account)
        self.left = (*on_account, *self.found.left_on_dmsa(here))
        self.doing = ""
