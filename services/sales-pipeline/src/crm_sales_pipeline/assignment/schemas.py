"""Sellers, rules and explanations over HTTP."""

from typing import Annotated, Any, Literal

from pydantic import Field

from crm_sales_pipeline.assignment.commands import Replay
from crm_sales_pipeline.assignment.domain import Assignment, Candidate, Rule, Seller, Strategy
from crm_sales_pipeline.fields import Email, Name, Slug
from crm_sales_pipeline.identifiers import AssignmentId, RuleId, UserId
from crm_shared.fields import Read, Strict, extensible
from crm_shared.http.pagination import Page, PageQuery
from crm_shared.ids import new_id

Weight = Annotated[int, Field(ge=0, le=1_000)]
Capacity = Annotated[int, Field(ge=0, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]  # what a double holds, as JSON readers may use one
RuleStrategy = Literal[Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED, Strategy.WEIGHTED]
Priority = Annotated[int, Field(ge=0, le=1_000_000)]


class SellerCreate(Strict):
    """A seller. `id` is their user's; left out, the seller has no log-in."""

    id: UserId | None = None
    name: Name = Field(examples=["Grace Hopper"])
    email: Email | None = Field(default=None, examples=["grace@example.org"])
    weight: Weight = 1
    capacity: Capacity | None = None
    teams: list[Slug] = Field(default_factory=list[Slug], examples=[["north"]])
    partner: Slug | None = None

    def to_domain(self) -> Seller:
        """What the command takes."""
        return Seller(
            id=self.id or new_id(),
            name=self.name,
            email=self.email,
            active=True,
            weight=self.weight,
            capacity=self.capacity,
            teams=tuple(self.teams),
            partner=self.partner,
            version=1,
        )


class SellerUpdate(Strict):
    """What may change of a seller."""

    name: Name = ""
    active: bool = True
    weight: Weight = Field(default=1, examples=[2])
    capacity: Capacity | None = None
    teams: list[Slug] = Field(default_factory=list[Slug])
    partner: Slug | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        sent = self.model_dump(exclude_unset=True)
        return {**sent, "teams": tuple(self.teams)} if "teams" in sent else sent


class SellerRead(Read):
    """One seller."""

    id: UserId
    name: str = Field(examples=["Grace Hopper"])
    email: str | None = Field(examples=["grace@example.org"])
    active: bool = Field(examples=[True])
    weight: int
    capacity: int | None
    teams: list[str] = Field(examples=[["north"]])
    partner: str | None = Field(examples=[None])
    version: int

    @classmethod
    def of(cls, seller: Seller) -> "SellerRead":
        """The seller as clients see them."""
        return cls(
            id=seller.id,
            name=seller.name,
            email=seller.email,
            active=seller.active,
            weight=seller.weight,
            capacity=seller.capacity,
            teams=list(seller.teams),
            partner=seller.partner,
            version=seller.version,
        )


class SellerPage(Page):
    """One page of sellers."""

    items: list[SellerRead]


class SellerQuery(PageQuery):
    """Which sellers to list: all."""


class RuleCreate(Strict):
    """Which records go to which sellers, and how; empty conditions match everything, lowest priority comes first."""

    name: Name = Field(examples=["Pump enquiries"])
    priority: Priority = 100
    strategy: RuleStrategy
    seed: Seed = 1
    sources: list[Slug] = Field(default_factory=list[Slug], examples=[["web-shop"]])
    buying_windows: list[Slug] = Field(default_factory=list[Slug])
    partner: Slug | None = None
    seller_ids: Annotated[list[UserId], Field(min_length=1, max_length=500)]
    enabled: bool = True

    def to_domain(self) -> Rule:
        """What the command takes."""
        return Rule(
            id=new_id(),
            name=self.name,
            priority=self.priority,
            strategy=self.strategy,
            seed=self.seed,
            sources=tuple(self.sources),
            windows=tuple(self.buying_windows),
            partner=self.partner,
            sellers=tuple(self.seller_ids),
            enabled=self.enabled,
            turn=0,
            last_seller=None,
            version=1,
        )


class RuleUpdate(Strict):
    """What may change of a rule."""

    name: Name = Field(default="", examples=["Pump enquiries, north"])
    priority: Priority = Field(default=100, examples=[20])
    strategy: RuleStrategy = Strategy.ROUND_ROBIN
    seed: Seed = 1
    sources: list[Slug] = Field(default_factory=list[Slug])
    buying_windows: list[Slug] = Field(default_factory=list[Slug])
    seller_ids: Annotated[list[UserId], Field(max_length=500)] = Field(default_factory=list[UserId])
    enabled: bool = True

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, as the domain names them."""
        sent = self.model_dump(exclude_unset=True)
        names = {"buying_windows": "windows", "seller_ids": "sellers", "sources": "sources"}
        return {names.get(name, name): tuple(value) if name in names else value for name, value in sent.items()}


class RuleRead(Read):
    """One rule."""

    id: RuleId
    name: str = Field(examples=["Pump enquiries"])
    priority: int
    strategy: Annotated[str, extensible(Strategy)]
    seed: int
    sources: list[str] = Field(examples=[["web-shop"]])
    buying_windows: list[str] = Field(examples=[["now"]])
    partner: str | None = Field(examples=[None])
    seller_ids: list[UserId]
    enabled: bool = Field(examples=[True])
    turn: int
    version: int

    @classmethod
    def of(cls, rule: Rule) -> "RuleRead":
        """The rule as clients see it."""
        return cls(
            id=rule.id,
            name=rule.name,
            priority=rule.priority,
            strategy=rule.strategy,
            seed=rule.seed,
            sources=list(rule.sources),
            buying_windows=list(rule.windows),
            partner=rule.partner,
            seller_ids=list(rule.sellers),
            enabled=rule.enabled,
            turn=rule.turn,
            version=rule.version,
        )


class RulePage(Page):
    """One page of rules."""

    items: list[RuleRead]


class CandidateRead(Read):
    """One seller as the choice saw them; `refusal` says why they could not take it."""

    seller_id: UserId
    load: int
    weight: int
    capacity: int | None
    refusal: str | None = Field(examples=[None])

    @classmethod
    def of(cls, candidate: Candidate) -> "CandidateRead":
        """The candidate as clients see them."""
        return cls(
            seller_id=candidate.seller,
            load=candidate.load,
            weight=candidate.weight,
            capacity=candidate.capacity,
            refusal=candidate.refusal,
        )


class Explanation(Read):
    """One assignment and all it depended on."""

    id: AssignmentId
    rule_id: RuleId | None
    rule_name: str | None = Field(examples=["Pump enquiries"])
    strategy: Annotated[str, extensible(Strategy)]
    seed: int
    turn: int
    candidates: list[CandidateRead]
    chosen: UserId | None
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])

    @classmethod
    def of(cls, assignment: Assignment) -> "Explanation":
        """The assignment as clients see it."""
        return cls(
            id=assignment.id,
            rule_id=assignment.rule_id,
            rule_name=assignment.rule_name,
            strategy=assignment.draw.strategy,
            seed=assignment.draw.seed,
            turn=assignment.draw.turn,
            candidates=[CandidateRead.of(candidate) for candidate in assignment.draw.candidates],
            chosen=assignment.chosen,
            actor=assignment.actor,
        )


class Explanations(Read):
    """A record's assignments, oldest first."""

    items: list[Explanation]

    @classmethod
    def of(cls, assignments: list[Assignment]) -> "Explanations":
        """The assignments as clients see them."""
        return cls(items=[Explanation.of(assignment) for assignment in assignments])


class ReplayRead(Read):
    """What choosing again gave."""

    checked: int = Field(examples=[240])
    same: bool = Field(examples=[True])
    differing: list[AssignmentId] = Field(examples=[[]])

    @classmethod
    def of(cls, replay: Replay) -> "ReplayRead":
        """The result as clients see it."""
        return cls(checked=replay.checked, same=not replay.differing, differing=list(replay.differing))
