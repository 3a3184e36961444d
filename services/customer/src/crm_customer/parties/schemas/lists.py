"""Lists of customers, bulk requests and histories as clients send and see them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from crm_customer.fields import Country, CustomerId, Language, Line, Name, SourceName
from crm_customer.outcomes import MAX_ITEMS, ItemProblem
from crm_customer.parties.commands.records import Outcome, Upserted
from crm_customer.parties.domain import Category, ContactChannel, Kind, Listing
from crm_customer.parties.schemas.records import CustomerCreate, CustomerRead
from crm_customer.parties.store.rows import AuditEntry
from crm_shared.errors import CrmError
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery
from crm_shared.ids import public_id


class CustomerPage(Page):
    """A page of customers."""

    items: list[CustomerRead]


class CustomerFilter(PageQuery):
    """Which customers to list. Newest first; by name where `name` is given."""

    kind: Kind | None = None
    category: Category | None = None
    country: Country | None = None
    language: Language | None = None
    owner: Line | None = None
    source: SourceName | None = None
    name: Name | None = Field(None, description="What the display name begins with; case and accents don't matter.")
    attribute: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}=.{1,500}$")]] = Field(
        default_factory=list[str], max_length=10, description="`name=value` of a custom attribute; repeat for more."
    )

    def to_listing(self, attributes: Mapping[str, Any]) -> Listing:
        """The store's terms."""
        return Listing(
            kind=self.kind,
            category=self.category,
            country=self.country,
            language=self.language,
            owner=self.owner,
            source=self.source,
            name_prefix=self.name,
            attributes=attributes,
        )


class CustomerSearch(Read):
    """What a search found, best first."""

    items: list[CustomerRead]


class ChangeRead(Read):
    """One field's old and new value."""

    field: str = Field(examples=["family_name"])
    old: Any = Field(examples=["Lovelace"])
    new: Any = Field(examples=["King"])


class AuditRead(Read):
    """Who did what to the record, and when."""

    id: str = Field(examples=["evt_064gkndciprknf6emc10j6k0as"])
    customer_id: CustomerId
    at: Instant
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])
    action: str = Field(examples=["customer.updated"])
    changes: list[ChangeRead]

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditRead":
        """The client's view."""
        return cls(
            id=public_id("aud", entry.id),
            customer_id=entry.customer_id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            changes=[ChangeRead(field=change.field, old=change.old, new=change.new) for change in entry.changes],
        )


class AuditPage(Page):
    """A page of a customer's history."""

    items: list[AuditRead]


class Verification(Strict):
    """The contact point that has been proven."""

    channel: ContactChannel
    value: Line = Field(examples=["ada@example.org"])


class CustomerBulk(Strict):
    """Customers to be registered, or brought up to date where external_source and external_id are known."""

    items: list[CustomerCreate] = Field(min_length=1, max_length=MAX_ITEMS)


class CustomerOutcome(Read):
    """What became of one item."""

    status: int = Field(examples=[201])
    outcome: Annotated[str, extensible(Outcome)] | None
    id: CustomerId | None
    version: int | None
    problem: ItemProblem | None = Field(examples=[None])

    @classmethod
    def of(cls, result: Upserted | CrmError) -> "CustomerOutcome":
        """The client's view."""
        if isinstance(result, CrmError):
            problem = ItemProblem.of(result)
            return cls(status=problem.status, outcome=None, id=None, version=None, problem=problem)
        return cls(
            status=201 if result.outcome is Outcome.CREATED else 200,
            outcome=result.outcome,
            id=result.customer.id,
            version=result.customer.version,
            problem=None,
        )


class CustomerOutcomes(Read):
    """What became of each item, in the order sent."""

    items: list[CustomerOutcome]

    @classmethod
    def of(cls, results: Sequence[Upserted | CrmError]) -> "CustomerOutcomes":
        """The client's view."""
        return cls(items=[CustomerOutcome.of(result) for result in results])
