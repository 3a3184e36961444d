"""Reading and writing quotes and their lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_sales_pipeline.catalogue.domain.pricing import Discount
from crm_sales_pipeline.catalogue.store import rules_of
from crm_sales_pipeline.customers.store import family, with_present_customer
from crm_sales_pipeline.lists.domain import sees
from crm_sales_pipeline.lists.store import beyond, visible
from crm_sales_pipeline.quotes.domain import Approval, Line, Quote, QuoteState, Totals
from crm_sales_pipeline.quotes.tables import quote, quote_line
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of
from crm_shared.money import Money
from crm_shared.tenancy import Viewer

_FROM, _CUSTOMER = with_present_customer(quote)
_QUOTE = select(*(column for column in quote.c if column.name != "customer_id"), _CUSTOMER).select_from(_FROM)
_GET = _QUOTE.where(quote.c.id == bindparam("id"))
_LOCK = _GET.with_for_update(of=quote)
# All versions of a number are locked in one order, so that two of them are never decided at once.
_LOCK_NUMBER = _QUOTE.where(quote.c.number == bindparam("number")).order_by(quote.c.revision).with_for_update(of=quote)
_DROP_LINES = delete(quote_line).where(quote_line.c.quote_id == bindparam("quote_id"))
_LINE_COLUMNS = (
    "position",
    "product_id",
    "sku",
    "name",
    "quantity",
    "unit_price",
    "tax_rate",
    "discount_percent",
    "listed",
    "line_discount",
    "document_discount",
    "net",
    "tax",
)
_ADD_LINE = insert(quote_line).values(
    tenant_id=bindparam("tenant_id"),
    quote_id=bindparam("quote_id"),
    **{name: bindparam(name) for name in _LINE_COLUMNS},
)


@dataclass(frozen=True, slots=True)
class QuoteFilter:
    """Which quotes a list shows; None doesn't narrow."""

    state: QuoteState | None = None
    deal_id: UUID | None = None
    customer_id: UUID | None = None
    number: str | None = None


async def insert_new(tx: Tx, made: Quote) -> None:
    """Keep a new quote with its lines."""
    await tx.run(insert(quote).values(tenant_id=tx.tenant, customer_id=made.customer_id, **_values(made)))
    await _add_lines(tx, made)


async def save(tx: Tx, changed: Quote) -> None:
    """Keep a changed quote; its lines and its customer stay."""
    await tx.run(update(quote).where(quote.c.id == changed.id).values(**_values(changed)))


async def save_with_lines(tx: Tx, changed: Quote) -> None:
    """Keep a changed draft with new lines."""
    await save(tx, changed)
    await tx.run(_DROP_LINES, {"quote_id": changed.id})
    await _add_lines(tx, changed)


async def get(tx: Tx, quote_id: UUID) -> Quote | None:
    """One quote with its lines."""
    row = await tx.one(_GET, {"id": quote_id})
    return (await _with_lines(tx, [row]))[0] if row is not None else None


async def lock_versions(tx: Tx, quote_id: UUID) -> list[Quote]:
    """All versions of a quote's number, oldest first, ours until the transaction ends; none if there's no such one."""
    row = await tx.one(_GET, {"id": quote_id})
    if row is None:
        return []
    return await _with_lines(tx, await tx.all(_LOCK_NUMBER, {"number": row["number"]}))


async def lock(tx: Tx, quote_id: UUID) -> Quote | None:
    """One quote, ours until the transaction ends."""
    row = await tx.one(_LOCK, {"id": quote_id})
    return (await _with_lines(tx, [row]))[0] if row is not None else None


async def view(tx: Tx, viewer: Viewer, quote_id: UUID) -> Quote | None:
    """One quote, if the viewer may see it."""
    found = await get(tx, quote_id)
    if found is None or not sees(viewer, partner=found.partner, owner_id=found.owner_id):
        return None
    return found


async def list_quotes(
    tx: Tx, viewer: Viewer, filters: QuoteFilter, *, limit: int, after: tuple[Any, ...] | None
) -> list[Quote]:
    """Quotes that the viewer may see, newest first."""
    key = (quote.c.created_at, quote.c.id)
    statement = _QUOTE.where(*visible(quote, viewer)).order_by(*(column.desc() for column in key)).limit(limit)
    if filters.state is not None:
        statement = statement.where(quote.c.state == filters.state.value)
    if filters.deal_id is not None:
        statement = statement.where(quote.c.deal_id == filters.deal_id)
    if filters.customer_id is not None:
        statement = statement.where(any_of(quote.c.customer_id, await family(tx, filters.customer_id)))
    if filters.number is not None:
        statement = statement.where(quote.c.number == filters.number)
    if after is not None:
        statement = statement.where(beyond(key, after, descending=True))
    return await _with_lines(tx, await tx.all(statement))


async def _add_lines(tx: Tx, made: Quote) -> None:
    rows = [{"tenant_id": tx.tenant, "quote_id": made.id, **line_values(line)} for line in made.lines]
    await tx.many(_ADD_LINE, rows)


async def _with_lines(tx: Tx, rows: Sequence[Record]) -> list[Quote]:
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    found = await tx.all(
        select(quote_line)
        .where(any_of(quote_line.c.quote_id, ids))
        .order_by(quote_line.c.quote_id, quote_line.c.position)
    )
    lines: dict[UUID, list[Line]] = {quote_id: [] for quote_id in ids}
    for line in found:
        lines[line["quote_id"]].append(line_of(line))
    return [_quote(row, tuple(lines[row["id"]])) for row in rows]


def line_values(line: Line) -> dict[str, Any]:
    """A line as kept with a quote or an order."""
    return {name: getattr(line, name) for name in _LINE_COLUMNS}


def line_of(row: Record) -> Line:
    """A line as read from a quote or an order."""
    return Line(**{name: row[name] for name in _LINE_COLUMNS})


def totals_values(totals: Totals) -> dict[str, Any]:
    """A document's totals as kept with it."""
    return {name: getattr(totals, name).amount for name in ("listed", "discount", "net", "tax", "total")}


def totals_of(row: Record) -> Totals:
    """A document's totals as read from it."""
    currency = row["currency"]
    return Totals(**{name: Money(row[name], currency) for name in ("listed", "discount", "net", "tax", "total")})


def _values(one: Quote) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "revision": one.revision,
        "state": one.state.value,
        "approval": one.approval.value,
        "deal_id": one.deal_id,
        "campaign_id": one.campaign_id,
        "owner_id": one.owner_id,
        "partner": one.partner,
        "price_book_id": one.price_book_id,
        "currency": one.rules.currency,
        "prices_include_tax": one.rules.prices_include_tax,
        "rounding": one.rules.rounding.value,
        "tax_rounding": one.rules.tax_rounding.value,
        "discount_percent": one.discount.percent,
        "discount_amount": one.discount.amount,
        **totals_values(one.totals),
        "valid_until": one.valid_until,
        "created_by": one.created_by,
        "created_at": one.created_at,
        "approved_by": one.approved_by,
        "sent_at": one.sent_at,
        "decided_at": one.decided_at,
        "reason": one.reason,
        "order_id": one.order_id,
        "version": one.version,
    }


def _quote(row: Record, lines: tuple[Line, ...]) -> Quote:
    return Quote(
        id=row["id"],
        number=row["number"],
        revision=row["revision"],
        state=QuoteState(row["state"]),
        approval=Approval(row["approval"]),
        customer_id=row["customer_id"],
        deal_id=row["deal_id"],
        campaign_id=row["campaign_id"],
        owner_id=row["owner_id"],
        partner=row["partner"],
        price_book_id=row["price_book_id"],
        rules=rules_of(row),
        discount=Discount(percent=row["discount_percent"], amount=row["discount_amount"]),
        totals=totals_of(row),
        lines=lines,
        valid_until=row["valid_until"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        approved_by=row["approved_by"],
        sent_at=row["sent_at"],
        decided_at=row["decided_at"],
        reason=row["reason"],
        order_id=row["order_id"],
        version=row["version"],
    )
