"""What one person's approval comes to: whether it would count, the words that are written down, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.cli.signing import Signer
from orchestrator.engine.approving import open_rule, wanted
from orchestrator.errors import InputInvalid, PersonNeeded
from orchestrator.model.approvals import Consent, names_suffice, why_not
from orchestrator.model.event import Event
from orchestrator.model.people import is_named, same_person
from orchestrator.model.plan import Approvals, Wave
from orchestrator.model.run import RunState
from orchestrator.model.signature import message, public_key
from orchestrator.model.words import (
    Approval,
    ApprovalWithdrawn,
    Approved,
    Gate,
    Subject,
    WaiverApproved,
    WaiverWithdrawn,
)
from orchestrator.planfile import Loaded
from orchestrator.views.approvals import gate_document, gate_lines, waiver_document, waiver_lines
from orchestrator.views.output import say
from orchestrator.views.summary import advice


@dataclass(frozen=True)
class Word:
    """What is written down about one subject (None: nothing), and the sentence that comes before where it stands."""

    subject: Subject
    event: Event | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One person who approves. ``now`` is this machine's clock: on a real estate an approval is given at its time."""

    loaded: Loaded
    by: str
    principal: str | None
    reason: str
    signer: Signer | None
    typed: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def gate(self, state: RunState, name: str, gate: Gate, *, withdraw: bool) -> list[Word]:
        """Return what is written down for a gate of a wave.

        Raises:
            InputInvalid: no run has begun, or the plan has no such wave.
            PersonNeeded: the approval would not count.
        """
        wave = self._wave(name)
        self._refuse_other_plan(state)
        subject = Subject("gate", wave.name, gate)
        if withdraw:
            return [self._taken_back(state, subject)]
        found = open_rule(state, self.loaded.plan, wave, gate, self._at(state))
        if found is None:
            return [Word(subject, None, f"Nothing to approve: {self._nobody_needed(wave, gate)}. Nothing was written.")]
        word = Approved(wave=wave.name, gate=gate, **self._by(state))
        rules = [self.loaded.plan.policy_of(migration.id).approvals for migration in wave.migrations]
        return [self._approved(state, word, [rule for rule in rules if wanted(rule, gate)])]

    def waivers(self, state: RunState, chosen: Sequence[str], *, withdraw: bool) -> list[Word]:
        """Return what is written down for the waivers of these migrations that name the person.

        Raises:
            InputInvalid: no run has begun.
            PersonNeeded: none of them names him, or an approval would not count.
        """
        self._refuse_other_plan(state)
        plan, mine = self.loaded.plan, []
        names: dict[str, None] = {}
        for id_ in chosen:
            for waiver in plan.migration(id_).waivers:
                names |= dict.fromkeys(waiver.approved_by)
                if any(is_named(self.by, name) for name in waiver.approved_by):
                    mine.append(Subject("waiver", id_, waiver.guard))
        if not names:
            raise PersonNeeded("there is no waiver here to approve. Nothing was done.")
        if not mine:
            raise PersonNeeded(
                f"no waiver here names {self.by}, only {', '.join(names)}. Nothing was done. A waiver is approved by "
                "the people whom the plan names, spelled as their operating system calls them."
            )
        if withdraw:
            return [self._taken_back(state, subject) for subject in mine]
        return [
            self._approved(
                state,
                WaiverApproved(migration=subject.about, guard=subject.what, **self._by(state)),
                [plan.policy_of(subject.about).approvals],
            )
            for subject in mine
        ]

    def say(self, word: Word, state: RunState) -> None:
        """Say what was written down, and how things stand with it."""
        say(word.sentence)
        if word.event is None:
            return
        plan, at = self.loaded.plan, self._at(state)
        if word.subject.kind == "gate":
            wave = self._wave(word.subject.about)
            document = gate_document(state, plan, wave, "start" if word.subject.what == "start" else "complete", at)
            lines = gate_lines(document) if document else []
        else:
            waiver = plan.migration(word.subject.about).waiver(word.subject.what)
            lines = waiver_lines(waiver_document(state, plan, word.subject.about, waiver, at)) if waiver else []
        for line in lines:
            say(f"  {advice(line, self.typed)}")

    def _wave(self, name: str) -> Wave:
        plan = self.loaded.plan
        found = next((wave for wave in plan.waves if wave.name == name), None)
        if found is None:
            known = ", ".join(wave.name for wave in plan.waves[:20])
            raise InputInvalid(f"--wave {name}: {plan.name} has no such wave. It has {known}. Nothing was done.")
        return found

    def _refuse_other_plan(self, state: RunState) -> None:
        if state.digest is None:
            raise InputInvalid(
                f"no run of {self.loaded.plan.name} has begun in this journal. Nothing was done. `dmsa run "
                f"{self.typed}` begins one, goes as far as nobody must approve, and says who is asked."
            )
        if state.digest != self.loaded.digest:
            raise PersonNeeded(
                f"{self.loaded.path} is not the plan that the run {state.run} goes by (digest "
                f"{self.loaded.digest[:12]}, the journal has {state.digest[:12]}), and an approval is of the plan that "
                f"is run. Nothing was done. `dmsa amend {self.typed}` shows the difference."
            )

    def _at(self, state: RunState) -> datetime | None:
        return state.last_at if self.loaded.plan.is_lab else self.now()

    def _by(self, state: RunState) -> dict[str, object]:
        at = self._at(state)
        if at is None:
            raise PersonNeeded(
                "an approval is valid for a time, and this run has not read the simulated estate's time yet. Nothing "
                f"was done. `dmsa run {self.typed}` reads it."
            )
        lab = self.loaded.plan.is_lab
        given = {"digest": self.loaded.digest, "by": self.by, "given": at.replace(microsecond=0)}
        return {**given, "clock": "estate" if lab else "machine", "reason": self.reason, "principal": self.principal}

    def _approved(self, state: RunState, word: Approval, rules: Sequence[Approvals]) -> Word:
        """Return an approval, signed where a key was given, that counts by one of these rules."""
        consent = state.consent
        self._refuse_useless_key(rules)
        if self.signer is not None:
            signed = self.signer.sign(message(word.signed(consent.plan)))
            word = word.model_copy(update={"signature": signed})
        whys = [why_not(word, consent, rule, word.given) for rule in rules]
        if all(whys):
            raise PersonNeeded(self._refused(word, consent, whys[0] or ""))
        known = consent.given.get(word.subject, ())
        renewed = any(is_named(one.by, self.by) for one in known)
        again = " again: it counts from now" if renewed else ""
        names = " (on a simulated estate the names in the plan suffice)" if self._needs_nobody(word.subject) else ""
        return Word(word.subject, word, f"{word.subject.words}: approved by {self.by}{again}{names}")

    def _needs_nobody(self, subject: Subject) -> bool:
        return subject.kind == "waiver" and names_suffice(self.loaded.plan, subject.what)

    def _refused(self, word: Approval, consent: Consent, why: str) -> str:
        keys = "" if word.signature else " `--key FILE` signs it." if "not signed" in why else ""
        barred = same_person(word.by, consent.driver)
        other = " Nobody approves what he runs himself, or ran last: somebody else must." if barred else ""
        return f"{word.subject.words}: the approval of {self.by} {why}. Nothing was done.{keys}{other}"

    def _refuse_useless_key(self, rules: Sequence[Approvals]) -> None:
        """Refuse a key that the plan does not know, before anything is signed with it.

        Raises:
            InputInvalid: the plan has no keys, so that nobody could check the signature.
            PersonNeeded: the plan has another key for the person.
        """
        if self.signer is None:
            return
        keyed = [rule.keys for rule in rules if rule.keys is not None]
        if not keyed:
            raise InputInvalid(
                "--key: the plan names no public keys (policy.approvals.keys), so nobody could check the signature. "
                "Nothing was done. Take --key away, or amend the plan."
            )
        own = [public_key(text) for keys in keyed for name, text in keys.items() if is_named(self.by, name)]
        if own and self.signer.public not in own:
            raise PersonNeeded(
                f"--key: it is not the private key of the public key that the plan has for {self.by}. Nothing was done."
            )

    def _taken_back(self, state: RunState, subject: Subject) -> Word:
        mine = [one for one in state.consent.given.get(subject, ()) if is_named(one.by, self.by)]
        if not mine:
            return Word(subject, None, f"{subject.words}: {self.by} has not approved it. Nothing was written.")
        said = {"by": self.by, "reason": self.reason}
        event: Event = (
            ApprovalWithdrawn.model_validate({"wave": subject.about, "gate": subject.what, **said})
            if subject.kind == "gate"
            else WaiverWithdrawn(migration=subject.about, guard=subject.what, **said)
        )
        return Word(subject, event, f"{subject.words}: {self.by} takes the approval back")

    def _nobody_needed(self, wave: Wave, gate: Gate) -> str:
        rules = (self.loaded.plan.policy_of(migration.id).approvals for migration in wave.migrations)
        if not any(wanted(rule, gate) for rule in rules):
            return f"the plan asks nobody before {gate} of wave {wave.name}"
        return f"every migration of wave {wave.name} that needs it has been admitted to {gate}"
