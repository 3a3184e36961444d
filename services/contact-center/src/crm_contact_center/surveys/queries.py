"""Reading askings; a customer's are found under every id that has been merged into theirs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crm_contact_center.customers import store as customers
from crm_contact_center.surveys import store
from crm_contact_center.surveys.domain import Invitation, Survey, invitation_in, sign
from crm_shared.db.pool import Tx
from crm_shared.errors import NotFound
from crm_shared.tenancy import Viewer


@dataclass(frozen=True, slots=True)
class Asked:
    """An asking with what the customer needs to answer it."""

    invitation: Invitation
    token: str
    survey: Survey


async def list_invitations(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Asked]:
    """Askings, newest first."""
    family = None
    if filters.customer_id is not None:
        family = (await customers.family(tx, [filters.customer_id]))[filters.customer_id]
    found = await store.list_invitations(tx, viewer, filters, family, limit=limit, after=after)
    return [await asked(tx, one) for one in found]


async def get_invitation(tx: Tx, viewer: Viewer, invitation_id: UUID) -> Asked | None:
    """One asking."""
    found = await store.get_invitation(tx, viewer, invitation_id)
    return await asked(tx, found) if found else None


async def by_token(tx: Tx, viewer: Viewer, token: str) -> Asked:
    """The asking that a token is for.

    Raises:
        NotFound: we didn't make it.
    """
    key = await store.key(tx)
    found = await store.get_invitation(tx, viewer, invitation_in(key, token)) if key else None
    if found is None:
        raise NotFound("There is no such survey.", code="survey_not_found")
    return await asked(tx, found)


async def asked(tx: Tx, found: Invitation) -> Asked:
    """An asking with its token and question."""
    key, survey = await store.key(tx), await store.get(tx, found.survey_id)
    assert key is not None, "a key is made with the first asking"
    assert survey is not None, "an asking belongs to a survey"
    return Asked(found, sign(key, tx.tenant, found.id), survey)
