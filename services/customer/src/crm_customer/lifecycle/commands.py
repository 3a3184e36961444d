"""Moving customers along, one set at a time, and changing the rules."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from crm_customer.lifecycle import store
from crm_customer.lifecycle.domain import Rules, reason
from crm_customer.lifecycle.events import LifecycleChanged
from crm_customer.lifecycle.store import Shift, Transition
from crm_customer.parties.store import writing
from crm_shared.db.due import schedule
from crm_shared.db.operations import Operation, start_operation
from crm_shared.db.pool import Tx
from crm_shared.errors import PreconditionFailed
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer

EVALUATION = "lifecycle.evaluation"
NIGHTLY = "lifecycle.nightly"
NIGHTLY_AT = time(3, 0, tzinfo=UTC)


async def evaluate(tx: Tx, ids: Sequence[UUID], rules: Rules, *, now: datetime) -> int:
    """Move those of these customers on whose state changes by the rules; says how many."""
    found = await store.verdicts(tx, ids, rules, now=now)
    if not found:
        return 0
    await writing.lock_ids(tx, [verdict.customer_id for verdict in found])
    # Another evaluation may have moved some of them while we waited for the locks.
    found = await store.verdicts(tx, [verdict.customer_id for verdict in found], rules, now=now)
    steps = [
        Transition(
            id=new_id(),
            customer_id=verdict.customer_id,
            previous=verdict.previous,
            state=verdict.state,
            reason=reason(verdict.state, verdict.purchases, rules),
            purchases=verdict.purchases,
            rules_version=rules.version,
            changed_at=rules.present(now),
            recorded_at=now,
        )
        for verdict in found
    ]
    await store.move(tx, steps)
    for step in steps:
        event = LifecycleChanged(
            previous=step.previous.value, state=step.state.value, reason=step.reason, changed_at=step.changed_at
        )
        tx.emit(event, aggregate_id=step.customer_id)
    return len(steps)


async def accept_rules(tx: Tx, viewer: Viewer, changed: Rules, *, expected_version: int | None, now: datetime) -> Rules:
    """Put new rules in force from the next evaluation on.

    Raises:
        Invalid: they contradict themselves.
        PreconditionFailed: they have changed since the sender saw them.
    """
    while True:  # again only when somebody else's version was committed between our look and our write
        known = await store.rules(tx)
        if expected_version is not None and expected_version != known.version:
            raise PreconditionFailed("The rules have changed since you read them; read them again.")
        accepted = replace(changed.checked(), version=known.version + 1)
        if await store.add_rules(tx, accepted, actor=viewer.subject, now=now):
            break
    await schedule_nightly(tx, now=now)
    return accepted


async def what_if(tx: Tx, viewer: Viewer, changed: Rules, *, now: datetime) -> list[Shift]:
    """What other rules would change for all customers as they are now; nothing is changed.

    Raises:
        Invalid: the rules contradict themselves.
    """
    return await store.shifts(tx, changed.checked(), now=now)


async def start_evaluation(tx: Tx, viewer: Viewer, as_of: datetime | None, *, now: datetime) -> Operation:
    """Have all customers be evaluated, as of a time if one is given."""
    payload = {"as_of": None if as_of is None else as_of.isoformat()}
    return await start_operation(tx, EVALUATION, payload, viewer=viewer, now=now)


async def schedule_nightly(tx: Tx, *, now: datetime) -> None:
    """Have the next night's evaluation come."""
    tonight = datetime.combine(now.astimezone(UTC).date(), NIGHTLY_AT)
    due_at = tonight if tonight > now else tonight + timedelta(days=1)
    await schedule(tx, NIGHTLY, key="all", due_at=due_at)
