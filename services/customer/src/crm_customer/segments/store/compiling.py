"""A segment's rule as SQL: one boolean over `customer` that is never null, whatever is missing."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import BIT

from crm_customer.behaviour.domain import FactKind
from crm_customer.behaviour.tables import money_fact
from crm_customer.consent.domain import ConsentStatus
from crm_customer.consent.tables import consent_state
from crm_customer.lifecycle.domain import LifecycleState
from crm_customer.lifecycle.tables import lifecycle
from crm_customer.parties.domain import Status
from crm_customer.parties.tables import customer
from crm_customer.segments.domain.judging import COMPARE, operand
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
from crm_customer.segments.tables import segment_member
from crm_customer.value.tables import value_rating
from crm_shared.db.statements import any_of

Condition = ColumnElement[bool]
c, f, s = customer.c, money_fact.c, consent_state.c

# Not `true()`: SQLAlchemy would fold `NOT true AND tenant_id = …` to `false`, and the tenant's predicate would be gone.
_ALWAYS: ColumnElement[bool] = literal_column("true", Boolean())
_PREDICATES: Mapping[Op, Callable[[Any, Any], Any]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The customers in question: all, those of a page of ids, or some by name; it also narrows what is counted."""

    after: UUID | None = None
    upto: UUID | None = None
    ids: Sequence[UUID] | None = None

    def within(self, column: ColumnElement[UUID]) -> list[Condition]:
        """The conditions that keep a column of customer ids inside the scope."""
        conditions: list[Condition] = []
        if self.ids is not None:
            conditions.append(any_of(column, list(self.ids)))
        if self.after is not None:
            conditions.append(column > self.after)
        if self.upto is not None:
            conditions.append(column <= self.upto)
        return conditions


def members(rule: Rule, as_of: datetime, scope: Scope) -> Select[tuple[UUID]]:
    """The ids of those active customers of a scope of whom the rule holds."""
    condition = _Compiler(as_of, scope).condition(rule)
    return select(c.id).where(c.status == Status.ACTIVE.value, condition, *scope.within(c.id))


@dataclass(frozen=True, slots=True)
class _Compiler:
    as_of: datetime
    scope: Scope

    def condition(self, rule: Rule) -> Condition:  # noqa: PLR0911, PLR0912, C901 # one branch a node
        match rule:
            case All():
                return and_(true(), *(self.condition(part) for part in rule.rules))
            case AnyOf():
                return or_(false(), *(self.condition(part) for part in rule.rules))
            case Not():
                return not_(self.condition(rule.rule))
            case Attribute():
                return _attribute(rule)
            case PurchaseCount():
                return self._aggregate(func.count(), rule.op, rule.value, self._window(rule.window_days))
            case PurchaseSum():
                own = [*self._window(rule.window_days), f.currency == rule.currency]
                return self._aggregate(func.sum(f.amount), rule.op, rule.amount, own)
            case LastPurchase():
                cutoff = self.as_of - timedelta(days=rule.days)
                last = func.max(f.occurred_at)
                return self._bought(self._window(None), last > cutoff if rule.within else last <= cutoff)
            case Score():
                column = value_rating.c[rule.dimension]
                return self._rated(_PREDICATES[rule.op](column, rule.value))
            case InValueGroup():
                return self._rated(any_of(value_rating.c.value_group, sorted(rule.groups)))
            case InState():
                return self._in_state(rule.states)
            case Consents():
                return self._consents(rule)
            case MemberOf():
                m = segment_member.c
                inside = select(m.customer_id).where(m.segment_id == rule.segment_id, *self.scope.within(m.customer_id))
                return c.id.in_(inside)
            case RandomBucket():
                place = _bucket(rule)
                return and_(place >= rule.start, place < rule.end)
            case Manual():
                return any_of(c.id, sorted(rule.customer_ids))

    def _window(self, days: int | None) -> list[Condition]:
        window = [f.kind == FactKind.PURCHASE.value, f.occurred_at <= self.as_of]
        if days is not None:
            window.append(f.occurred_at > self.as_of - timedelta(days=days))
        return window

    def _bought(self, which: Sequence[Condition], having: Condition) -> Condition:
        owners = select(f.owner_id).where(*which, *self.scope.within(f.owner_id)).group_by(f.owner_id).having(having)
        return c.id.in_(owners)

    def _aggregate(self, value: Any, op: Op, bound: Any, which: Sequence[Condition]) -> Condition:
        """Compares a sum or count that is zero for whoever has no rows, which no group would show."""
        fits = _PREDICATES[op](value, bound)
        if COMPARE[op](0, bound):
            return not_(self._bought(which, not_(fits)))
        return self._bought(which, fits)

    def _rated(self, condition: Condition) -> Condition:
        rated = select(value_rating.c.customer_id).where(condition, *self.scope.within(value_rating.c.customer_id))
        return c.id.in_(rated)

    def _in_state(self, states: frozenset[str]) -> Condition:
        """Whoever has no row is potential."""
        other = LifecycleState.POTENTIAL.value in states
        wanted = sorted({state.value for state in LifecycleState} - states) if other else sorted(states)
        found = select(lifecycle.c.customer_id).where(
            any_of(lifecycle.c.state, wanted), *self.scope.within(lifecycle.c.customer_id)
        )
        return c.id.not_in(found) if other else c.id.in_(found)

    def _consents(self, rule: Consents) -> Condition:
        granted = select(s.customer_id).where(
            s.purpose == rule.purpose,
            s.channel == rule.channel,
            s.status == ConsentStatus.GRANTED.value,
            or_(s.expires_at.is_(None), s.expires_at > self.as_of),
            *self.scope.within(s.customer_id),
        )
        return c.id.in_(granted)


def _bucket(rule: RandomBucket) -> ColumnElement[int]:
    digest = func.md5(func.concat(rule.seed, ":", cast(c.id, Text())))
    bits = cast(func.concat("x", func.substr(digest, 1, 8)), BIT(32))
    return cast(bits, BigInteger()) % rule.of


def _attribute(rule: Attribute) -> Condition:
    value, known = _column(rule)
    if rule.op is Op.IS_SET:
        return known
    if rule.op is Op.NE:
        return not_(_guarded(known, value == operand(rule)))
    if rule.op is Op.IN:
        assert isinstance(rule.value, tuple)
        return _guarded(known, any_of(value, rule.value))
    if rule.op is Op.PREFIX:
        return _guarded(known, func.starts_with(value, rule.value))
    return _guarded(known, _PREDICATES[rule.op](value, operand(rule)))


def _guarded(known: Condition, comparison: Condition) -> Condition:
    """A comparison that is made only where there is a value of the right type, and false elsewhere."""
    return case((known, comparison), else_=false())


def _column(rule: Attribute) -> tuple[ColumnElement[Any], Condition]:
    """A field's value, and whether it has one of the type that the rule compares."""
    if rule.field.startswith(CUSTOM):
        return _custom(rule)
    match rule.field:
        case "display_name":
            return c.name_folded, _ALWAYS
        case "registered_on":
            return cast(func.timezone("UTC", c.registered_at), Date()), _ALWAYS
        case "completeness":
            return cast(c.completeness, Numeric()), _ALWAYS
        case _:
            column = c[rule.field]
            return column, column.is_not(None)


def _custom(rule: Attribute) -> tuple[ColumnElement[Any], Condition]:
    item = c.attributes[rule.field.removeprefix(CUSTOM)]
    kind = func.coalesce(func.jsonb_typeof(item), "")
    match rule.type:
        case FieldType.NUMBER:
            return cast(item.astext, Numeric()), kind == "number"
        case FieldType.BOOLEAN:
            return item.astext == "true", kind == "boolean"
        case FieldType.DATE:
            # ISO dates sort as text; a cast could fail on what an older definition of the attribute left behind.
            return item.astext.collate("C"), kind == "string"
        case FieldType.TEXT:
            return item.astext, kind == "string"
