"""``lifecycle``: the law, drawn."""

from __future__ import annotations

from orchestrator.views.output import say


def lifecycle() -> None:
    """Print the state diagram (Mermaid), drawn from the table that the program obeys.

    Example: dmsa lifecycle > lifecycle.mmd
    """
    from orchestrator.model.lifecycle import mermaid

    say(mermaid().rstrip())
