"""Custom attribute definitions as clients send and see them."""

from typing import Annotated

from pydantic import Field

from crm_customer.attributes.commands import Define
from crm_customer.attributes.domain import AttributeType, Definition
from crm_customer.fields import Name, Slug
from crm_shared.fields import Instant, Read, Strict, extensible


class AttributePut(Strict):
    """What an attribute is to be; a choice lists its choices."""

    type: AttributeType
    label: Name = Field(examples=["Loyalty card"])
    choices: list[Name] = Field(default_factory=list[str], max_length=500)

    def to_domain(self, name: Slug) -> Define:
        """The command's input."""
        return Define(name, self.type, self.label, tuple(dict.fromkeys(self.choices)))


class AttributeRead(Read):
    """A custom attribute."""

    name: str = Field(examples=["loyalty_card"])
    type: Annotated[str, extensible(AttributeType)]
    label: str = Field(examples=["Loyalty card"])
    choices: list[str] = Field(examples=[[]])
    version: int
    created_at: Instant

    @classmethod
    def of(cls, definition: Definition) -> "AttributeRead":
        """The client's view."""
        return cls(
            name=definition.name,
            type=definition.type,
            label=definition.label,
            choices=list(definition.choices),
            version=definition.version,
            created_at=definition.created_at,
        )


class AttributeList(Read):
    """All custom attributes of the tenant."""

    items: list[AttributeRead]

    @classmethod
    def of(cls, definitions: dict[str, Definition]) -> "AttributeList":
        """The client's view."""
        return cls(items=[AttributeRead.of(definition) for definition in definitions.values()])
