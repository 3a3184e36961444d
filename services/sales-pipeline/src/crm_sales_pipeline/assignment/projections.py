"""Sellers are users with a seller's role, as the gateway tells."""

from collections.abc import Sequence

from pydantic import Field

from crm_sales_pipeline.assignment import store
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact

PROJECTIONS = Projections()
SELLING_ROLES = frozenset({"seller", "sales_manager"})


class UserFact(Fact):
    """What we read of a user."""

    name: str
    email: str | None = None
    roles: list[str] = Field(default_factory=list[str])


class NothingRead(Fact):
    """We only need to know that it happened."""


@PROJECTIONS.on("crm.user.created.v1", UserFact)
@PROJECTIONS.on("crm.user.changed.v1", UserFact)
async def user_described(tx: Tx, events: Sequence[Received[UserFact]]) -> None:
    """A user who loses the role keeps what they have, but gets nothing new."""
    sellers = [event for event in events if SELLING_ROLES.intersection(event.data.roles)]
    others = [event.aggregate_id for event in events if not SELLING_ROLES.intersection(event.data.roles)]
    await store.fill_from_users(
        tx,
        [
            {"id": event.aggregate_id, "name": event.data.name, "email": event.data.email, "active": True}
            for event in sellers
        ],
    )
    await store.deactivate(tx, others)


@PROJECTIONS.on("crm.user.deactivated.v1", NothingRead)
async def user_deactivated(tx: Tx, events: Sequence[Received[NothingRead]]) -> None:
    """Whoever left gets nothing new."""
    await store.deactivate(tx, [event.aggregate_id for event in events])
