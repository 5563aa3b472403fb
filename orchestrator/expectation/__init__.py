"""What a wave will write and what a SOC will see of it; and what somebody else has written. Pure.

:func:`expected` predicts, from the table beside the steps and what the journal knows; :func:`reconcile` holds exported
events against it.
"""

from orchestrator.expectation.expected import expected, expected_of_sent
from orchestrator.expectation.finding import IDS, Finding, Reconciled
from orchestrator.expectation.forms import EventUnreadable, TimeForm, rows_of
from orchestrator.expectation.history import Told
from orchestrator.expectation.names import Names
from orchestrator.expectation.reconcile import Case, reconcile
from orchestrator.expectation.row import Expectation
from orchestrator.expectation.seen import SeenEvent, understood

__all__ = [
    "IDS",
    "Case",
    "EventUnreadable",
    "Expectation",
    "Finding",
    "Names",
    "Reconciled",
    "SeenEvent",
    "TimeForm",
    "Told",
    "expected",
    "expected_of_sent",
    "reconcile",
    "rows_of",
    "understood",
]
