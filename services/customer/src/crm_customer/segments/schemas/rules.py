"""The nodes of a segment's rule as clients write them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, ValidationError, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from crm_customer.fields import CustomerId, SegmentId, Slug
from crm_customer.lifecycle.domain import LifecycleState
from crm_customer.segments.domain.tree import MAX_DEPTH, MAX_NODES, Op
from crm_customer.value.domain import Dimension, ValueGroup
from crm_shared.errors import FieldError, Invalid
from crm_shared.fields import MoneyField, Strict

Days = Annotated[int, Field(ge=0, le=36_500)]
OrderOp = Literal[Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE]


class And(Strict):
    """Every part holds."""

    type: Literal["and"]
    rules: list["RuleIn"] = Field(min_length=1, max_length=50)


class Or(Strict):
    """Some part holds."""

    type: Literal["or"]
    rules: list["RuleIn"] = Field(min_length=1, max_length=50)


class Negation(Strict):
    """The part doesn't hold."""

    type: Literal["not"]
    rule: "RuleIn"


class AttributeRule(Strict):
    """A field, or a custom attribute as `attributes.<name>`, compares so; `is_set` takes no value."""

    type: Literal["attribute"]
    field: str = Field(max_length=64, examples=["country", "attributes.tier"])
    op: Op
    value: str | int | float | bool | list[str] | None = None


class PurchaseCountRule(Strict):
    """So many purchases in the last days, or ever."""

    type: Literal["purchase_count"]
    op: OrderOp
    value: int = Field(ge=0, le=1_000_000)
    window_days: Days | None = None


class PurchaseSumRule(Strict):
    """So much bought, in one currency, in the last days, or ever."""

    type: Literal["purchase_sum"]
    op: OrderOp
    amount: MoneyField
    window_days: Days | None = None


class LastPurchaseRule(Strict):
    """The last purchase lies within the last days, or before them; who never bought fits neither."""

    type: Literal["last_purchase"]
    op: Literal["within", "before"]
    days: Days


class ValueRule(Strict):
    """A value score, 1 to 5, compares so."""

    type: Literal["value"]
    dimension: Dimension
    op: OrderOp
    value: int = Field(ge=1, le=5)


class ValueGroupRule(Strict):
    """In one of these value groups."""

    type: Literal["value_group"]
    groups: list[ValueGroup] = Field(min_length=1, max_length=20)


class LifecycleRule(Strict):
    """In one of these lifecycle states."""

    type: Literal["lifecycle"]
    states: list[LifecycleState] = Field(min_length=1, max_length=20)


class ConsentRule(Strict):
    """A purpose on a channel is allowed."""

    type: Literal["consent"]
    purpose: Slug
    channel: Slug


class SegmentRule(Strict):
    """In another segment."""

    type: Literal["segment"]
    segment_id: SegmentId


class RandomBucketRule(Strict):
    """In one of the buckets `start` to `end` (not included) of `of`; the same seed always gives the same buckets."""

    type: Literal["random_bucket"]
    seed: str = Field(min_length=1, max_length=64)
    of: int = Field(ge=1, le=10_000)
    start: int = Field(ge=0, le=10_000)
    end: int = Field(ge=0, le=10_000)

    @model_validator(mode="after")
    def _inside(self) -> "RandomBucketRule":
        if not self.start < self.end <= self.of:
            raise PydanticCustomError("bucket_malformed", "start lies below end, and end not above of")
        return self


class ManualRule(Strict):
    """On a list."""

    type: Literal["manual"]
    customer_ids: list[CustomerId] = Field(min_length=1, max_length=1_000)


RuleIn = Annotated[
    And
    | Or
    | Negation
    | AttributeRule
    | PurchaseCountRule
    | PurchaseSumRule
    | LastPurchaseRule
    | ValueRule
    | ValueGroupRule
    | LifecycleRule
    | ConsentRule
    | SegmentRule
    | RandomBucketRule
    | ManualRule,
    Field(discriminator="type"),
]
for _node in (And, Or, Negation):
    _node.model_rebuild()


def _pointing_at_nodes(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Validates a rule so that each error names its node by a pointer into the JSON that was sent."""
    _refuse_too_large(value)
    try:
        return handler(value)
    except ValidationError as error:
        fields = [
            FieldError("/rule" + _pointer(item["loc"], value), str(item["type"]), str(item["msg"]))
            for item in error.errors()
        ]
        raise Invalid("The rule can't be understood.", code="rule_invalid", errors=fields) from None


def _refuse_too_large(value: Any) -> None:
    count = 0
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict):
            continue
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            limits = f"at most {MAX_NODES} nodes, nested {MAX_DEPTH} deep"
            raise Invalid.field("/rule", f"The rule is too large: {limits}.", code="rule_too_large")
        fields = cast("dict[str, Any]", node)
        parts = fields.get("rules")
        inner = cast("list[Any]", parts) if isinstance(parts, list) else [fields.get("rule")]
        waiting += [(part, depth + 1) for part in inner]


def _pointer(location: Sequence[str | int], value: Any) -> str:
    """A pydantic location without the names of the union's branches, which aren't in the JSON."""
    pointer, here = "", value
    for part in location:
        if isinstance(here, dict):
            fields = cast("dict[str | int, Any]", here)
            if part not in fields and part == fields.get("type"):
                continue
            here = fields.get(part)
        elif isinstance(here, list) and isinstance(part, int):
            here = cast("list[Any]", here)[part]
        pointer += f"/{part}"
    return pointer


Rule = Annotated[RuleIn, WrapValidator(_pointing_at_nodes)]


def to_json(rule: BaseModel) -> dict[str, Any]:
    """The rule as it is kept."""
    return rule.model_dump(mode="json")
