"""One case of the matrix played: forward to where the way back begins, back, and what the far side shows at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate.weather import Weather
from orchestrator.lab.estate.weather_spec import LostReply, LostRequest, Trigger, WeatherSpec
from orchestrator.model.before import Compared
from orchestrator.model.event import AttemptStarted, Released
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.lifecycle import Trigger as Step
from orchestrator.model.state import MigrationState
from orchestrator.rehearsal import hands
from orchestrator.rehearsal.process import Crash, Doing
from orchestrator.rehearsal.world import World
from tests.wayback.shapes import DC, MAIN, OTHER, rehearsed
from tests.wayback.weather import fits, rules
from tests.wayback.witness import About, Witnessed, unequal

RELEASES = 8
"""How often an operator releases what is held before a case counts as still held."""
PROCESSES = 40
LATER = timedelta(hours=6)
"""How long the far side is left alone at the end, before it is looked at again: what is late has come by then."""
_TAKEN = (
    "msDS-AllowedToDelegateTo",
    "msDS-AllowedToActOnBehalfOfOtherIdentity",
    "msDS-AssignedAuthNPolicy",
    "msDS-AssignedAuthNPolicySilo",
)
_REGISTRY = {"New-ItemProperty", "Remove-ItemProperty"}


@dataclass
class Came:
    """What came of a case: ``began`` is the phase and intention in which the way back was asked for."""

    case: Mapping[str, Any]
    began: str = ""
    holds: list[str] = field(default_factory=list)
    ended: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def row(self) -> str:
        """The row of the table that it belongs to."""
        return str(self.case["phase"])

    @property
    def column(self) -> str:
        """How it ended: the first hold, if there was one."""
        return f"held: {self.holds[0]}" if self.holds else self.ended


def played(case: Mapping[str, Any]) -> Came:
    """Play a case to its end."""
    return _Way(case).run()


def moments(case: Mapping[str, Any]) -> int:
    """Return how many moments a case's phase has until the next one is reached."""
    way = _Way({**case, "moment": 10**6, "how": "alive"})
    way.run()
    return way.moments


class _Life:
    """A process that lives until the moment at which the way back begins."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        self._dead = False

    def moment(self, doing: Doing) -> None:
        if self._dead:
            raise Crash
        self._dead = self._way.moment(doing)
        if self._dead:
            raise Crash


class _Way:
    def __init__(self, case: Mapping[str, Any]) -> None:
        self.case, self.came = case, Came(case)
        phase, _, back = case["phase"].partition(", ")
        self.leg, self.phase, self.number = "back" if back else "forward", Phase(phase), case["moment"]
        self.world = World(rehearsed(case))
        self.world.astray = lambda: _ASTRAY.get(case["how"])
        self.before = Witnessed.of(self.world.estate)
        self._inner, self.world.estate.performed = self.world.estate.performed, self._performed
        self.moments = 0
        self._inside = False
        self._awaits: str = ""
        self.begun = False
        self._spoken = False
        self._completed = False
        self._sent_back = 0

    # The run.

    def run(self) -> Came:
        try:
            self._there()
            self._back()
        except Crash:
            pass
        self.came.wrong += [str(violation) for violation in self.world.violations]
        if not self.came.wrong:
            self._judge()
        return self.came

    def _there(self) -> None:
        """Go forward, and part of the way back if the case begins there, until the way back is asked for."""
        self._run(_Life(self))
        if self.leg == "back" and not self.begun:
            words = {Phase.REOPENED: ("undo",), Phase.UNLINKED: ("reset",), Phase.RESTORED: ("reset",)}
            for word in words.get(self.phase, ()):
                self._say(word)
                self._run(_Life(self))
            if not self.begun:
                self._say("rollback" if self.phase in {Phase.UNLINKED, Phase.RESTORED} else self._word())
                self._run(_Life(self))
        if not self.begun:
            self._ask()

    def _run(self, life: _Life | None = None) -> bool:
        """Let processes run until one ends by itself; say whether one died."""
        self._spoken = False
        try:
            ended = self.world.run(life=life, together=self.case["together"])
            if not self._spoken:  # a word that came while a process was leaving is for the next one
                self.world.judge_end(ended)
        except Crash:
            if self.world.violations:
                raise
            return True
        return False

    def moment(self, doing: Doing) -> bool:
        """Let a moment of the forward leg pass; say whether the process dies at it."""
        if self.begun or doing not in {"append", "write"}:
            return False
        self._inside = not self._inside
        if self._awaits:
            return self._unknown(doing)
        state = self._state()
        back = state.intention is Intention.BACK
        here = (state.phase, back) == (self.phase, self.leg == "back")
        self.moments += here
        gone = not here and self.moments > 0
        if not gone and self.moments <= self.number:
            return False
        if self.case["how"].startswith("unknown") and not gone:
            self._awaits = "write"
            return self._unknown(doing)
        self._ask()
        return self.case["how"].startswith("died")

    def _unknown(self, doing: Doing) -> bool:
        """Let the next write's outcome be unknown, and ask for the way back once that is written down."""
        if self._awaits == "write" and doing == "write" and self._inside:
            self.world.estate.weather = Weather((_UNKNOWN[self.case["how"]],))
            self._awaits = "reply"
        elif self._awaits == "reply" and doing == "write":
            self._awaits = "append"
        else:
            written = self._awaits == "append" and doing == "append" and not self._inside
            if written or self._state().phase is not self.phase:  # the phase had no other write
                self._ask()
        return False

    def _word(self) -> str:
        return str(self.case["word"]).partition("-")[0]

    def _ask(self) -> None:
        """The way back begins here, and with it the weather."""
        state = self._state()
        self.came.began = f"{state.phase}, {state.intention}"
        self.begun = True
        self._say(self._word())
        if self.case["neighbour"] == "goes-back":
            self._say("rollback", OTHER)
        self.world.estate.weather = Weather(rules(self.case["weather"], self.case))

    def _say(self, word: str, id_: str = MAIN) -> None:
        event = hands.word(self.world.state()[id_], word)
        if event is not None:
            self.world.say(event)
            self._spoken = True

    def _back(self) -> None:
        for _ in range(PROCESSES):
            if self._run() or self._spoken:
                continue
            if not self._attend():
                return
        self.came.wrong.append(f"no end within {PROCESSES} processes")

    def _attend(self) -> bool:
        """Do what an operator does once nothing moves; say whether anything is to go on."""
        going = False
        for id_ in self.world.ids:
            state = self._state(id_)
            if state.held is None:
                back = id_ == MAIN or self.case["neighbour"] == "goes-back"
                if back and state.intention is Intention.FORWARD and state.phase is not Phase.PLANNED:
                    self._say("rollback", id_)  # the word came too early to be taken
                    going = True
                continue
            going = self._decide(state) or going
        return going

    def _decide(self, state: MigrationState) -> bool:
        assert state.held is not None
        if state.held.reason == "undone":
            self._next_word(state)
            return True
        if state.id == MAIN:
            self.came.holds.append(state.held.reason)
            if not fits(state.held.reason, self.case) or not (state.held.detail and state.held.release):
                self.came.wrong.append(f"held without a reason in what happened: {state.held}")
            if len(self.came.holds) > RELEASES:
                return False
        if state.held.reason == "restored-by-hand":
            self._by_hand(state)
        hands.mend(self.world)
        self.world.say(Released(migration=state.id, by="operator", reason="the weather is over"))
        return state.id == MAIN or self._sent_back < RELEASES

    def _next_word(self, state: MigrationState) -> None:
        """Undo again where undo was the word and leads on; else all the way."""
        repeats = self.case["word"] == "undo" and state.phase is Phase.REOPENED
        self._say("undo" if repeats else "rollback", state.id)

    def _by_hand(self, state: MigrationState) -> None:
        """Give back what the program says it cannot write, as a person does; held for no difference it is a lie."""
        told = state.compared
        failed = [one for one in told.differences if one.verdict == "failed"] if told else []
        if not unequal(self.before, Witnessed.of(self.world.estate), self._about()):
            self.came.wrong.append(f"held as restored-by-hand, and the far side is equal: {failed}")
        account = [one for one in failed if one.object == "account"]
        if not account or any(one.by_hand not in state.held.release for one in failed if state.held):
            self.came.wrong.append(f"restored-by-hand without what to do: {state.held}")
        directory = self.world.estate.directory
        entry = self.world.far_side.account_entry(MAIN, DC)
        assert entry is not None
        first = self.world.rehearsed.first_day[0].replicas[DC].entries[entry.guid]
        values = {name: first.get(name) for name in _TAKEN}
        control = entry.number("userAccountControl") | first.number("userAccountControl") & uac.TRUSTED_TO_AUTHENTICATE
        directory.write(DC, entry.guid, {**values, "userAccountControl": control})
        self.world.estate.advance(timedelta(hours=1))

    # What the far side sees.

    def _performed(self, request: Request, result: Result) -> None:
        names = {command.name for statement in request.statements for command in statement}
        fine = result.failure is None and not result.errors
        if "Complete-ADServiceAccountMigration" in names and fine and self._state_of(request) == MAIN:
            self._completed = True
            if self.case["directory-keeps"]:
                self._take()
        self._inner(request, result)
        if names & _REGISTRY and self._completed and self.begun:
            self._works_first(request)

    def _take(self) -> None:
        """Be a directory that takes what Complete copies off the account, and whose Undo does not return it."""
        entry = self.world.far_side.account_entry(MAIN, DC)
        assert entry is not None
        control = entry.number("userAccountControl") & ~uac.TRUSTED_TO_AUTHENTICATE
        values: dict[str, object] = {**dict.fromkeys(_TAKEN), "userAccountControl": control}
        self.world.estate.directory.write(DC, entry.guid, values)

    def _intent(self, request: Request) -> AttemptStarted | None:
        found = (event for event in self.world.events() if isinstance(event, AttemptStarted))
        return next((event for event in found if event.pipeline == request.pipeline), None)

    def _state_of(self, request: Request) -> str:
        intent = self._intent(request)
        return intent.migration if intent else ""

    def _works_first(self, request: Request) -> None:
        """Once Complete was sent, no registry value is touched before the original works again."""
        intent = self._intent(request)
        if intent is None or intent.migration != MAIN or intent.step is not Step.RESTORE:
            return
        entry = self.world.far_side.account_entry(MAIN, DC)
        assert entry is not None
        first = self.before.directory[DC][entry.guid]
        if entry.number("userAccountControl") & uac.DISABLED:
            self.came.wrong.append("a registry value was written while the account is disabled")
        if tuple(sorted(entry.texts("servicePrincipalName"))) != first.get("serviceprincipalname", ()):
            self.came.wrong.append("a registry value was written while the account lacks its SPNs")
        for host in self.world.plan.migration(MAIN).hosts:
            machine = self.world.estate.machine(host.name)
            if machine.down_until is not None and machine.down_until > self.world.estate.now:
                continue
            for name in host.services:
                ran = self.before.machines[host.name.lower()][f"service {name.lower()}"][1]
                if ran and not machine.services[name.lower()].running:
                    self.came.wrong.append(f"a registry value was written while {name} on {host.name} is down")

    # The end.

    def _state(self, id_: str = MAIN) -> MigrationState:
        assert self.world.invariants is not None
        return self.world.invariants.replayed[id_]

    def _about(self) -> About:
        went = [("svc-main", MAIN)]
        other = ("svc-other", OTHER)
        onward = []
        if self.case["neighbour"] != "none":
            back = self._state(OTHER).phase is Phase.ROLLED_BACK
            (went if back else onward).append(other)
        needed = [
            host.name.lower()
            for id_ in self.world.ids
            if self._state(id_).phase is not Phase.ROLLED_BACK
            for host in self.world.plan.migration(id_).hosts
            if self.world.state().needs(host.name, id_)
        ]
        return About(went, needed, onward)

    def _judge(self) -> None:
        state = self._state()
        if state.phase is not Phase.ROLLED_BACK or state.held is not None:
            self.came.ended = "still held" if state.held else "stuck"
            if state.held is None:
                self.came.wrong.append(f"left at {state.phase}, going {state.intention}, not held: {state.waits}")
            return
        self.came.ended = "equal"
        # A copy that has heard neither of Start nor of the way back shows Start for a moment when it hears of both;
        # that every other copy is right already, the invariants have judged at the move.
        for when, copies in (("at the end", {DC}), ("hours later", set(self.before.directory))):
            differs = unequal(self.before, Witnessed.of(self.world.estate), self._about(), copies)
            self.came.wrong += [f"{when}: {line}" for line in differs]
            self.world.estate.advance(LATER)
        told = [event for event in self.world.events() if isinstance(event, Compared) and event.migration == MAIN]
        if told:
            self._as_told(told[-1])

    def _as_told(self, told: Compared) -> None:
        """Hold the program's own verdict against the list."""
        for one in told.differences:
            kind = one.object.partition(" ")[0]
            listed = (
                kind == "dmsa"
                or (kind == "account" and one.name in {"ProtectedFromAccidentalDeletion", "nTSecurityDescriptor"})
                or (kind == "container" and one.name == "nTSecurityDescriptor")
                or (kind == "host" and one.name == "registry key" and one.now is True)
                or (kind == "host" and one.name == "DelegatedMSAEnabled" and self.case["neighbour"] != "none")
            )
            if one.verdict != "declared" or not listed:
                self.came.wrong.append(f"rolled back, and compared as {one.verdict}: {one}")


_ASTRAY = {
    "died, and its call arrived": timedelta(0),
    "died, and its call came later": timedelta(seconds=5),
    "died, and its call came late": timedelta(minutes=10),
}
HOW = ("alive", "died", *_ASTRAY, "unknown: never arrived", "unknown: took effect", "unknown: comes late")
"""How the way back meets the step: the process lives, is dead, or does not know what came of its call."""
_ANY = Trigger()
_UNKNOWN: dict[str, WeatherSpec] = {
    "unknown: never arrived": LostRequest(kind="lost-request", when=_ANY),
    "unknown: took effect": LostReply(kind="lost-reply", when=_ANY),
    "unknown: comes late": LostReply(kind="lost-reply", when=_ANY, late=timedelta(seconds=40), outlives=True),
}
