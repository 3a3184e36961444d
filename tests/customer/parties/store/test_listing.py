"""Lists of customers show exactly those that a walk over all would have found, in their order, page by page."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_customer.attributes import commands as attributes
from crm_customer.attributes.domain import AttributeType
from crm_customer.merging import commands as merging
from crm_customer.parties.commands import batches
from crm_customer.parties.commands.records import Upserted
from crm_customer.parties.domain import Category, Customer, Kind, Listing, Profile, Registration, Status, fold
from crm_customer.parties.store import listing, reading
from crm_shared.testing.kit import ServiceKit

PEOPLE = 120
VALUES: dict[str, tuple[Any, ...]] = {
    "kind": (Kind.PERSON, Kind.ORGANISATION),
    "category": (Category.CONSUMER, Category.BUSINESS),
    "country": ("DE", "FR", "XX"),
    "language": ("de", "fr", "xx"),
    "owner": ("usr_1", "usr_2", "nobody"),
    "source": ("shop", "fair", "nowhere"),
    "name_prefix": ("A", "an", "Žo", "x"),
    "attributes": ({"tier": 1}, {"tier": 2, "vip": True}, {"tier": 9}),
}
"""Frequent and rare ones; such as never meet, and such as nobody has."""
FILTERS = [names for count in (0, 1, 2, 3) for names in combinations(VALUES, count)]


def registration(n: int) -> Registration:
    profile = Profile(
        kind=Kind.ORGANISATION if n % 10 == 0 else Kind.PERSON,
        category=(Category.CONSUMER, Category.BUSINESS)[n % 2],
        display_name=("Anna", "anna b", "Zoe", "Žofia", "Bert", "A")[n % 6] + ("" if n % 4 else f" {n}"),
        country=("DE", "FR")[n % 2],
        language=("de", "fr", None)[n % 3],
        owner="usr_1" if n % 3 else ("usr_2" if n < 30 else None),
        source="shop" if n > 60 else "fair",
        attributes={"tier": n % 3, "vip": n % 5 == 0} if n % 7 else {},
    )
    return Registration(profile)


@pytest.fixture(scope="module")
async def everybody(kit: ServiceKit) -> tuple[UUID, list[Customer]]:
    tenant = kit.tenant()
    viewer, now = kit.viewer(tenant), kit.clock.now()
    async with kit.transaction(tenant) as tx:
        for name, kind in (("tier", AttributeType.NUMBER), ("vip", AttributeType.BOOLEAN)):
            await attributes.define(tx, viewer, attributes.Define(name, kind, name, ()), now=now)
        made = await batches.upsert_many(tx, viewer, [registration(n) for n in range(PEOPLE)], now=now)
        ids = [one.customer.id for one in made if isinstance(one, Upserted)]
        await merging.merge(tx, viewer, ids[5], ids[-1], "same", now=now)
        return tenant, await reading.many(tx, ids)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So few are looked through that many a page has to be gathered."""
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 8)
    listing.walking.cache_clear()
    yield
    listing.walking.cache_clear()


def expected(people: list[Customer], wanted: Listing) -> list[UUID]:
    def fits(one: Customer) -> bool:
        profile = one.profile
        plain = all(getattr(wanted, name) in (None, getattr(profile, name)) for name in listing.FILTERS)
        named = fold(profile.display_name).startswith(fold(wanted.name_prefix or ""))
        has = (wanted.attributes or {}).items() <= (profile.attributes or {}).items()
        return one.status is Status.ACTIVE and plain and named and has

    found = sorted((one for one in people if fits(one)), key=lambda one: one.id, reverse=True)
    if wanted.name_prefix is not None:
        found.sort(key=lambda one: (listing.name_key(one).encode(), one.id))
    return [one.id for one in found]


async def pages(kit: ServiceKit, tenant: UUID, wanted: Listing, limit: int) -> list[UUID]:
    found: list[UUID] = []
    after: tuple[Any, ...] | None = None
    while True:
        async with kit.database.reading(tenant) as tx:
            page = await listing.list_customers(tx, kit.viewer(tenant), wanted, limit=limit, after=after)
        found += [one.id for one in page]
        if len(page) < limit:
            return found
        last = page[-1]
        after = (last.id,) if wanted.name_prefix is None else (listing.name_key(last), last.id)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_page_by_page_a_list_shows_whom_its_filters_fit(
    kit: ServiceKit, everybody: tuple[UUID, list[Customer]], data: st.DataObject
) -> None:
    tenant, people = everybody
    names = data.draw(st.sampled_from(FILTERS))
    wanted = Listing(**{name: data.draw(st.sampled_from(VALUES[name])) for name in names})
    limit = data.draw(st.integers(1, 7))
    assert await pages(kit, tenant, wanted, limit) == expected(people, wanted)
