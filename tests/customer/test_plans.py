"""No list, search or card reads a table from end to end: plans are taken as the routes run, in the role they run as."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from asyncpg.connection import Connection

from crm_customer.behaviour import commands as behaviour
from crm_customer.behaviour.domain import FactKind
from crm_customer.consent import commands as consent
from crm_customer.consent.domain import ConsentStatus
from crm_customer.parties.commands import batches
from crm_customer.parties.commands.records import Upserted
from crm_customer.parties.domain import Category, ContactChannel, Kind, Profile, Registration, TypedPoint
from crm_customer.parties.normalising import contact_points
from crm_shared.ids import public_id
from crm_shared.money import Money
from crm_shared.testing.kit import ServiceKit

PEOPLE = 2_000


def registration(n: int) -> Registration:
    points = contact_points([TypedPoint(ContactChannel.EMAIL, f"p{n}@example.com")], country=None)
    profile = Profile(
        kind=Kind.ORGANISATION if n % 50 == 0 else Kind.PERSON,
        category=list(Category)[n % 4],
        display_name=f"Name{n % 211} Family{n}",
        country=["DE", "FR", "IT"][n % 3] if n % 100 else "AT",
        language=["de", "fr"][n % 2],
        owner=f"usr_{n % 40}",
        source=f"s{n % 30}",
        external_source="erp",
        external_id=str(n),
        attributes={"tier": n % 500},
        contact_points=points,
    )
    return Registration(profile)


@pytest.fixture(scope="module")
async def crowd(kit: ServiceKit) -> tuple[UUID, UUID]:
    """A tenant with some thousand customers beside another of the same size, and one customer with a past."""
    somebody = UUID(int=0)
    tenant = kit.tenant()
    for each in (kit.tenant(), tenant):
        viewer = kit.viewer(each)
        async with kit.transaction(each) as tx:
            from crm_customer.attributes import commands as attributes
            from crm_customer.attributes.domain import AttributeType

            await attributes.define(
                tx, viewer, attributes.Define("tier", AttributeType.NUMBER, "Tier", ()), now=kit.clock.now()
            )
        for start in range(0, PEOPLE, 1_000):
            async with kit.transaction(each) as tx:
                items = [registration(start + n) for n in range(1_000)]
                made = await batches.upsert_many(tx, viewer, items, now=kit.clock.now())
                tx.pending.clear()
                ids = [one.customer.id for one in made if isinstance(one, Upserted)]
                somebody = ids[0]
                await furnish(kit, tx, viewer, ids)
                tx.pending.clear()
    admin = await asyncpg.connect(kit.urls.admin)
    # As autovacuum would: until then a GIN index keeps the new rows in a list that is read from end to end.
    await admin.execute("VACUUM ANALYZE")
    await admin.close()
    return tenant, somebody


async def furnish(kit: ServiceKit, tx: Any, viewer: Any, ids: list[UUID]) -> None:
    now = kit.clock.now()
    reports = [
        behaviour.Report(
            each, FactKind.PURCHASE, "shop", f"{each}-{n}", now - timedelta(days=n), Money.of("5.00", "EUR")
        )
        for each in ids[:500]
        for n in range(2)
    ]
    await behaviour.report_many(tx, viewer, reports, now=now, announce=False)
    grants = [consent.Recording(each, "news", "email", ConsentStatus.GRANTED) for each in ids]
    await consent.record_many(tx, viewer, grants, now=now)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plans of all SELECTs that run meanwhile, each taken just before, by the same connection in the same role."""
    seen: list[str] = []

    def explaining(run: Callable[..., Any]) -> Callable[..., Any]:
        plain_fetch = Connection.fetch

        async def explained(self: Any, query: str, *arguments: Any, **more: Any) -> Any:
            if query.lstrip().upper().startswith(("SELECT", "WITH")):
                plan = await plain_fetch(self, f"EXPLAIN {query}", *arguments)
                seen.append(query + "\n" + "\n".join(line[0] for line in plan))
            return await run(self, query, *arguments, **more)

        return explained

    patched = {name: explaining(getattr(Connection, name)) for name in ("fetch", "fetchrow", "fetchval")}
    for name, function in patched.items():
        monkeypatch.setattr(Connection, name, function)
    return seen


LISTS = [
    ("/v1/customers", {}),
    ("/v1/customers", {"country": "AT"}),
    ("/v1/customers", {"kind": "organisation"}),
    ("/v1/customers", {"category": "business"}),
    ("/v1/customers", {"language": "fr"}),
    ("/v1/customers", {"owner": "usr_3"}),
    ("/v1/customers", {"source": "s7"}),
    ("/v1/customers", {"name": "name77"}),
    ("/v1/customers", {"attribute": "tier=77"}),
    ("/v1/customers/search", {"q": "family2345"}),
    ("/v1/customers/search", {"q": "name12 family1"}),
    ("/v1/customers/search", {"q": "famliy2345"}),
    ("/v1/customers/search", {"q": "p77@exa"}),
    ("/v1/customers/search", {"q": "+4930123"}),
    ("/v1/customers/by-external-id/erp/77", {}),
    ("/v1/customers/{id}", {}),
    ("/v1/customers/{id}/audit", {}),
    ("/v1/customers/{id}/card", {}),
    ("/v1/customers/{id}/timeline", {}),
    ("/v1/customers/{id}/timeline", {"kind": "order"}),
    ("/v1/customers/{id}/purchases", {}),
    ("/v1/customers/{id}/behaviour", {}),
    ("/v1/customers/{id}/consents", {}),
    ("/v1/customers/{id}/consents/ledger", {}),
    ("/v1/customers/{id}/consents/check", {"purpose": "news", "channel": "email"}),
    ("/v1/customers/{id}/lifecycle", {}),
    ("/v1/customers/{id}/segments", {}),
]
LARGE = ("customer", "contact_key", "money_fact", "behaviour_total", "consent_entry", "consent_state", "customer_audit")


@pytest.mark.parametrize(("path", "params"), LISTS)
async def test_nothing_is_read_from_end_to_end(
    kit: ServiceKit, crowd: tuple[UUID, UUID], plans: list[str], path: str, params: dict[str, str]
) -> None:
    tenant, somebody = crowd
    async with kit.client(tenant) as http:
        answer: httpx.Response = await http.get(path.format(id=public_id("cus", somebody)), params=params)
    assert answer.status_code == 200, answer.text
    assert plans
    for plan in plans:
        scanned = [table for table in LARGE if f"Seq Scan on {table} " in plan or f"Seq Scan on {table}\n" in plan]
        assert not scanned, plan
