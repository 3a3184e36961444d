"""Setting the policy, suppressing and releasing."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.customers.domain import folded
from crm_communication_dispatch.governance import store
from crm_communication_dispatch.governance.domain import (
    Policy,
    Suppression,
    SuppressionReason,
    check_policy,
    require_unreleased,
)
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version


@dataclass(frozen=True, slots=True)
class Silence:
    """Whom not to write to, on which channel, for which purpose (None: for none), and why."""

    channel: str
    customer_id: UUID | None
    address: str | None
    purpose: str | None
    reason: SuppressionReason
    note: str | None = None
    message_id: UUID | None = None
    expires_at: datetime | None = None


async def set_policy(tx: Tx, viewer: Viewer, policy: Policy, *, expected: int | None, now: datetime) -> Policy:
    """Replace the tenant's policy.

    Raises:
        Invalid: it contradicts itself.
    """
    errors = check_policy(policy)
    if errors:
        raise Invalid(errors[0].message, code="policy_invalid", errors=errors)
    while True:  # again only when somebody else's first policy was committed between our look and our write
        current = await store.get_policy(tx, locked=True)
        expect_version(current.version, expected)
        saved = replace(policy, version=current.version + 1)
        if await store.save_policy(tx, saved, by=viewer.subject, now=now):
            return saved


async def suppress(tx: Tx, viewer: Viewer, silence: Silence, *, now: datetime) -> Suppression:
    """Stop writing to somebody; saying so twice changes nothing.

    Raises:
        Invalid: neither a customer nor an address is named, or it ends before it begins.
    """
    made, _ = await suppress_once(tx, viewer, silence, now=now)
    return made


async def suppress_once(tx: Tx, viewer: Viewer, silence: Silence, *, now: datetime) -> tuple[Suppression, bool]:
    """`suppress`, and whether it was news.

    Raises:
        Invalid: neither a customer nor an address is named, or it ends before it begins.
    """
    if silence.customer_id is None and silence.address is None:
        raise Invalid.field("/customer_id", "Name a customer, an address, or both.", code="target_missing")
    if silence.expires_at is not None and silence.expires_at <= now:
        raise Invalid.field("/expires_at", "It must end in the future.", code="expiry_in_past")
    made = Suppression(
        id=new_id(),
        channel=silence.channel,
        customer_id=silence.customer_id,
        address=folded(silence.address) if silence.address else None,
        purpose=silence.purpose,
        reason=silence.reason,
        note=silence.note,
        message_id=silence.message_id,
        created_by=viewer.subject,
        created_at=now,
        expires_at=silence.expires_at,
        released_at=None,
        released_by=None,
        release_reason=None,
        version=1,
    )
    known = await store.same(tx, made)
    if known is not None and (known.expires_at is None or known.expires_at > now):
        return known, False
    await store.add(tx, made)
    return made, True


async def release(tx: Tx, viewer: Viewer, suppression_id: UUID, reason: str, *, now: datetime) -> Suppression:
    """Let somebody be written to again; who did it and why stays on record.

    Raises:
        NotFound: there is no such suppression.
        Conflict: it has been released already.
    """
    found = await store.lock(tx, suppression_id)
    if found is None:
        raise NotFound.of("suppression", public_id("sup", suppression_id))
    require_unreleased(found)
    return await store.release(tx, suppression_id, by=viewer.subject, reason=reason, now=now)
