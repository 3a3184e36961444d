"""Routes of composed answers."""

from typing import Annotated

import orjson
from fastapi import Response

from crm_gateway.composition.composer import Asker, Composer
from crm_gateway.composition.domain import CUSTOMER_360, ESSENTIAL, PartStatus
from crm_gateway.composition.schemas import CustomerId, CustomerOverviewRead
from crm_gateway.proxy.domain.headers import Headers
from crm_shared.errors import NotFound
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router
from crm_shared.ids import public_id

router = Router(prefix="/v1/customers", tag="customer-overviews", about="One customer as all services know them.")
ROUTERS = [router]

_CARRIED = ("x-request-id", "traceparent", "tracestate")


@router.get("/{customer_id}/360", response_model=CustomerOverviewRead)
async def get(customer_id: CustomerId, call: Annotated[Call, needs("customers:read")]) -> Response:
    """One customer as all services know them; a part that doesn't answer in time is marked, not waited for."""
    public = public_id("cus", customer_id)
    sent = call.request.headers
    carried: Headers = [(name.encode(), sent[name].encode("latin-1")) for name in _CARRIED if name in sent]
    answers = await call.resource(Composer).ask(CUSTOMER_360, public, Asker(call.viewer, carried))
    if answers[ESSENTIAL].status is PartStatus.NOT_FOUND:
        raise NotFound.of("customer", public)
    # Built by hand: checking a whole view of foreign answers field by field would double its cost.
    document = {
        "customer_id": public,
        "as_of": call.now,
        "complete": all(answer.status is PartStatus.OK for answer in answers.values()),
        "parts": {name: {"status": answer.status, "data": answer.data} for name, answer in answers.items()},
    }
    body = orjson.dumps(document, option=orjson.OPT_UTC_Z)
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")
