"""What a rule says of one customer. The store says the same of many in SQL; a property test compares them."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import md5
from typing import Any
from uuid import UUID

from crm_customer.segments.domain.tree import (
    CUSTOM,
    All,
    AnyOf,
    Attribute,
    Consents,
    FieldType,
    InState,
    InValueGroup,
    LastPurchase,
    Manual,
    MemberOf,
    Not,
    Op,
    PurchaseCount,
    PurchaseSum,
    RandomBucket,
    Rule,
    Score,
)

COMPARE: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase, as rules see it."""

    at: datetime
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What holds for a purpose and channel, and until when."""

    status: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one customer, as rules see it; `name_folded` stands for the display name in comparisons."""

    id: UUID
    fields: Mapping[str, str | int | date | None] = field(default_factory=dict[str, str | int | date | None])
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    purchases: Sequence[Purchase] = ()
    scores: Mapping[str, int] = field(default_factory=dict[str, int])
    value_group: str | None = None
    state: str = "potential"
    consents: Mapping[tuple[str, str], Grant] = field(default_factory=dict[tuple[str, str], Grant])
    segments: frozenset[UUID] = frozenset()


def holds(rule: Rule, known: Known, as_of: datetime) -> bool:  # noqa: PLR0911, PLR0912, C901 # one branch a node
    """Whether a rule holds of a customer at a time."""
    match rule:
        case All():
            return all(holds(part, known, as_of) for part in rule.rules)
        case AnyOf():
            return any(holds(part, known, as_of) for part in rule.rules)
        case Not():
            return not holds(rule.rule, known, as_of)
        case Attribute():
            return _attribute(rule, known)
        case PurchaseCount():
            return COMPARE[rule.op](len(_bought(known, as_of, rule.window_days)), rule.value)
        case PurchaseSum():
            spent = (p.amount for p in _bought(known, as_of, rule.window_days) if p.currency == rule.currency)
            return COMPARE[rule.op](sum(spent, Decimal(0)), rule.amount)
        case LastPurchase():
            last = max((purchase.at for purchase in _bought(known, as_of, None)), default=None)
            return last is not None and (last > as_of - timedelta(days=rule.days)) == rule.within
        case Score():
            score = known.scores.get(rule.dimension)
            return score is not None and COMPARE[rule.op](score, rule.value)
        case InValueGroup():
            return known.value_group in rule.groups
        case InState():
            return known.state in rule.states
        case Consents():
            grant = known.consents.get((rule.purpose, rule.channel))
            return grant is not None and grant.status == "granted" and not _over(grant, as_of)
        case MemberOf():
            return rule.segment_id in known.segments
        case RandomBucket():
            return rule.start <= bucket(known.id, rule.seed, rule.of) < rule.end
        case Manual():
            return known.id in rule.customer_ids


def bucket(customer_id: UUID, seed: str, of: int) -> int:
    """The bucket, 0 to `of` - 1, into which a customer falls: the first 32 bits of MD5 over `seed:id`."""
    digest = md5(f"{seed}:{customer_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4]) % of


def _over(grant: Grant, as_of: datetime) -> bool:
    return grant.expires_at is not None and grant.expires_at <= as_of


def _bought(known: Known, as_of: datetime, window_days: int | None) -> list[Purchase]:
    """The purchases of a window that ends with, and includes, `as_of`."""
    since = None if window_days is None else as_of - timedelta(days=window_days)
    return [p for p in known.purchases if p.at <= as_of and (since is None or p.at > since)]


def _attribute(rule: Attribute, known: Known) -> bool:
    value = _value(rule, known)
    if rule.op is Op.IS_SET:
        return value is not None
    if rule.op is Op.NE:
        return value is None or value != operand(rule)
    if value is None:
        return False
    if rule.op is Op.IN:
        return isinstance(rule.value, tuple) and value in rule.value
    if rule.op is Op.PREFIX:
        return isinstance(value, str) and isinstance(rule.value, str) and value.startswith(rule.value)
    return COMPARE[rule.op](value, operand(rule))


def operand(rule: Attribute) -> Any:
    """What a field is compared with; dates of custom attributes are text in ISO order, as they are kept."""
    if isinstance(rule.value, date) and rule.field.startswith(CUSTOM):
        return rule.value.isoformat()
    return rule.value


def _value(rule: Attribute, known: Known) -> Any:
    """A field's value, or None where it isn't of the type that the rule compares."""
    if not rule.field.startswith(CUSTOM):
        value = known.fields.get(rule.field)
        return Decimal(value) if isinstance(value, int) else value
    raw = known.attributes.get(rule.field.removeprefix(CUSTOM))
    match rule.type:
        case FieldType.NUMBER if isinstance(raw, int | float) and not isinstance(raw, bool):
            return Decimal(str(raw))
        case FieldType.BOOLEAN if isinstance(raw, bool):
            return raw
        case FieldType.DATE | FieldType.TEXT if isinstance(raw, str):
            return raw
        case _:
            return None
