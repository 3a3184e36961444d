"""Making, sending and deciding quotes; accepting one makes an order, which is the orders slice's business."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from crm_sales_pipeline.catalogue.commands import AskedLine, PricedDocument, Terms, price_lines
from crm_sales_pipeline.customers.commands import meet
from crm_sales_pipeline.deals import store as deals
from crm_sales_pipeline.deals.domain import Deal
from crm_sales_pipeline.lists.domain import partner_for, sees, user_of
from crm_sales_pipeline.numbering.store import next_number
from crm_sales_pipeline.quotes import store
from crm_sales_pipeline.quotes.domain import (
    Approval,
    Line,
    Quote,
    QuoteState,
    Totals,
    approval_for,
    check_approvable,
    check_editable,
    check_rejectable,
    check_sendable,
)
from crm_sales_pipeline.quotes.events import QuoteExpired, QuoteSent
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer
from crm_shared.versions import expect_version

EXPIRY_DUE = "quote.expiry"
_VALID_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class DraftQuote:
    """What a quote shall say. Without a customer it is the deal's; without a validity it is 30 days."""

    customer_id: UUID | None
    deal_id: UUID | None
    terms: Terms
    lines: Sequence[AskedLine]
    valid_until: datetime | None


async def draft_quote(tx: Tx, viewer: Viewer, data: DraftQuote, *, now: datetime) -> Quote:
    """Make the first version of a quote, priced here.

    Raises:
        Conflict: deal and customer don't belong together, or no price book is valid.
        Invalid: a line cannot be priced.
    """
    deal = await _visible_deal(tx, viewer, data.deal_id) if data.deal_id is not None else None
    customer_id = data.customer_id or (deal.customer_id if deal is not None else None)
    if customer_id is None:
        raise Invalid.field("/customer_id", "A quote is for a customer, or for a deal that has one.", code="required")
    customer = await meet(tx, customer_id)
    if deal is not None and deal.customer_id != customer.id:
        raise Conflict("This deal is another customer's.", code="customer_mismatch")
    priced = await price_lines(tx, data.lines, data.terms, now=now)
    made = Quote(
        id=new_id(),
        number=await next_number(tx, "Q", now=now),
        revision=1,
        state=QuoteState.DRAFT,
        approval=_approval(priced),
        customer_id=customer.id,
        deal_id=data.deal_id,
        campaign_id=deal.campaign_id if deal is not None else None,
        owner_id=deal.owner_id if deal is not None else user_of(viewer),
        partner=deal.partner if deal is not None else partner_for(viewer, None),
        price_book_id=priced.book.id,
        rules=priced.book.rules,
        discount=data.terms.discount,
        totals=Totals.of(priced.priced),
        lines=lines_of(priced),
        valid_until=_validity(data.valid_until, now),
        created_by=viewer.subject,
        created_at=now,
        approved_by=None,
        sent_at=None,
        decided_at=None,
        reason=None,
        order_id=None,
        version=1,
    )
    await store.insert_new(tx, made)
    return made


async def change_quote(
    tx: Tx, viewer: Viewer, quote_id: UUID, data: DraftQuote, *, expected: int | None, now: datetime
) -> Quote:
    """Say a draft anew; an approval given before is void.

    Raises:
        Conflict: the quote has been sent.
    """
    found = await lock(tx, viewer, quote_id, expected=expected)
    check_editable(found)
    priced = await price_lines(tx, data.lines, data.terms, now=now)
    changed = replace(
        found,
        approval=_approval(priced),
        approved_by=None,
        created_by=viewer.subject,
        price_book_id=priced.book.id,
        rules=priced.book.rules,
        discount=data.terms.discount,
        totals=Totals.of(priced.priced),
        lines=lines_of(priced),
        valid_until=_validity(data.valid_until, now),
        version=found.version + 1,
    )
    await store.save_with_lines(tx, changed)
    return changed


async def approve_quote(tx: Tx, viewer: Viewer, quote_id: UUID, *, expected: int | None, now: datetime) -> Quote:
    """The second pair of eyes agrees."""
    del now
    found = await lock(tx, viewer, quote_id, expected=expected)
    check_approvable(found, subject=viewer.subject)
    return await _keep(tx, replace(found, approval=Approval.GIVEN, approved_by=viewer.subject))


async def send_quote(tx: Tx, viewer: Viewer, quote_id: UUID, *, expected: int | None, now: datetime) -> Quote:
    """Put the quote before the customer; older versions leave the table.

    Raises:
        Conflict: it needs approval, has expired, isn't a draft, or another version is accepted already.
    """
    versions = await _lock_versions(tx, viewer, quote_id)
    found = next(one for one in versions if one.id == quote_id)
    expect_version(found.version, expected)
    check_sendable(found, now=now)
    if any(one.state is QuoteState.ACCEPTED for one in versions):
        raise Conflict("Another version of this quote has been accepted.", code="quote_accepted")
    for older in versions:
        if older.id != found.id and older.state is QuoteState.SENT:
            await _keep(tx, replace(older, state=QuoteState.SUPERSEDED, decided_at=now))
            await unschedule(tx, EXPIRY_DUE, key=str(older.id))
    sent = await _keep(tx, replace(found, state=QuoteState.SENT, sent_at=now))
    await schedule(tx, EXPIRY_DUE, key=str(sent.id), due_at=sent.valid_until)
    tx.emit(
        QuoteSent(
            customer_id=sent.customer_id,
            deal_id=sent.deal_id,
            number=sent.number,
            version=sent.revision,
            total=sent.totals.total,
            valid_until=sent.valid_until,
        ),
        aggregate_id=sent.id,
    )
    return sent


async def revise_quote(tx: Tx, viewer: Viewer, quote_id: UUID, *, now: datetime) -> Quote:
    """Begin a new version with the same lines; the one the customer has stays valid until the new one is sent."""
    versions = await _lock_versions(tx, viewer, quote_id)
    found = next(one for one in versions if one.id == quote_id)
    if any(one.state is QuoteState.ACCEPTED for one in versions):
        raise Conflict("This quote has been accepted; make a new one.", code="quote_accepted")
    if any(one.state is QuoteState.DRAFT for one in versions):
        raise Conflict("A new version is being drafted already.", code="draft_exists")
    made = replace(
        found,
        id=new_id(),
        revision=versions[-1].revision + 1,
        state=QuoteState.DRAFT,
        approval=Approval.NEEDED if found.approval is not Approval.NOT_NEEDED else Approval.NOT_NEEDED,
        valid_until=now + _VALID_FOR,
        created_by=viewer.subject,
        created_at=now,
        approved_by=None,
        sent_at=None,
        decided_at=None,
        reason=None,
        order_id=None,
        version=1,
    )
    await store.insert_new(tx, made)
    return made


async def reject_quote(
    tx: Tx, viewer: Viewer, quote_id: UUID, reason: str, *, expected: int | None, now: datetime
) -> Quote:
    """The customer said no (or we withdrew it); a quote with an order cannot be lost."""
    found = await lock(tx, viewer, quote_id, expected=expected)
    check_rejectable(found)
    await unschedule(tx, EXPIRY_DUE, key=str(found.id))
    return await _keep(tx, replace(found, state=QuoteState.REJECTED, reason=reason, decided_at=now))


async def expire_quote(tx: Tx, viewer: Viewer, quote_id: UUID, *, now: datetime) -> bool:
    """Its time ran out, if nobody decided before."""
    del viewer
    found = await store.lock(tx, quote_id)
    if found is None or found.state is not QuoteState.SENT or found.valid_until > now:
        return False
    expired = await _keep(tx, replace(found, state=QuoteState.EXPIRED, decided_at=now))
    tx.emit(
        QuoteExpired(
            customer_id=expired.customer_id, deal_id=expired.deal_id, number=expired.number, version=expired.revision
        ),
        aggregate_id=expired.id,
    )
    return True


async def mark_accepted(tx: Tx, quote: Quote, *, order_id: UUID, now: datetime) -> Quote:
    """The quote, locked by the caller, has become an order."""
    await unschedule(tx, EXPIRY_DUE, key=str(quote.id))
    return await _keep(tx, replace(quote, state=QuoteState.ACCEPTED, order_id=order_id, decided_at=now))


async def lock(tx: Tx, viewer: Viewer, quote_id: UUID, *, expected: int | None = None) -> Quote:
    """The quote, ours to change until the transaction ends.

    Raises:
        NotFound: it isn't there, or the viewer may not see it.
        PreconditionFailed: it isn't as the sender saw it.
    """
    found = await store.lock(tx, quote_id)
    if found is None or not sees(viewer, partner=found.partner, owner_id=found.owner_id):
        raise NotFound.of("quote", public_id("quo", quote_id))
    expect_version(found.version, expected)
    return found


def lines_of(document: PricedDocument) -> tuple[Line, ...]:
    """A priced document's lines, with what the products are called today."""
    return tuple(
        Line(
            position=position,
            product_id=product.id,
            sku=product.sku,
            name=product.name,
            quantity=asked.quantity,
            unit_price=asked.unit_price,
            tax_rate=asked.tax_rate,
            discount_percent=asked.discount_percent,
            listed=line.listed,
            line_discount=line.line_discount,
            document_discount=line.document_discount,
            net=line.net,
            tax=line.tax,
        )
        for position, (product, asked, line) in enumerate(
            zip(document.products, document.inputs, document.priced.lines, strict=True), start=1
        )
    )


async def _lock_versions(tx: Tx, viewer: Viewer, quote_id: UUID) -> list[Quote]:
    versions = await store.lock_versions(tx, quote_id)
    if not versions or not sees(viewer, partner=versions[0].partner, owner_id=versions[0].owner_id):
        raise NotFound.of("quote", public_id("quo", quote_id))
    return versions


async def _keep(tx: Tx, changed: Quote) -> Quote:
    kept = replace(changed, version=changed.version + 1)
    await store.save(tx, kept)
    return kept


async def _visible_deal(tx: Tx, viewer: Viewer, deal_id: UUID) -> Deal:
    found = await deals.view(tx, viewer, deal_id)
    if found is None:
        raise NotFound.of("deal", public_id("deal", deal_id))
    if found.canonical.is_closed:
        raise Conflict(f"This deal is {found.canonical}; reopen it before quoting.", code="deal_closed")
    return found


def _approval(document: PricedDocument) -> Approval:
    book = document.book
    return approval_for(
        document.priced, discount_percent_limit=book.approval_discount_percent, total_limit=book.approval_total
    )


def _validity(asked: datetime | None, now: datetime) -> datetime:
    if asked is not None and asked <= now:
        raise Invalid.field("/valid_until", "A quote is valid into the future.", code="in_the_past")
    return asked or now + _VALID_FOR
