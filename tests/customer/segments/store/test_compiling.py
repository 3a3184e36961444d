"""A rule's SQL finds exactly those of whom the in-process evaluator says that it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from crm_customer.attributes import commands as attributes
from crm_customer.attributes.domain import AttributeType
from crm_customer.behaviour import commands as behaviour
from crm_customer.behaviour.domain import FactKind
from crm_customer.consent.tables import consent_state
from crm_customer.lifecycle.domain import LifecycleState
from crm_customer.lifecycle.tables import lifecycle
from crm_customer.parties.commands import batches
from crm_customer.parties.commands.records import Upserted
from crm_customer.parties.domain import Category, Kind, Profile, Registration, fold
from crm_customer.segments.commands.defining import custom_types
from crm_customer.segments.domain.judging import Grant, Known, Purchase, holds
from crm_customer.segments.domain.tree import parse
from crm_customer.segments.store import segments as store
from crm_customer.segments.store.compiling import Scope
from crm_customer.segments.tables import segment_member
from crm_customer.value.domain import ValueGroup
from crm_customer.value.tables import value_rating
from crm_shared.ids import new_id, public_id
from crm_shared.money import Money
from crm_shared.testing.kit import ServiceKit

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PEOPLE = 60
SEGMENTS = [UUID(int=n + 1) for n in range(2)]
CUSTOM = {
    "tier": AttributeType.NUMBER,
    "hobby": AttributeType.TEXT,
    "met": AttributeType.DATE,
    "vip": AttributeType.BOOLEAN,
}


@dataclass(frozen=True)
class World:
    """A tenant's customers, in the database and as the evaluator knows them."""

    tenant: UUID
    people: Sequence[Known]


def some(index: int, values: Sequence[Any]) -> Any:
    return values[index % len(values)]


def person(n: int) -> tuple[Profile, dict[str, Any]]:
    attributes: dict[str, Any] = {}
    if n % 3:
        attributes["tier"] = some(n, [1, 2.5, 3, 0.1])
    if n % 4:
        attributes["hobby"] = some(n, ["chess", "Chess club", "rowing"])
    if n % 5:
        attributes["met"] = some(n, ["2020-01-01", "2024-06-30"])
    if n % 2:
        attributes["vip"] = n % 3 == 0
    profile = Profile(
        kind=some(n, list(Kind)),
        category=some(n, list(Category)),
        display_name=some(n, ["Ánna Bo", "anna Z", "Bert"]),
        country=some(n, ["DE", "FR", None]),
        language=some(n // 2, ["de", None]),
        birth_date=None if n % 3 else (NOW - timedelta(days=9_000 + n)).date(),
        attributes=attributes,
    )
    return profile, attributes


@pytest.fixture(scope="session")
async def world(kit: ServiceKit) -> World:
    tenant = kit.tenant()
    viewer = kit.viewer(tenant)
    people: list[Known] = []
    async with kit.transaction(tenant) as tx:
        for name, kind in CUSTOM.items():
            await attributes.define(tx, viewer, attributes.Define(name, kind, name, ()), now=NOW)
        profiles = [person(n) for n in range(PEOPLE)]
        days = [NOW - timedelta(days=n * 7) for n in range(PEOPLE)]
        made = await batches.upsert_many(
            tx, viewer, [Registration(p, day) for (p, _), day in zip(profiles, days, strict=True)], now=NOW
        )
        for n, result in enumerate(made):
            assert isinstance(result, Upserted), result
            people.append(await furnished(tx, viewer, n, result))
    return World(tenant, people)


async def furnished(tx: Any, viewer: Any, n: int, result: Upserted) -> Known:
    customer, row = result.customer, {"tenant_id": tx.tenant, "customer_id": result.customer.id}
    purchases = [
        Purchase(NOW - timedelta(days=30 * k * (1 + n % 3)), Decimal(10 + n), some(n + k, ["EUR", "USD"]))
        for k in range(n % 4)
    ]
    reports = [
        behaviour.Report(customer.id, kind, "t", str(new_id()), p.at, Money(p.amount, p.currency))
        for p in purchases
        for kind in (FactKind.PURCHASE, FactKind.PAYMENT)
    ]
    await behaviour.report_many(tx, viewer, reports, now=NOW, announce=False)
    scores: dict[str, int] = {}
    group: str | None = None
    if purchases:
        scores = {"recency": 1 + n % 5, "frequency": 1 + n % 4, "monetary": 1 + n % 3}
        group = some(n, [each.value for each in ValueGroup])
        rest = {"value_group": group, "purchases": 1, "last_purchase_at": NOW, "total": 1, "currency": "EUR", "run": 1}
        await tx.run(insert(value_rating).values(row | scores | rest | {"rated_at": NOW}))
    state = some(n, [None, *LifecycleState])
    if state:
        stands = {"state": state.value, "purchases": 0, "reason": "", "since": NOW}
        await tx.run(insert(lifecycle).values(row | stands))
    consents: dict[tuple[str, str], Grant] = {}
    if n % 3:
        ends = some(n, [None, NOW + timedelta(days=1), NOW - timedelta(days=1)])
        consents["news", "email"] = Grant(some(n // 2, ["granted", "revoked", "expired"]), ends)
        grant = consents["news", "email"]
        what = {"purpose": "news", "channel": "email", "status": grant.status, "expires_at": ends}
        await tx.run(insert(consent_state).values(row | what | {"entry_id": new_id()}))
    inside = frozenset(each for k, each in enumerate(SEGMENTS) if n % (k + 2) == 0)
    for each in inside:
        entry = {"segment_id": each, "version": 1, "reason": "", "entered_at": NOW}
        await tx.run(insert(segment_member).values(row | entry))
    profile = customer.profile
    fields: Mapping[str, Any] = {
        "kind": profile.kind.value,
        "category": profile.category.value,
        "country": profile.country,
        "language": profile.language,
        "source": None,
        "owner": None,
        "display_name": fold(profile.display_name),
        "completeness": customer.completeness,
        "birth_date": profile.birth_date,
        "registered_on": customer.registered_at.astimezone(UTC).date(),
    }
    return Known(
        id=customer.id,
        fields=fields,
        attributes=profile.attributes or {},
        purchases=purchases,
        scores=scores,
        value_group=group,
        state=state.value if state else "potential",
        consents=consents,
        segments=inside,
    )


ORDER = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
WINDOW = st.one_of(st.none(), st.integers(0, 120))


def attribute(field: str, ops: Sequence[str], values: Sequence[Any]) -> st.SearchStrategy[dict[str, Any]]:
    pairs = st.tuples(st.sampled_from(ops), st.sampled_from(values))
    return pairs.map(lambda pair: {"type": "attribute", "field": field, "op": pair[0], "value": pair[1]})


COMPARED = ["eq", "ne", "lt", "le", "gt", "ge", "is_set"]
ATTRIBUTES = st.one_of(
    attribute("country", ["eq", "ne", "prefix", "is_set"], ["DE", "FR", "D", "XX"]),
    attribute("language", ["eq", "ne", "is_set"], ["de", "en"]),
    attribute("kind", ["in"], [["person"], ["person", "organisation"]]),
    attribute("display_name", ["eq", "prefix"], ["ANNA", "Anna Bo", "b"]),
    attribute("completeness", COMPARED, [0, 10, 11, 20, 55]),
    attribute("birth_date", COMPARED, ["2001-01-01", "2001-06-30"]),
    attribute("registered_on", COMPARED, ["2026-03-02", "2026-02-01", "2025-10-06"]),
    attribute("attributes.tier", COMPARED, [1, 2.5, 0.1, 3]),
    attribute("attributes.hobby", ["eq", "ne", "prefix", "is_set"], ["chess", "Chess", ""]),
    attribute("attributes.hobby", ["in"], [["chess", "rowing"], ["none"]]),
    attribute("attributes.met", COMPARED, ["2020-01-01", "2022-01-01"]),
    attribute("attributes.vip", ["eq", "ne", "is_set"], [True, False]),
)
LEAVES = st.one_of(
    ATTRIBUTES,
    st.builds(
        lambda op, n, days: {"type": "purchase_count", "op": op, "value": n, "window_days": days},
        ORDER,
        st.integers(0, 4),
        WINDOW,
    ),
    st.builds(
        lambda op, amount, currency, days: {
            "type": "purchase_sum",
            "op": op,
            "amount": {"amount": str(amount), "currency": currency},
            "window_days": days,
        },
        ORDER,
        st.integers(0, 150),
        st.sampled_from(["EUR", "USD"]),
        WINDOW,
    ),
    st.builds(
        lambda op, days: {"type": "last_purchase", "op": op, "days": days},
        st.sampled_from(["within", "before"]),
        st.integers(0, 200),
    ),
    st.builds(
        lambda dimension, op, n: {"type": "value", "dimension": dimension, "op": op, "value": n},
        st.sampled_from(["recency", "frequency", "monetary"]),
        ORDER,
        st.integers(1, 5),
    ),
    st.lists(st.sampled_from([each.value for each in ValueGroup]), min_size=1, max_size=3).map(
        lambda groups: {"type": "value_group", "groups": groups}
    ),
    st.lists(st.sampled_from([each.value for each in LifecycleState]), min_size=1, max_size=8).map(
        lambda states: {"type": "lifecycle", "states": states}
    ),
    st.just({"type": "consent", "purpose": "news", "channel": "email"}),
    st.just({"type": "consent", "purpose": "news", "channel": "phone"}),
    st.sampled_from(SEGMENTS).map(lambda each: {"type": "segment", "segment_id": public_id("seg", each)}),
    st.builds(
        lambda seed, of, start: {
            "type": "random_bucket",
            "seed": seed,
            "of": of + 1,
            "start": min(start, of),
            "end": of + 1,
        },
        st.sampled_from(["a", "spring"]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
)
RULES = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda rules: {"type": "and", "rules": rules}),
        st.lists(parts, min_size=1, max_size=3).map(lambda rules: {"type": "or", "rules": rules}),
        parts.map(lambda rule: {"type": "not", "rule": rule}),
    ),
    max_leaves=6,
)


PLACES = st.integers(0, PEOPLE - 1)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rule=RULES,
    days_back=st.sampled_from([0, 0, 45]),
    scoped=st.sampled_from(["all", "some", "stretch"]),
    places=st.lists(PLACES, min_size=2, max_size=9),
)
async def test_sql_finds_whom_the_evaluator_finds(
    kit: ServiceKit, world: World, rule: dict[str, Any], days_back: int, scoped: str, places: list[int]
) -> None:
    as_of = NOW - timedelta(days=days_back)
    ids = sorted(known.id for known in world.people)
    asked = [ids[place] for place in places]
    low, high = min(asked), max(asked)
    scope, within = {
        "all": (Scope(), set(ids)),
        "some": (Scope(ids=asked), set(asked)),
        "stretch": (Scope(after=low, upto=high), {each for each in ids if low < each <= high}),
    }[scoped]
    async with kit.transaction(world.tenant) as tx:
        tree = parse(rule, await custom_types(tx))
        expected = {known.id for known in world.people if holds(tree, known, as_of)}
        assert await store.matching(tx, tree, as_of, scope) == expected & within


@pytest.mark.parametrize("field", ["completeness", "display_name", "registered_on"])
async def test_what_is_true_of_everybody_still_stays_within_the_tenant(
    kit: ServiceKit, world: World, field: str
) -> None:
    everybody = {"type": "attribute", "field": field, "op": "is_set"}
    async with kit.transaction(world.tenant) as tx:
        for rule, count in ((everybody, PEOPLE), ({"type": "not", "rule": everybody}, 0)):
            assert len(await store.matching(tx, parse(rule, {}), NOW, Scope())) == count


async def test_a_manual_list_finds_those_on_it(kit: ServiceKit, world: World) -> None:
    listed = [known.id for known in world.people[:2]]
    rule = {"type": "manual", "customer_ids": [public_id("cus", each) for each in [*listed, new_id()]]}
    async with kit.transaction(world.tenant) as tx:
        assert await store.matching(tx, parse(rule, {}), NOW, Scope()) == set(listed)


async def test_another_tenants_customers_are_never_found(kit: ServiceKit, world: World) -> None:
    everybody = parse({"type": "not", "rule": {"type": "purchase_count", "op": "ge", "value": 10**6}}, {})
    async with kit.transaction(kit.tenant()) as tx:
        assert await store.matching(tx, everybody, NOW, Scope()) == set()
