"""Logs are for reading along, on stderr; the truth is the journal."""

from __future__ import annotations

import logging
import sys


def configure(verbose: bool, log_format: str, least: int = logging.WARNING) -> None:
    """Set structlog up: only what is at least of this level, or with *verbose* every event."""
    import structlog

    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
