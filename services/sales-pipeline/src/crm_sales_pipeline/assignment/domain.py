"""Who gets a record: pure, deterministic with a seed, and explainable afterwards from what was stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID

from crm_shared.errors import Invalid


class Strategy(StrEnum):
    """How a rule chooses among its eligible sellers; `manual` marks a person's own choice."""

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    WEIGHTED = "weighted"
    MANUAL = "manual"


RULE_STRATEGIES = (Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED, Strategy.WEIGHTED)


@dataclass(frozen=True, slots=True)
class Seller:
    """A person records are assigned to. `capacity` is the most open records at a time, None for no limit."""

    id: UUID
    name: str
    email: str | None
    active: bool
    weight: int
    capacity: int | None
    teams: tuple[str, ...]
    partner: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Which records go to which sellers, and how. Conditions that are empty match everything.

    `last_seller` and `turn` are its memory: whom it chose last, and how often it has chosen.
    """

    id: UUID
    name: str
    priority: int
    strategy: Strategy
    seed: int
    sources: tuple[str, ...]
    windows: tuple[str, ...]
    partner: str | None
    sellers: tuple[UUID, ...]
    enabled: bool
    turn: int
    last_seller: UUID | None
    version: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One seller as the choice saw them: how much they carried then, and how much they may carry."""

    seller: UUID
    load: int
    weight: int
    capacity: int | None
    active: bool = True

    @property
    def refusal(self) -> str | None:
        """Why this seller cannot take one more, or None."""
        if not self.active:
            return "inactive"
        if self.capacity is not None and self.load >= self.capacity:
            return "at_capacity"
        if self.weight <= 0:
            return "weight_zero"
        return None


@dataclass(frozen=True, slots=True)
class Draw:
    """Everything a choice depends on; stored with each assignment, so that the choice can be made again."""

    strategy: Strategy
    seed: int
    turn: int
    last_seller: UUID | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment with its explanation."""

    id: UUID
    record_kind: str
    record_id: UUID
    rule_id: UUID | None
    rule_name: str | None
    draw: Draw
    chosen: UUID | None
    actor: str


def choose(draw: Draw) -> UUID | None:
    """The seller this draw yields, or None when nobody can take one more. Same draw, same seller, always."""
    able = sorted((one for one in draw.candidates if one.refusal is None), key=lambda one: one.seller)
    if not able:
        return None
    match draw.strategy:
        case Strategy.ROUND_ROBIN:
            return _after(able, draw.last_seller)
        case Strategy.LEAST_LOADED:
            return min(able, key=lambda one: (one.load, _lot(draw, one.seller.hex), one.seller)).seller
        case Strategy.WEIGHTED:
            return _weighted(able, draw)
        case Strategy.MANUAL:
            return able[0].seller


def rule_for(rules: Sequence[Rule], *, source: str, window: str, partner: str | None) -> Rule | None:
    """The enabled rule that applies first: lowest priority, then oldest; a partner's record stays with its rules."""
    fitting = (
        rule
        for rule in rules
        if rule.enabled
        and (not rule.sources or source in rule.sources)
        and (not rule.windows or window in rule.windows)
        and rule.partner == partner
    )
    return min(fitting, key=lambda rule: (rule.priority, rule.id), default=None)


def check_rule(strategy: Strategy, sellers: Sequence[UUID]) -> None:
    """Refuse a rule that could never be followed."""
    if strategy not in RULE_STRATEGIES:
        raise Invalid.field("/strategy", "A rule is round_robin, least_loaded or weighted.", code="strategy_unknown")
    if len(set(sellers)) != len(sellers):
        raise Invalid.field(
            "/seller_ids", "Each seller is named once; use weights to favour one.", code="seller_repeated"
        )


def _after(able: Sequence[Candidate], last: UUID | None) -> UUID:
    later = (one.seller for one in able if last is None or one.seller > last)
    return next(later, able[0].seller)


def _weighted(able: Sequence[Candidate], draw: Draw) -> UUID:
    point = _lot(draw, "") % sum(one.weight for one in able)
    for one in able:
        if point < one.weight:
            return one.seller
        point -= one.weight
    raise AssertionError("the point lies inside the sum of the weights")


def _lot(draw: Draw, salt: str) -> int:
    # A hash, not the random module: its sequences are not promised to stay the same between Python versions.
    return int.from_bytes(blake2b(f"{draw.seed}:{draw.turn}:{salt}".encode(), digest_size=8).digest())
