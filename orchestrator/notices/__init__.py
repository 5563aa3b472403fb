"""What people are told of a run: which occasions have come, and the words for each. Pure: nothing is sent here.

:func:`due` says what is to be raised; the conductor writes it down as :class:`~orchestrator.model.noticed.NoticeRaised`
and hands it on. :func:`body_of` makes of it what a receiver understands.
"""

from orchestrator.notices.body import FORMS, Form, body_of, form_for, trial_notice
from orchestrator.notices.due import Due, due, numbered
from orchestrator.notices.words import account_of, headline, text_of

__all__ = [
    "FORMS",
    "Due",
    "Form",
    "account_of",
    "body_of",
    "due",
    "form_for",
    "headline",
    "numbered",
    "trial_notice",
    "text_of",
]
