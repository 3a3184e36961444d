"""Structured logs: one JSON line an event, with the request's and trace's ids and no personal data."""

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

from crm_shared.observability.redaction import scrub, shortened, tell_errors
from crm_shared.observability.tracing import current_work

_QUIET = {
    "aiokafka": logging.ERROR,
    "asyncio": logging.ERROR,
    "uvicorn.access": logging.ERROR,
    # They log whole addresses, tokens and all.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "urllib3": logging.ERROR,
}


def configure_logs(level: str = "INFO", *, human: bool = False, stream: TextIO | None = None) -> None:
    """Send this process's logs to `stream` (standard error), as JSON lines or, for a terminal, as text.

    Libraries' own lines, and whatever ends the process or a thread, go the same way and lose the same things.
    """
    out = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _name_work,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_errors,
        scrub,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _shorten, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that names its part of the system."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(part=name))


def _name_work(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    work = current_work()
    if work is not None:
        if work.request_id is not None:
            event.setdefault("request_id", work.request_id)
        if work.trace is not None:
            event.setdefault("trace_id", work.trace.trace_id)
            event.setdefault("span_id", work.trace.span_id)
    return event


def _shorten(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["event"] = shortened(str(event["event"]))
    return event


def _crashed(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, at)
        return
    logger("process").critical("crashed", exc_info=error)


def _thread_crashed(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        name = given.thread.name if given.thread is not None else ""
        logger("process").error("thread_crashed", thread=name, exc_info=given.exc_value)
