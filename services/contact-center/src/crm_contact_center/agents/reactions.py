"""Users of the suite with the role agent are agents, under the same id."""

from datetime import datetime

from crm_contact_center.agents import commands, store
from crm_contact_center.agents.commands import NewAgent
from crm_contact_center.agents.domain import USER_ROLE
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact
from crm_shared.tenancy import Viewer

REACTIONS = Reactions()


class UserKnown(Fact):
    """What we read of a user."""

    name: str
    email: str | None = None
    roles: tuple[str, ...] = ()


@REACTIONS.on("crm.user.created.v1", UserKnown)
async def user_created(tx: Tx, event: Received[UserKnown], *, now: datetime) -> None:
    """A user who is to talk to customers."""
    if USER_ROLE not in event.data.roles or await store.get(tx, event.aggregate_id) is not None:
        return
    data = NewAgent(event.data.name, event.data.email, user_id=event.aggregate_id, id=event.aggregate_id)
    await commands.create_agent(tx, Viewer.system(tx.tenant), data, now=now)
