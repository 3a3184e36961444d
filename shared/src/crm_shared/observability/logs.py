"""Structured logs: one JSON line an event, with the request's and trace's ids and no personal data."""

import logging
import sys
from typing import Any, TextIO, cast

import structlog


def configure_logs(level: str = "INFO", *, human: bool = False, stream: TextIO | None = None) -> None:
    """Send this process's logs to `stream` (standard error), as JSON lines or, for a terminal, as text."""
    out = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level, stream=out, format="%(message)s")
    for chatty in ("aiokafka", "asyncio", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that names its part of the system."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(part=name))
