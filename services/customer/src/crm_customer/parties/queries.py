"""Questions about customers that take more than one statement."""

from typing import Any
from uuid import UUID

from crm_customer.attributes import store as attributes
from crm_customer.attributes.domain import AttributeType, Definition
from crm_customer.parties.domain import Customer
from crm_customer.parties.store import reading, searching
from crm_shared.db.pool import Tx
from crm_shared.errors import Invalid
from crm_shared.tenancy import Viewer


async def get_customer(tx: Tx, viewer: Viewer, customer_id: UUID) -> Customer | None:
    """A customer by id; a merged record answers with its survivor."""
    return await reading.get(tx, customer_id)


async def get_by_external(tx: Tx, viewer: Viewer, source: str, external_id: str) -> Customer | None:
    """The customer that another system knows by this id."""
    found = (await reading.ids_by_external(tx, source, [external_id])).get(external_id)
    return None if found is None else await reading.get(tx, found)


async def search(tx: Tx, viewer: Viewer, query: str, *, limit: int) -> list[Customer]:
    """Customers that match, best first; a record found under its old name leads to its survivor."""
    return await reading.answering(tx, await searching.matching_ids(tx, query, limit=limit))


async def attribute_filter(tx: Tx, pairs: list[str]) -> dict[str, Any]:
    """`name=value` pairs as values of their attributes' types.

    Raises:
        Invalid: an attribute isn't defined, or the text is no value of it.
    """
    if not pairs:
        return {}
    definitions = await attributes.definitions(tx)
    result: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        definition = definitions.get(name)
        if definition is None:
            raise Invalid.field("query:attribute", f"There is no attribute {name}.", code="attribute_unknown")
        result[name] = _read(definition, text)
    return result


def _read(definition: Definition, text: str) -> Any:
    match definition.type:
        case AttributeType.NUMBER:
            try:
                number = float(text)
            except ValueError:
                raise Invalid.field("query:attribute", f"{definition.name} is a number.") from None
            return int(number) if number.is_integer() else number
        case AttributeType.BOOLEAN:
            if text not in ("true", "false"):
                raise Invalid.field("query:attribute", f"{definition.name} is true or false.")
            return text == "true"
        case _:
            return text
