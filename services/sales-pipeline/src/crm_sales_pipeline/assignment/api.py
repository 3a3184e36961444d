"""Routes of sellers and assignment rules."""

from typing import Annotated, Any

from fastapi import Query, Response

from crm_sales_pipeline.assignment import commands, store
from crm_sales_pipeline.assignment.domain import Rule, Seller
from crm_sales_pipeline.assignment.schemas import (
    ReplayRead,
    RuleCreate,
    RulePage,
    RuleRead,
    RuleUpdate,
    SellerCreate,
    SellerPage,
    SellerQuery,
    SellerRead,
    SellerUpdate,
)
from crm_sales_pipeline.identifiers import RuleId, UserId
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.pagination import PageQuery
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

sellers = Router(prefix="/v1/sellers", tag="sellers", about="Who sells, and how much of the leads they get.")
rules = Router(prefix="/v1/assignment-rules", tag="assignment-rules", about="Which seller gets which lead, and why.")

Reads = Annotated[Call, needs("leads:read")]
WritesSellers = Annotated[Call, needs("sellers:write")]
WritesRules = Annotated[Call, needs("assignment-rules:write")]


@sellers.post("", status_code=201, response_model=SellerRead)
async def create(body: SellerCreate, call: WritesSellers) -> Response:
    """Add a seller; users with a seller's role are here without it."""
    return await call.write(commands.add_seller, body.to_domain(), answer=SellerRead.of)


@sellers.get("", response_model=SellerPage, name="list")
async def list_(call: Reads, filters: Annotated[SellerQuery, Query()]) -> Response:
    """Sellers with what they get."""

    def key(seller: Seller) -> tuple[Any, ...]:
        return (seller.id,)

    return await call.page(_sellers, filters, answer=SellerRead.of, key=key)


@sellers.get("/{seller_id}", response_model=SellerRead)
async def get(seller_id: UserId, call: Reads) -> Response:
    """One seller."""
    return await call.read(_seller, seller_id, answer=SellerRead.of)


@sellers.patch("/{seller_id}", response_model=SellerRead)
async def update(seller_id: UserId, body: SellerUpdate, call: WritesSellers) -> Response:
    """Change what a seller gets."""
    return await call.write(
        commands.change_seller, seller_id, body.changes(), expected=call.if_match(), answer=SellerRead.of
    )


@rules.post("", status_code=201, response_model=RuleRead, name="create")
async def create_rule(body: RuleCreate, call: WritesRules) -> Response:
    """Make an assignment rule."""
    return await call.write(commands.make_rule, body.to_domain(), answer=RuleRead.of)


@rules.get("", response_model=RulePage, name="list")
async def list_rules(call: Reads, filters: Annotated[SellerQuery, Query()]) -> Response:
    """Assignment rules, those that come first at the top."""

    def key(rule: Rule) -> tuple[Any, ...]:
        return rule.priority, rule.id

    return await call.page(_rules, filters, answer=RuleRead.of, key=key)


@rules.get("/{rule_id}", response_model=RuleRead, name="get")
async def get_rule(rule_id: RuleId, call: Reads) -> Response:
    """One assignment rule."""
    return await call.read(_rule, rule_id, answer=RuleRead.of)


@rules.patch("/{rule_id}", response_model=RuleRead, name="update")
async def update_rule(rule_id: RuleId, body: RuleUpdate, call: WritesRules) -> Response:
    """Change a rule; its past choices stay explained."""
    return await call.write(commands.change_rule, rule_id, body.changes(), expected=call.if_match(), answer=RuleRead.of)


@rules.get("/{rule_id}/replay", response_model=ReplayRead)
async def replay(rule_id: RuleId, call: Reads) -> Response:
    """Make every choice of the rule again from what was stored with it."""
    return await call.read(commands.replay, rule_id, answer=ReplayRead.of)


async def _sellers(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Seller]:
    del filters
    return await store.list_sellers(tx, partner=viewer.partner, limit=limit, after=after)


async def _seller(tx: Tx, viewer: Viewer, seller_id: UserId) -> Seller | None:
    found = await store.get_seller(tx, seller_id)
    return found if found is not None and viewer.partner in (None, found.partner) else None


async def _rules(
    tx: Tx, viewer: Viewer, filters: PageQuery, *, limit: int, after: tuple[Any, ...] | None
) -> list[Rule]:
    del viewer, filters
    return await store.list_rules(tx, limit=limit, after=after)


async def _rule(tx: Tx, viewer: Viewer, rule_id: RuleId) -> Rule | None:
    del viewer
    return await store.get_rule(tx, rule_id)
