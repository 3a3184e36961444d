"""What a slice does with other services' events: projections keep local copies, reactions run commands."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from crm_shared.db.pool import Tx
from crm_shared.events import Envelope

F = TypeVar("F", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Received(Generic[F]):
    """One event as a handler gets it; `data` holds only the fields that the consumer reads."""

    event_id: UUID
    tenant: UUID
    aggregate_id: UUID
    sequence: int
    epoch: int
    occurred_at: datetime
    type: str
    data: F


ProjectionHandler = Callable[..., Awaitable[None]]
"""`async def handler(tx: Tx, events: Sequence[Received[Model]]) -> None`; at most one event per key in a call"""

ReactionHandler = Callable[..., Awaitable[None]]
"""`async def handler(tx: Tx, event: Received[Model], *, now: datetime) -> None`"""


@dataclass(frozen=True, slots=True)
class Tap:
    """Takes every event of some topics as it came, whatever its type.

    It is for what passes events on and draws no conclusion from them: each arrives once and in its key's order, but
    none waits for one that is missing. What speaks of an erased person never arrives; the erasure itself does.
    """

    topics: frozenset[str]
    take: Callable[[Tx, Sequence[Envelope]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """One registered function and the consumer's own model of what it reads."""

    model: type[BaseModel]
    call: Callable[..., Awaitable[None]]


@dataclass(slots=True)
class Projections:
    """The local copies of one slice: they take batches, emit nothing, and may be rebuilt at any time."""

    handlers: dict[str, list[Handler]] = field(default_factory=dict[str, list[Handler]])

    def on(self, event_type: str, model: type[BaseModel]) -> Callable[[ProjectionHandler], ProjectionHandler]:
        """Register what to do with a batch of events of one type."""

        def register(handler: ProjectionHandler) -> ProjectionHandler:
            self.handlers.setdefault(event_type, []).append(Handler(model, handler))
            return handler

        return register


@dataclass(slots=True)
class Reactions:
    """What foreign events make a slice do: they call commands, once for each event, and are never replayed."""

    handlers: dict[str, list[Handler]] = field(default_factory=dict[str, list[Handler]])

    def on(self, event_type: str, model: type[BaseModel]) -> Callable[[ReactionHandler], ReactionHandler]:
        """Register what to do with an event of one type."""

        def register(handler: ReactionHandler) -> ReactionHandler:
            self.handlers.setdefault(event_type, []).append(Handler(model, handler))
            return handler

        return register


def received(envelope: Any, model: type[F]) -> Received[F]:
    """An envelope as a handler of `model` gets it.

    Raises:
        pydantic.ValidationError: the data doesn't fit the model.
    """
    return Received(
        event_id=envelope.id,
        tenant=envelope.tenant,
        aggregate_id=envelope.aggregate_id,
        sequence=envelope.sequence,
        epoch=envelope.epoch,
        occurred_at=envelope.time,
        type=envelope.type,
        data=model.model_validate_json(envelope.data),
    )
