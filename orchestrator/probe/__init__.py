"""What Windows does where no document says: questions that are asked of a disposable pair, and judged by reading it.

Pure. :class:`Inquiry` yields the calls that are to be carried out and is sent their replies; whoever carries them keeps
the gate, the clock, and the record that outlives a crash.
"""

from __future__ import annotations

from orchestrator.probe.arrival import Controller
from orchestrator.probe.found import Found, NotFound
from orchestrator.probe.inquiry import Inquiry, Stopped
from orchestrator.probe.look import Subject
from orchestrator.probe.questions import QUESTIONS, SWITCHES

__all__ = ["QUESTIONS", "SWITCHES", "Controller", "Found", "Inquiry", "NotFound", "Stopped", "Subject"]
