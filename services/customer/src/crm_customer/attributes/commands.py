"""What a tenant can do with its custom attributes."""

from dataclasses import dataclass, replace
from datetime import datetime

from crm_customer.attributes import store
from crm_customer.attributes.domain import AttributeType, Definition
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, Invalid, NotFound
from crm_shared.tenancy import Viewer

MAX_DEFINITIONS = 500


@dataclass(frozen=True, slots=True)
class Define:
    """An attribute to be defined, or its new label and choices."""

    name: str
    type: AttributeType
    label: str
    choices: tuple[str, ...]


async def define(tx: Tx, viewer: Viewer, data: Define, *, now: datetime) -> Definition:
    """Define an attribute, or change its label and choices; its type never changes, since values of it exist."""
    if (data.type is AttributeType.CHOICE) != bool(data.choices):
        raise Invalid.field("/choices", "A choice needs choices, and nothing else has them.", code="choices_misplaced")
    known = await store.get(tx, data.name)
    if known is None:
        if await store.count(tx) >= MAX_DEFINITIONS:
            raise Conflict(f"A tenant has at most {MAX_DEFINITIONS} attributes.", code="too_many_attributes")
        definition = Definition(data.name, data.type, data.label, data.choices, 1, now)
    elif known.type is not data.type:
        raise Conflict(f"The attribute {data.name} already is of type {known.type}.", code="attribute_type_fixed")
    else:
        definition = replace(known, label=data.label, choices=data.choices, version=known.version + 1)
    await store.save(tx, definition)
    return definition


async def forget(tx: Tx, viewer: Viewer, name: str, *, now: datetime) -> None:
    """Take an attribute out of the registry."""
    if not await store.remove(tx, name):
        raise NotFound.of("attribute", name)
