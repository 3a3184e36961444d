"""Which trace the present work belongs to (W3C Trace Context), and the spans that tell how long its parts took.

A trace travels with requests and events whether or not spans are made: logs name it, and events carry it on. Spans are
made where `configure_traces` found somebody to send them to; elsewhere `span` costs a look and nothing is imported.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

_PATTERN = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
MOST_STATE = 512
"""A longer `tracestate` is left behind, as the standard allows."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Value: TypeAlias = str | int | float | bool


class Kind(Enum):
    """On which side of a conversation a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Trace(NamedTuple):
    """A place in a trace, as it travels: `traceparent` and `tracestate`."""

    parent: str
    state: str | None = None

    @classmethod
    def read(cls, parent: object, state: object = None) -> "Trace | None":
        """What two headers say, whoever wrote them; anything malformed is nothing."""
        if not isinstance(parent, str) or not _PATTERN.fullmatch(parent):
            return None
        return cls(parent, state if isinstance(state, str) and 0 < len(state) <= MOST_STATE else None)

    @property
    def trace_id(self) -> str:
        """The trace, in hexadecimal."""
        return self.parent[3:35]

    @property
    def span_id(self) -> str:
        """The span that comes before what is done here."""
        return self.parent[36:52]

    @property
    def sampled(self) -> bool:
        """Whether whoever began it wants its spans kept."""
        return int(self.parent[53:], 16) & 1 == 1


class Work(NamedTuple):
    """What is being done: in which trace, and for which request."""

    trace: Trace | None
    request_id: str | None = None


class Span(Protocol):
    """A part of the work, from entering to leaving the block."""

    @property
    def trace(self) -> Trace | None:
        """Its place; what it causes elsewhere follows it."""
        ...

    def tell(self, attributes: Mapping[str, Value], *, name: str = "", failed: bool = False) -> None:
        """Say what is only known now. Never anything of a person: no paths, no queries, no messages of errors."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """It has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """How a span begins. `parent` None makes a trace of its own; `links` are traces that it serves as well."""

    service: str
    name: str
    kind: Kind = Kind.INTERNAL
    parent: Trace | None = None
    links: Sequence[Trace] = ()
    attributes: Mapping[str, Value] | None = None
    request_id: str | None = None


class Engine(Protocol):
    """Makes spans and sends them away."""

    def span(self, begun: Begun) -> Span:
        """A span that begins now and is current inside its block."""
        ...

    def close(self) -> None:
        """Send what has been kept."""
        ...


_work: ContextVar[Work | None] = ContextVar("crm_work", default=None)
_engine: Engine | None = None


def configure_traces() -> None:
    """Make spans if the environment names a collector (`OTEL_EXPORTER_OTLP_ENDPOINT`), as OpenTelemetry's SDKs do."""
    wanted = any(os.environ.get(name) for name in _ENDPOINTS)
    refused = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or (
        os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none"
    )
    if not wanted or refused or _engine is not None:
        return
    from crm_shared.observability.spans import OtlpEngine  # noqa: PLC0415 # a tenth of a second that few need

    use(OtlpEngine.from_environment())


def use(engine: Engine | None) -> None:
    """Have this engine make the spans; None: nobody."""
    global _engine  # noqa: PLW0603 # one a process, as with logs
    _engine = engine


def close_traces() -> None:
    """Send what has been kept; for the end of a process."""
    if _engine is not None:
        _engine.close()
        use(None)


def are_traced() -> bool:
    """Whether spans are made at all: for those who would have to prepare one."""
    return _engine is not None


def current_work() -> Work | None:
    """What is being done here, for log lines."""
    return _work.get()


def current_trace() -> Trace | None:
    """The trace that the present work belongs to, if any."""
    work = _work.get()
    return work.trace if work is not None else None


def span(service: str, name: str, *, kind: Kind = Kind.INTERNAL, attributes: Mapping[str, Value] | None = None) -> Span:
    """A part of the present work; nothing where no spans are made."""
    if _engine is None:
        return NO_SPAN
    work = _work.get() or Work(None)
    return _engine.span(Begun(service, name, kind, work.trace, attributes=attributes, request_id=work.request_id))


def carrying_out(service: str, function: Callable[..., Any]) -> Span:
    """One command or query in its transaction, by its name."""
    if _engine is None:
        return NO_SPAN
    name = getattr(function, "__qualname__", type(function).__qualname__)
    where = getattr(function, "__module__", "")
    return span(service, name, attributes={"code.function.name": f"{where}.{name}"})


def began(begun: Begun) -> Span:
    """Work that somebody else's caused: a span, or where none are made, its trace and request all the same."""
    if _engine is None:
        return _Following(Work(begun.parent, begun.request_id))
    return _engine.span(begun)


def following(trace: Trace | None, *, request_id: str | None = None) -> Span:
    """Make the work inside the block part of this trace, without a span of its own."""
    return _Following(Work(trace, request_id))


class _NoSpan:
    """Nobody watches."""

    trace = None

    def tell(self, attributes: Mapping[str, Value], *, name: str = "", failed: bool = False) -> None:
        """Nobody hears it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nobody looks."""


NO_SPAN: Span = _NoSpan()


class _Following(_NoSpan):
    """The trace alone."""

    __slots__ = ("_token", "_work")

    def __init__(self, work: Work) -> None:
        self._work = work

    def __enter__(self) -> Self:
        self._token = doing(self._work)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        done(self._token)


def doing(work: Work) -> "Token[Work | None]":
    """From here on this is being done; for engines."""
    return _work.set(work)


def done(token: "Token[Work | None]") -> None:
    """It has been done."""
    _work.reset(token)
