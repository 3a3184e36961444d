from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from crm_customer.behaviour.tables import behaviour_total
from crm_customer.lifecycle import store
from crm_customer.lifecycle.domain import Behaviour, LifecycleState, Previous, Rules, evaluate
from crm_customer.lifecycle.tables import lifecycle, lifecycle_target
from crm_customer.parties.commands import batches
from crm_customer.parties.commands.records import Upserted
from crm_customer.parties.domain import Category, Kind, Profile, Registration
from crm_shared.testing.kit import ServiceKit

DAYS = st.integers(0, 500)
CASES = st.lists(
    st.tuples(
        st.sampled_from([None, *LifecycleState]),
        st.integers(0, 7),  # purchases when the state was reached
        st.integers(0, 8),  # purchases now
        DAYS,
        st.booleans(),
    ),
    min_size=30,
    max_size=30,
)
RULES = st.builds(
    lambda repeat, more, lapsed, longer: Rules(repeat, repeat + more, lapsed, lapsed + longer),
    st.integers(2, 4),
    st.integers(0, 3),
    st.integers(1, 200),
    st.integers(1, 200),
)


@settings(max_examples=15, deadline=None)
@given(cases=CASES, rules=RULES)
async def test_sql_and_domain_say_the_same(
    kit: ServiceKit, cases: list[tuple[LifecycleState | None, int, int, int, bool]], rules: Rules
) -> None:
    tenant, now = kit.tenant(), kit.clock.now()
    async with kit.transaction(tenant) as tx:
        profile = Profile(Kind.PERSON, Category.CONSUMER, "x")
        made = await batches.upsert_many(tx, kit.viewer(tenant), [Registration(profile)] * len(cases), now=now)
        ids = [one.customer.id for one in made if isinstance(one, Upserted)]
        expected: dict[UUID, LifecycleState] = {}
        for customer_id, (state, before, purchases, days, targeted) in zip(ids, cases, strict=True):
            last: datetime | None = now - timedelta(days=days) if purchases else None
            previous = Previous(state or LifecycleState.POTENTIAL, before if state else 0)
            new = evaluate(previous, Behaviour(purchases, last, targeted), rules, now=now)
            if new is not previous.state:
                expected[customer_id] = new
            row: dict[str, Any] = {"tenant_id": tenant, "customer_id": customer_id}
            if purchases:
                totals = {"purchases": purchases, "returns": 0, "payments": 0, "last_purchase_at": last}
                await tx.run(insert(behaviour_total).values(row | totals))
            if state:
                stands = {"state": state.value, "purchases": before, "reason": "", "since": now}
                await tx.run(insert(lifecycle).values(row | stands))
            if targeted:
                await tx.run(insert(lifecycle_target).values(row | {"targeted_at": now}))
        found = {verdict.customer_id: verdict.state for verdict in await store.verdicts(tx, ids, rules, now=now)}
        assert found == expected
        assert sum(shift.customers for shift in await store.shifts(tx, rules, now=now)) == len(expected)
