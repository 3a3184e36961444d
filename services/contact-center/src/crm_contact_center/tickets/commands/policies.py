"""Making and changing service-level policies; tickets keep the version they were promised."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_contact_center.calendars import store as calendars
from crm_contact_center.tickets import store
from crm_contact_center.tickets.domain.policies import Policy
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer


async def create_policy(tx: Tx, viewer: Viewer, data: Policy, *, now: datetime) -> Policy:
    """A new policy, for tickets opened or reclassified from now on.

    Raises:
        Invalid: there is no such calendar, or no target.
    """
    made = replace(data, id=new_id(), version=1)
    await _check(tx, made)
    await store.insert_policy(tx, made, now)
    return made


async def change_policy(
    tx: Tx, viewer: Viewer, policy_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Policy:
    """A new version of a policy.

    Raises:
        NotFound: there is no such policy.
        PreconditionFailed: it has changed since the sender saw it.
    """
    current = await _locked(tx, policy_id)
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The policy has changed; read it again and repeat your change.")
    changed = replace(current, **changes, version=current.version + 1)
    await _check(tx, changed)
    await store.insert_policy(tx, changed, now)
    return changed


async def retire_policy(tx: Tx, viewer: Viewer, policy_id: UUID, *, now: datetime) -> None:
    """No new ticket falls under it.

    Raises:
        NotFound: there is no such policy.
    """
    await _locked(tx, policy_id)
    await store.retire_policy(tx, policy_id)


async def _locked(tx: Tx, policy_id: UUID) -> Policy:
    found = await store.lock_policy(tx, policy_id)
    if found is None:
        raise NotFound.of("policy", public_id("sla", policy_id))
    return found


async def _check(tx: Tx, policy: Policy) -> None:
    if not policy.targets:
        raise Invalid.field("/targets", "Set a target for at least one clock.", code="targets_missing")
    if policy.calendar_id is not None and await calendars.get(tx, policy.calendar_id) is None:
        raise Invalid.field("/calendar_id", "There is no such calendar.", code="calendar_not_found")
