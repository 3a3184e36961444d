"""The tree of a segment's rule; its JSON form is what clients write."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from crm_customer.parties.domain import fold
from crm_shared.ids import parse_id

MAX_NODES = 200
MAX_DEPTH = 12
CUSTOM = "attributes."


class Op(StrEnum):
    """How two values are compared; `ne` is the opposite of `eq`, so whoever has no value differs."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    PREFIX = "prefix"
    IS_SET = "is_set"


ORDER_OPS = frozenset({Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE})


class FieldType(StrEnum):
    """What kind of values a field holds, and so how it can be compared."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


FIELDS: Mapping[str, FieldType] = {
    "kind": FieldType.TEXT,
    "category": FieldType.TEXT,
    "country": FieldType.TEXT,
    "language": FieldType.TEXT,
    "source": FieldType.TEXT,
    "owner": FieldType.TEXT,
    "display_name": FieldType.TEXT,
    "completeness": FieldType.NUMBER,
    "birth_date": FieldType.DATE,
    "registered_on": FieldType.DATE,
}
"""The fields of every customer; custom attributes are named `attributes.<name>`."""

OPS: Mapping[FieldType, frozenset[Op]] = {
    FieldType.TEXT: frozenset({Op.EQ, Op.NE, Op.IN, Op.PREFIX, Op.IS_SET}),
    FieldType.NUMBER: ORDER_OPS | {Op.IS_SET},
    FieldType.DATE: ORDER_OPS | {Op.IS_SET},
    FieldType.BOOLEAN: frozenset({Op.EQ, Op.NE, Op.IS_SET}),
}

Comparable = str | Decimal | date | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part holds."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part doesn't hold."""

    rule: "Rule"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field or custom attribute compares so with a value of its type."""

    field: str
    type: FieldType
    op: Op
    value: Comparable


@dataclass(frozen=True, slots=True)
class PurchaseCount:
    """So many purchases in the last days, or ever."""

    op: Op
    value: int
    window_days: int | None


@dataclass(frozen=True, slots=True)
class PurchaseSum:
    """So much bought in one currency in the last days, or ever."""

    op: Op
    amount: Decimal
    currency: str
    window_days: int | None


@dataclass(frozen=True, slots=True)
class LastPurchase:
    """The last purchase lies within the last days, or before them; who never bought fits neither."""

    within: bool
    days: int


@dataclass(frozen=True, slots=True)
class Score:
    """A value score compares so."""

    dimension: str
    op: Op
    value: int


@dataclass(frozen=True, slots=True)
class InValueGroup:
    """The customer is in one of these value groups."""

    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class InState:
    """The customer is in one of these lifecycle states."""

    states: frozenset[str]


@dataclass(frozen=True, slots=True)
class Consents:
    """A purpose on a channel is allowed."""

    purpose: str
    channel: str


@dataclass(frozen=True, slots=True)
class MemberOf:
    """The customer is in another segment."""

    segment_id: UUID


@dataclass(frozen=True, slots=True)
class RandomBucket:
    """The customer falls, by its id and a seed, into one of the buckets `start` to `end` (not included) of `of`."""

    seed: str
    of: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Manual:
    """The customer is on a list."""

    customer_ids: frozenset[UUID]


Rule = (
    All
    | AnyOf
    | Not
    | Attribute
    | PurchaseCount
    | PurchaseSum
    | LastPurchase
    | Score
    | InValueGroup
    | InState
    | Consents
    | MemberOf
    | RandomBucket
    | Manual
)


def parse(node: Mapping[str, Any], types: Mapping[str, FieldType]) -> Rule:  # noqa: PLR0911, PLR0912, C901 # one branch a node
    """The tree behind JSON that has been validated; `types` says of what type the tenant's custom attributes are."""
    match node["type"]:
        case "and":
            return All(tuple(parse(part, types) for part in node["rules"]))
        case "or":
            return AnyOf(tuple(parse(part, types) for part in node["rules"]))
        case "not":
            return Not(parse(node["rule"], types))
        case "attribute":
            return _attribute(node, types)
        case "purchase_count":
            return PurchaseCount(Op(node["op"]), node["value"], node.get("window_days"))
        case "purchase_sum":
            money = node["amount"]
            return PurchaseSum(Op(node["op"]), Decimal(money["amount"]), money["currency"], node.get("window_days"))
        case "last_purchase":
            return LastPurchase(node["op"] == "within", node["days"])
        case "value":
            return Score(node["dimension"], Op(node["op"]), node["value"])
        case "value_group":
            return InValueGroup(frozenset(node["groups"]))
        case "lifecycle":
            return InState(frozenset(node["states"]))
        case "consent":
            return Consents(node["purpose"], node["channel"])
        case "segment":
            return MemberOf(parse_id("seg", node["segment_id"]))
        case "random_bucket":
            return RandomBucket(node["seed"], node["of"], node["start"], node["end"])
        case _:
            return Manual(frozenset(parse_id("cus", each) for each in node["customer_ids"]))


def _attribute(node: Mapping[str, Any], types: Mapping[str, FieldType]) -> Attribute:
    name, op = node["field"], Op(node["op"])
    kind = types[name.removeprefix(CUSTOM)] if name.startswith(CUSTOM) else FIELDS[name]
    value = None if op is Op.IS_SET else typed(kind, op, node["value"])
    return Attribute(name, kind, op, _folded(value) if name == "display_name" else value)


def _folded(value: Comparable) -> Comparable:
    """Names are compared without case and accents."""
    if isinstance(value, tuple):
        return tuple(fold(item) for item in value)
    return fold(value) if isinstance(value, str) else value


def typed(kind: FieldType, op: Op, value: Any) -> Comparable:
    """A JSON value as one of a field's type.

    Raises:
        ValueError: it is none; the text says what would be.
    """
    if op is Op.IN:
        items = tuple(cast("list[Any]", value)) if isinstance(value, list) else ()
        if not items or not all(isinstance(item, str) for item in items):
            raise ValueError("expected a list of texts")
        return items
    match kind:
        case FieldType.TEXT if isinstance(value, str):
            return value
        case FieldType.NUMBER if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return Decimal(str(value))
        case FieldType.DATE if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
        case FieldType.BOOLEAN if isinstance(value, bool):
            return value
        case _:
            raise ValueError(f"expected a {kind}")


def nodes(rule: Rule) -> Iterator[Rule]:
    """The rule itself and all its parts."""
    yield rule
    match rule:
        case All() | AnyOf():
            for part in rule.rules:
                yield from nodes(part)
        case Not():
            yield from nodes(rule.rule)
        case _:
            return


def segments_named(rule: Rule) -> frozenset[UUID]:
    """The segments that a rule speaks of."""
    return frozenset(node.segment_id for node in nodes(rule) if isinstance(node, MemberOf))


def in_order_of_need(needs: Mapping[UUID, frozenset[UUID]]) -> list[UUID]:
    """Segments so ordered that each comes after those its rule speaks of.

    Raises:
        ValueError: some speak of each other in a circle.
    """
    done: dict[UUID, None] = {}
    entered: set[UUID] = set()

    def visit(segment_id: UUID) -> None:
        if segment_id in done or segment_id not in needs:
            return
        if segment_id in entered:
            raise ValueError("segments speak of each other in a circle")
        entered.add(segment_id)
        for needed in sorted(needs[segment_id]):
            visit(needed)
        done[segment_id] = None

    for segment_id in sorted(needs):
        visit(segment_id)
    return list(done)
