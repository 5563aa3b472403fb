"""How long a test waits for what must come: the machine may be busy, so only what hangs is ended by it."""

PATIENCE = 120
"""Seconds."""
