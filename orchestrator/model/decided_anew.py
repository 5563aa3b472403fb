"""Words of operators after which what was decided is decided anew, if it was not sent yet.

All others wait for the runner's next turn. A store that gives writes their leave by itself knows these words too.
"""

from __future__ import annotations

from orchestrator.model.event import Held, WayBackAsked
from orchestrator.model.words import AdoptAsked, Amended, AssertedDone, HostReleased

ABOUT_ONE = frozenset(
    word.model_fields["kind"].default for word in (Held, WayBackAsked, HostReleased, AssertedDone, AdoptAsked)
)
"""Words after which what was decided about a migration is decided anew."""
ABOUT_ALL = frozenset({Amended.model_fields["kind"].default})
"""Words after which everything is."""
