"""What other services' events mean for the desk: users who leave, people who are erased."""

from datetime import datetime
from uuid import UUID

from crm_contact_center.agents import store as agents
from crm_contact_center.agents.domain import USER_ROLE
from crm_contact_center.interactions import store as interactions
from crm_contact_center.routing.commands import presence
from crm_contact_center.routing.store import reservations
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact
from crm_shared.tenancy import Viewer

REACTIONS = Reactions()


class UserRoles(Fact):
    """What we read of a user who has changed."""

    roles: tuple[str, ...] = ()


class Nothing(Fact):
    """An event whose type says it all."""


@REACTIONS.on("crm.user.changed.v1", UserRoles)
async def user_changed(tx: Tx, event: Received[UserRoles], *, now: datetime) -> None:
    """A user who is an agent no longer leaves the desk."""
    if USER_ROLE not in event.data.roles:
        await _retire(tx, event.aggregate_id, now)


@REACTIONS.on("crm.user.deactivated.v1", Nothing)
async def user_deactivated(tx: Tx, event: Received[Nothing], *, now: datetime) -> None:
    """So does one who is gone."""
    await _retire(tx, event.aggregate_id, now)


@REACTIONS.on("crm.customer.erased.v1", Nothing)
async def customer_erased(tx: Tx, event: Received[Nothing], *, now: datetime) -> None:
    """Forget what the person said and what was shown of them."""
    ids = {event.aggregate_id}
    shown = await interactions.recent_of(tx, ids, 10_000)
    await reservations.drop_cards(tx, [one.id for found in shown.values() for one in found])
    await interactions.scrub(tx, ids)


async def _retire(tx: Tx, user_id: UUID, now: datetime) -> None:
    found = await agents.get(tx, user_id)
    if found is not None and not found.retired:
        await presence.retire(tx, Viewer.system(tx.tenant), user_id, now=now)
