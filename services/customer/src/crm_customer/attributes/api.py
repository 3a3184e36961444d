"""Routes of custom attribute definitions."""

from typing import Annotated

from fastapi import Path, Response

from crm_customer.attributes import commands, store
from crm_customer.attributes.domain import Definition
from crm_customer.attributes.schemas import AttributeList, AttributePut, AttributeRead
from crm_customer.fields import Slug
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/customers/attributes",
    tag="customer-attributes",
    about="Attributes of customers that a tenant adds by itself.",
)


async def _all(tx: Tx, viewer: Viewer) -> dict[str, Definition]:
    return await store.definitions(tx)


Name = Annotated[Slug, Path(description="The attribute's name.")]


@router.get("", response_model=AttributeList)
async def list(call: Annotated[Call, needs("customers:read")]) -> Response:
    """All custom attributes that this tenant keeps about customers."""
    return await call.read(_all, answer=AttributeList.of)


@router.put("/{name}", response_model=AttributeRead)
async def put(name: Name, body: AttributePut, call: Annotated[Call, needs("customers:admin")]) -> Response:
    """Define an attribute, or change its label and choices. Its type never changes."""
    return await call.write(commands.define, body.to_domain(name), answer=AttributeRead.of)


@router.delete("/{name}", status_code=204)
async def delete(name: Name, call: Annotated[Call, needs("customers:admin")]) -> Response:
    """Take an attribute out of the registry."""
    return await call.write(commands.forget, name)
