"""The questions, and the experiments that ask them: how the pair is arranged, which acts follow, who judges.

Order matters: what needs an empty list of principals comes first, for the catalogue can fill it and not empty it; and
a Complete that is judged comes before one that only arranges the pair. A question that stands in several experiments is
answered by the first that can. ``switch`` names the key under ``switches`` of an estate file that takes the answer as
it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.lifecycle import Pair
from orchestrator.probe import judge
from orchestrator.probe.forest import (
    BACK_LINK_CLASSES,
    BACK_LINK_FLAGS,
    KERBEROS_LOG,
    KEY_DELAY,
    LEVEL_BELOW,
    LINK_CLOSED,
)
from orchestrator.probe.judge import Judge, outcome
from orchestrator.probe.out_of_reach import OUT_OF_REACH
from orchestrator.probe.reads import BATCH, HOP, Reading


@dataclass(frozen=True)
class Question:
    """One question. ``judge`` turns what an experiment saw into the answer."""

    id: str
    asks: str
    judge: Judge
    switch: bool = False


@dataclass(frozen=True)
class Act:
    """An operation (or ``Allow``: let a principal in), skipped unless the pair is at ``when``.

    ``disabled``: skipped, too, unless the account is disabled.
    """

    verb: str
    when: Pair
    disabled: bool = False


@dataclass(frozen=True)
class Experiment:
    """Begins with the account as it was found. ``members``: whether principals must be there (None: all the same)."""

    begin: Pair
    members: bool | None
    acts: tuple[Act, ...]
    questions: tuple[Question, ...]


_U, _S, _C = Pair.UNLINKED, Pair.STARTED, Pair.COMPLETED

START_LINKS = Question("start_links", "Does Start link an unlinked pair, at 1/1?", outcome("Start", _U, _S))
_START_OF_DISABLED = Question(
    "start_refuses_disabled_account",
    "Does Start refuse an account that is disabled?",
    judge.start_of_disabled,
    switch=True,
)
_FIRST_TIME = (
    Question("complete_copies_delegation", "Does Complete copy delegation data?", judge.COMPLETE_COPIES),
    Question(
        "complete_keeps_delegation",
        "Does the account keep its delegation data and policy after Complete?",
        judge.COMPLETE_KEEPS_DELEGATION,
    ),
    Question(
        "complete_keeps_policies",
        "Does the account keep its authentication policy and silos after Complete?",
        judge.COMPLETE_KEEPS_POLICIES,
    ),
    Question(
        "complete_joins_silos",
        "Does Complete bring the dMSA into the account's silos?",
        judge.COMPLETE_JOINS_SILOS,
    ),
    Question(
        "undo_restores_delegation",
        "Does Undo after Complete return delegation and policy that Complete took?",
        judge.UNDO_RETURNS_DELEGATION,
    ),
    Question(
        "undo_removes_copies",
        "Does Undo after Complete remove the copies of delegation data from the dMSA?",
        judge.UNDO_REMOVES_COPIES,
        switch=True,
    ),
)
"""Answered when the pair is completed for the first time: what Complete takes and Undo keeps may be gone for good."""


def _refusal(verb: str, pair: Pair, *, switch: bool = False) -> Question:
    state = {_U: "unlinked", _S: "started", _C: "completed"}[pair]
    asks = f"What does {verb} do to a pair at {pair}?"
    return Question(f"{verb.lower()}_of_{state}", asks, outcome(verb, pair), switch=switch)


def _alone(verb: str, *, switch: bool = False) -> Experiment:
    return Experiment(_U, None, (Act(verb, _U),), (_refusal(verb, _U, switch=switch),))


EXPERIMENTS: tuple[Experiment, ...] = (
    _alone("Complete"),
    _alone("Undo"),
    _alone("Reset", switch=True),
    Experiment(
        _U,
        None,
        (Act("Start", _U), Act("Start", _S)),
        (
            START_LINKS,
            Question("start_grants", "Which rights does Start give the account on the dMSA?", judge.START_GRANTS),
            _refusal("Start", _S),
        ),
    ),
    Experiment(
        _S,
        False,
        (Act("Complete", _S), Act("Allow", _S), Act("Complete", _S), Act("Undo", _C)),
        (
            Question(
                "complete_refuses_empty_membership",
                "Does Complete refuse while nobody may retrieve the dMSA's password?",
                judge.complete_of_empty,
                switch=True,
            ),
            *_FIRST_TIME,
        ),
    ),
    Experiment(
        _S,
        True,
        (Act("Undo", _S),),
        (
            Question("undo_unlinks", "Does Undo unlink a pair at 1/1?", outcome("Undo", _S, _U)),
            Question(
                "undo_clears_membership",
                "Does Undo of a pair at 1/1 empty the dMSA's list of principals?",
                judge.UNDO_CLEARS,
                switch=True,
            ),
            Question("undo_withdraws_grant", "Does Undo take back what Start granted?", judge.UNDO_WITHDRAWS),
        ),
    ),
    Experiment(
        _S,
        True,
        (Act("Reset", _S),),
        (
            Question("reset_unlinks", "Does Reset unlink a pair at 1/1?", outcome("Reset", _S, _U)),
            Question(
                "reset_clears_membership",
                "Does Reset of a pair at 1/1 empty the dMSA's list of principals?",
                judge.RESET_CLEARS,
                switch=True,
            ),
            Question("reset_withdraws_grant", "Does Reset take back what Start granted?", judge.RESET_WITHDRAWS),
        ),
    ),
    Experiment(
        _S,
        True,
        (Act("Complete", _S), Act("Undo", _C), Act("Undo", _S, disabled=True), Act("Start", _U, disabled=True)),
        (
            Question("complete_completes", "Does Complete lead from 1/1 to 2/2?", outcome("Complete", _S, _C)),
            Question("complete_disables_account", "Does Complete disable the account?", judge.COMPLETE_DISABLES),
            Question("complete_takes_spns", "Does Complete take the account's SPNs?", judge.COMPLETE_TAKES_SPNS),
            Question("complete_gives_spns", "Does Complete put them on the dMSA?", judge.COMPLETE_GIVES_SPNS),
            *_FIRST_TIME,
            Question(
                "complete_withdraws_grant", "Does Complete take back what Start granted?", judge.COMPLETE_WITHDRAWS
            ),
            Question("undo_reopens", "Does Undo lead from 2/2 to 1/1?", outcome("Undo", _C, _S)),
            Question(
                "undo_enables_account", "Does Undo after Complete enable the account?", judge.UNDO_ENABLES, switch=True
            ),
            Question(
                "undo_restores_spns",
                "Does Undo after Complete return the SPNs to the account?",
                judge.UNDO_RETURNS_SPNS,
                switch=True,
            ),
            Question("undo_grants_again", "Does Undo after Complete grant again?", judge.UNDO_GRANTS_AGAIN),
            _START_OF_DISABLED,
        ),
    ),
    Experiment(
        _S,
        True,
        (Act("Complete", _S), Act("Reset", _C), Act("Start", _U, disabled=True)),
        (
            Question("reset_of_completed_unlinks", "Does Reset unlink a pair at 2/2?", outcome("Reset", _C, _U)),
            Question(
                "reset_restores",
                "Does Reset after Complete enable the account, return its SPNs and remove the copies?",
                judge.RESET_RESTORES,
                switch=True,
            ),
            Question("reset_enables_account", "Does Reset after Complete enable the account?", judge.RESET_ENABLES),
            Question("reset_restores_spns", "Does Reset after Complete return the SPNs?", judge.RESET_RETURNS_SPNS),
            Question(
                "reset_restores_delegation",
                "Does Reset after Complete return delegation and policy that Complete took?",
                judge.RESET_RETURNS_DELEGATION,
            ),
            Question(
                "reset_removes_copies",
                "Does Reset after Complete remove the copies from the dMSA?",
                judge.RESET_REMOVES_COPIES,
            ),
            _START_OF_DISABLED,
        ),
    ),
    Experiment(_C, True, (Act("Complete", _C), Act("Start", _C)), (_refusal("Complete", _C), _refusal("Start", _C))),
)

READINGS: tuple[Reading, ...] = (BATCH, HOP, BACK_LINK_CLASSES, BACK_LINK_FLAGS, KEY_DELAY, KERBEROS_LOG)

CIRCUMSTANCES: tuple[Reading, ...] = (LINK_CLOSED, LEVEL_BELOW)
"""Readings that say whether something holds in this forest; if it does, their answer is what Start did all the same."""

QUESTIONS: dict[str, str] = {
    **{reading.id: reading.asks for reading in READINGS},
    **{question.id: question.asks for experiment in EXPERIMENTS for question in experiment.questions},
    **{reading.id: reading.asks for reading in CIRCUMSTANCES},
    **{question.id: question.asks for question in OUT_OF_REACH},
}
"""Every question by its id."""

SWITCHES: frozenset[str] = frozenset(
    {reading.id for reading in READINGS if reading.switch}
    | {question.id for experiment in EXPERIMENTS for question in experiment.questions if question.switch}
)
"""The ids that are keys under ``switches`` of an estate file."""
