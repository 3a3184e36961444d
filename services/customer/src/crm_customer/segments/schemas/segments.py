"""Segments as clients send and see them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from crm_customer.fields import CustomerId, Line, Name, SegmentId
from crm_customer.parties.domain import Customer
from crm_customer.segments.commands.defining import Definition
from crm_customer.segments.queries import Found
from crm_customer.segments.schemas.rules import Rule, to_json
from crm_customer.segments.store.segments import Member, Segment, SegmentKind
from crm_shared.errors import Invalid
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page


class SegmentCreate(Strict):
    """A segment to be defined."""

    name: Name = Field(examples=["Loyal customers"])
    description: Line | None = Field(default=None, examples=["Whoever buys at least once a year"])
    kind: SegmentKind = Field(SegmentKind.DYNAMIC, description="Whether members follow the customers by themselves.")
    rule: Rule = Field(
        examples=[
            {
                "type": "and",
                "rules": [
                    {"type": "value_group", "groups": ["loyal"]},
                    {"type": "consent", "purpose": "marketing", "channel": "email"},
                ],
            }
        ]
    )

    def to_domain(self) -> Definition:
        """The command's input."""
        return Definition(self.name, self.description, self.kind, to_json(self.rule))


class SegmentUpdate(Strict):
    """Fields to change; a new rule takes effect with the next materialisation."""

    name: Name | None = Field(default=None, examples=["Very loyal customers"])
    description: Line | None = None
    kind: SegmentKind | None = None
    rule: Rule | None = None

    def to_changes(self) -> dict[str, Any]:
        """The changed fields in the domain's terms.

        Raises:
            Invalid: a field that must have a value is emptied.
        """
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("name", "kind", "rule"):
            if name in changes and changes[name] is None:
                raise Invalid.field(f"/{name}", "This can be changed but not emptied.", code="not_nullable")
        if self.rule is not None:
            changes["rule"] = to_json(self.rule)
        return changes


class Preview(Strict):
    """A rule to be tried out."""

    rule: Rule = Field(examples=[{"type": "last_purchase", "op": "within", "days": 90}])
    as_of: Instant | None = Field(None, description="The time that counts as now; else the tenant's present.")
    sample: int = Field(10, ge=0, le=50)


class Materialisation(Strict):
    """Find a segment's members anew."""

    as_of: Instant | None = Field(
        None, description="The time that counts as now; else the tenant's present.", examples=["2026-03-02T00:00:00Z"]
    )


class SampleRead(Read):
    """One of those a rule finds."""

    id: CustomerId
    display_name: str = Field(examples=["Ada Lovelace"])

    @classmethod
    def of(cls, customer: Customer) -> "SampleRead":
        """The client's view."""
        return cls(id=customer.id, display_name=customer.profile.display_name)


class SegmentPreviewRead(Read):
    """How many customers a rule finds, and a few of them."""

    count: int = Field(examples=[312])
    sample: list[SampleRead]

    @classmethod
    def of(cls, found: Found) -> "SegmentPreviewRead":
        """The client's view."""
        return cls(count=found.count, sample=[SampleRead.of(customer) for customer in found.sample])


class SegmentRead(Read):
    """A segment."""

    id: SegmentId
    version: int
    name: str = Field(examples=["Loyal customers"])
    description: str | None = Field(examples=["Whoever buys at least once a year"])
    kind: Annotated[str, extensible(SegmentKind)]
    rule: dict[str, Any] = Field(examples=[{"type": "value_group", "groups": ["loyal"]}])
    stale: bool = Field(description="Whether the rule has changed since the members were found.")
    materialised_version: int
    materialised_at: Instant | None
    members: int = Field(examples=[312])
    materialising: bool
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, segment: Segment) -> "SegmentRead":
        """The client's view."""
        materialised: Mapping[str, Any] | None = segment.materialised_rule
        return cls(
            id=segment.id,
            version=segment.version,
            name=segment.name,
            description=segment.description,
            kind=segment.kind,
            rule=dict(segment.rule),
            stale=materialised is not None and dict(materialised) != dict(segment.rule),
            materialised_version=segment.materialised_version,
            materialised_at=segment.materialised_at,
            members=segment.members,
            materialising=segment.operation_id is not None,
            created_at=segment.created_at,
            updated_at=segment.updated_at,
        )


class SegmentPage(Page):
    """A page of segments."""

    items: list[SegmentRead]


class MemberRead(Read):
    """A customer in a segment, since when and why."""

    segment_id: SegmentId
    customer_id: CustomerId
    version: int
    reason: str = Field(examples=["value group loyal"])
    entered_at: Instant

    @classmethod
    def of(cls, member: Member) -> "MemberRead":
        """The client's view."""
        return cls(
            segment_id=member.segment_id,
            customer_id=member.customer_id,
            version=member.version,
            reason=member.reason,
            entered_at=member.entered_at,
        )


class MemberPage(Page):
    """A page of members."""

    items: list[MemberRead]


class Memberships(Read):
    """The segments a customer is in."""

    items: list[MemberRead]

    @classmethod
    def of(cls, members: Sequence[Member]) -> "Memberships":
        """The client's view."""
        return cls(items=[MemberRead.of(member) for member in members])
