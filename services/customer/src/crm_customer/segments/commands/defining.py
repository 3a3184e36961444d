"""Defining segments: naming them, giving them a rule, taking them away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from crm_customer.attributes import store as attributes
from crm_customer.attributes.domain import AttributeType
from crm_customer.segments.domain.tree import (
    CUSTOM,
    FIELDS,
    OPS,
    FieldType,
    Op,
    Rule,
    in_order_of_need,
    parse,
    segments_named,
    typed,
)
from crm_customer.segments.store import segments as store
from crm_customer.segments.store.segments import Segment, SegmentKind
from crm_shared.db.operations import get_operation
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

MAX_SEGMENTS = 500
_CUSTOM_TYPES = {
    AttributeType.TEXT: FieldType.TEXT,
    AttributeType.CHOICE: FieldType.TEXT,
    AttributeType.REFERENCE: FieldType.TEXT,
    AttributeType.NUMBER: FieldType.NUMBER,
    AttributeType.DATE: FieldType.DATE,
    AttributeType.BOOLEAN: FieldType.BOOLEAN,
}
RuleJson = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """A segment to be defined."""

    name: str
    description: str | None
    kind: SegmentKind
    rule: RuleJson


async def custom_types(tx: Tx) -> dict[str, FieldType]:
    """Of what type the tenant's custom attributes are, as rules compare them."""
    return {name: _CUSTOM_TYPES[known.type] for name, known in (await attributes.definitions(tx)).items()}


async def understood(tx: Tx, rule: RuleJson, *, own_id: UUID | None = None) -> Rule:
    """The tree of a rule that makes sense in this tenant.

    Raises:
        Invalid: it names an attribute or segment that isn't there, compares what can't be compared, or needs itself.
            Every faulty node is named.
    """
    types = await custom_types(tx)
    others = {other.id: other for other in await store.everything(tx)}
    errors: list[FieldError] = []
    _inspect(rule, "/rule", types, others, errors)
    if errors:
        raise Invalid("The rule can't be understood.", code="rule_invalid", errors=errors)
    tree = parse(rule, types)
    needs = {each: segments_named(parse(other.rule, types)) for each, other in others.items()}
    needs[own_id or UUID(int=0)] = segments_named(tree)
    try:
        in_order_of_need(needs)
    except ValueError:
        raise Invalid.field("/rule", "The segment would need itself.", code="rule_circular") from None
    return tree


def _inspect(
    node: RuleJson,
    pointer: str,
    types: Mapping[str, FieldType],
    others: Mapping[UUID, Segment],
    errors: list[FieldError],
) -> None:
    match node["type"]:
        case "and" | "or":
            for index, part in enumerate(node["rules"]):
                _inspect(part, f"{pointer}/rules/{index}", types, others, errors)
        case "not":
            _inspect(node["rule"], f"{pointer}/rule", types, others, errors)
        case "attribute":
            errors.extend(_attribute_errors(node, pointer, types))
        case "segment" if node["segment_id"] not in {public_id("seg", each) for each in others}:
            errors.append(FieldError(f"{pointer}/segment_id", "segment_not_found", "There is no such segment."))
        case _:
            return


def _attribute_errors(node: RuleJson, pointer: str, types: Mapping[str, FieldType]) -> list[FieldError]:
    name, op = node["field"], Op(node["op"])
    kind = types.get(name.removeprefix(CUSTOM)) if name.startswith(CUSTOM) else FIELDS.get(name)
    if kind is None:
        known = ", ".join([*FIELDS, *(CUSTOM + each for each in types)])
        return [FieldError(f"{pointer}/field", "field_unknown", f"Known are {known}.")]
    if op not in OPS[kind]:
        able = ", ".join(sorted(OPS[kind]))
        return [FieldError(f"{pointer}/op", "op_unsuitable", f"A {kind} can be compared by {able}.")]
    if op is not Op.IS_SET:
        try:
            typed(kind, op, node.get("value"))
        except ValueError as error:
            return [FieldError(f"{pointer}/value", "value_unsuitable", f"{name}: {error}.")]
    return []


async def define(tx: Tx, viewer: Viewer, data: Definition, *, now: datetime) -> Segment:
    """Define a segment; it has no members before it is materialised.

    Raises:
        Invalid: the rule can't be understood.
        Conflict: the name is taken, or there are too many segments.
    """
    await understood(tx, data.rule)
    if len(await store.everything(tx)) >= MAX_SEGMENTS:
        raise Conflict(f"A tenant has at most {MAX_SEGMENTS} segments.", code="too_many_segments")
    made = Segment(
        id=new_id(),
        version=1,
        name=data.name,
        description=data.description,
        kind=data.kind,
        rule=dict(data.rule),
        materialised_rule=None,
        materialised_version=0,
        materialised_at=None,
        members=0,
        operation_id=None,
        created_at=now,
        updated_at=now,
    )
    await store.save(tx, made)
    return made


async def change(
    tx: Tx,
    viewer: Viewer,
    segment_id: UUID,
    changes: dict[str, Any],
    *,
    expected_version: int | None,
    now: datetime,
) -> Segment:
    """Change a segment; a new rule takes effect with the next materialisation.

    Raises:
        NotFound: there is no such segment.
        PreconditionFailed: it has changed since the sender saw it.
        Invalid: the rule can't be understood.
    """
    known = await found(tx, segment_id)
    if expected_version is not None and expected_version != known.version:
        raise PreconditionFailed("The segment has changed since you read it; read it again.")
    if "rule" in changes:
        await understood(tx, changes["rule"], own_id=segment_id)
    changed = replace(known, **changes, version=known.version + 1, updated_at=now)
    await store.save(tx, changed)
    return changed


async def remove(tx: Tx, viewer: Viewer, segment_id: UUID, *, now: datetime) -> None:
    """Take a segment away, unless something rests on it.

    Raises:
        NotFound: there is no such segment.
        Conflict: it is being materialised, or segments or campaigns use it; each is named.
    """
    known = await found(tx, segment_id)
    await refuse_while_materialising(tx, viewer, known)
    types = await custom_types(tx)
    users = [
        (public_id("seg", other.id), other.name)
        for other in await store.everything(tx)
        if segment_id in segments_named(parse(other.rule, types))
    ]
    users += await store.uses(tx, segment_id)
    if users:
        raise Conflict(
            f"{len(users)} others use this segment; change them first.",
            code="segment_in_use",
            errors=[FieldError("", "used_by", f"{reference}: {name}") for reference, name in users],
        )
    await store.remove(tx, segment_id)


async def found(tx: Tx, segment_id: UUID) -> Segment:
    """The segment, locked.

    Raises:
        NotFound: there is no such segment.
    """
    known = await store.lock(tx, segment_id)
    if known is None:
        raise NotFound.of("segment", public_id("seg", segment_id))
    return known


async def refuse_while_materialising(tx: Tx, viewer: Viewer, known: Segment) -> None:
    """Refuse to disturb a running materialisation.

    Raises:
        Conflict: one is running.
    """
    if known.operation_id is None:
        return
    running = await get_operation(tx, viewer, known.operation_id)
    if running is not None and running.finished_at is None:
        raise Conflict("The segment is being materialised; wait for it or cancel it.", code="segment_materialising")
