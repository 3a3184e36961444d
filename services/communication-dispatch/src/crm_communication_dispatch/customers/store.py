"""Every statement on the copies of customers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from crm_communication_dispatch.customers.domain import Consent, Customer, Segment, folded
from crm_communication_dispatch.customers.tables import consent, customer, segment, segment_member
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param

_PROFILE = (
    "display_name", "given_name", "family_name", "email", "email_folded", "phone", "language", "time_zone", "country",
)  # fmt: skip
_RATING = ("value_group", "recency", "frequency", "monetary")
_FIELDS = tuple(Customer.__dataclass_fields__)
_MOST_MERGES = 16


def _upsert(table: Any, keys: Sequence[str], columns: Sequence[str]) -> Any:
    statement = insert(table).values({name: bindparam(name) for name in ("tenant_id", *keys, *columns)})
    return statement.on_conflict_do_update(
        index_elements=[table.c.tenant_id, *(table.c[key] for key in keys)],
        set_={name: statement.excluded[name] for name in columns},
    )


_SAVE = _upsert(customer, ["id"], ["known", *_PROFILE])
_LIFECYCLE = _upsert(customer, ["id"], ["lifecycle"])
_VALUE = _upsert(customer, ["id"], list(_RATING))
_MERGE = _upsert(customer, ["id"], ["merged_into"])
_ERASE = _upsert(customer, ["id"], ["known", "erased_at", *_PROFILE])
_CONSENT = _upsert(
    consent, ["customer_id", "purpose", "channel"], ["consent_id", "status", "effective_at", "expires_at"]
)
_FORGET_CONSENTS = delete(consent).where(any_param(consent.c.customer_id, "ids"))
_FORGET_STAYS = delete(segment_member).where(any_param(segment_member.c.customer_id, "ids"))
_OPEN_STAYS = select(segment_member.c.segment_id, segment_member.c.customer_id, segment_member.c.entered_version).where(
    any_param(segment_member.c.customer_id, "ids"), segment_member.c.exited_version.is_(None)
)
_enter = insert(segment_member).values(
    {name: bindparam(name) for name in ("tenant_id", "segment_id", "customer_id", "entered_version")}
)
_ENTER = _enter.on_conflict_do_update(
    index_elements=[
        segment_member.c.tenant_id, segment_member.c.segment_id, segment_member.c.customer_id,
        segment_member.c.entered_version,
    ],
    set_={"exited_version": None},
)  # fmt: skip
_EXIT = (
    update(segment_member)
    .where(
        segment_member.c.segment_id == bindparam("segment"),
        segment_member.c.customer_id == bindparam("customer"),
        segment_member.c.exited_version.is_(None),
    )
    .values(exited_version=bindparam("at_version"))
)
_segment = insert(segment).values(
    {name: bindparam(name) for name in ("tenant_id", "id", "name", "version", "count", "materialised_at")}
)
_SEGMENT = _segment.on_conflict_do_update(
    index_elements=[segment.c.tenant_id, segment.c.id],
    set_={name: _segment.excluded[name] for name in ("name", "version", "count", "materialised_at")},
    where=segment.c.version <= _segment.excluded.version,
)
_GET_MANY = select(*(customer.c[name] for name in _FIELDS)).where(any_param(customer.c.id, "ids"))
_BY_EMAIL = (
    select(customer.c.id)
    .where(customer.c.email_folded == bindparam("email", type_=Text()), customer.c.merged_into.is_(None))
    .order_by(customer.c.id)
    .limit(2)
)
_CONSENTS = select(
    consent.c.customer_id, *(consent.c[name] for name in Consent.__dataclass_fields__)
).where(any_param(consent.c.customer_id, "ids"))  # fmt: skip
_GET_SEGMENT = select(*(segment.c[name] for name in Segment.__dataclass_fields__)).where(
    segment.c.id == bindparam("id", type_=Uuid())
)


def member_at(version: Any) -> Any:
    """The predicate on `segment_member` that holds for members at a version."""
    stays = segment_member.c
    return and_(stays.entered_version <= version, or_(stays.exited_version.is_(None), stays.exited_version > version))


_COUNT_MEMBERS = select(func.count(func.distinct(segment_member.c.customer_id))).where(
    segment_member.c.segment_id == bindparam("segment"),
    member_at(bindparam("at_version", type_=segment_member.c.entered_version.type)),
)


def profile(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A row's profile columns; the folded e-mail address is derived here."""
    email = fields.get("email")
    row = {name: fields.get(name) for name in _PROFILE}
    row["email_folded"] = folded(email) if email else None
    return row


async def save_profiles(tx: Tx, profiles: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Write what customers' own events say of them."""
    rows = [{"tenant_id": tx.tenant, "id": key, "known": True, **profile(of)} for key, of in profiles.items()]
    await tx.many(_SAVE, rows)


async def save_lifecycles(tx: Tx, states: Mapping[UUID, str | None]) -> None:
    """Write lifecycle states."""
    await tx.many(_LIFECYCLE, [{"tenant_id": tx.tenant, "id": key, "lifecycle": of} for key, of in states.items()])


async def save_ratings(tx: Tx, ratings: Mapping[UUID, tuple[str | None, int | None, int | None, int | None]]) -> None:
    """Write value groups and quintile scores."""
    rows = [{"tenant_id": tx.tenant, "id": key, **dict(zip(_RATING, of, strict=True))} for key, of in ratings.items()]
    await tx.many(_VALUE, rows)


async def save_merges(tx: Tx, merges: Mapping[UUID, UUID | None]) -> None:
    """Point merged customers at their survivors; None undoes it exactly."""
    await tx.many(_MERGE, [{"tenant_id": tx.tenant, "id": key, "merged_into": of} for key, of in merges.items()])


async def erase(tx: Tx, erased: Mapping[UUID, datetime]) -> None:
    """Keep nothing of these customers but that they were erased."""
    blank = profile({})
    rows = [{"tenant_id": tx.tenant, "id": key, "known": True, "erased_at": at, **blank} for key, at in erased.items()]
    await tx.many(_ERASE, rows)
    await tx.run(_FORGET_CONSENTS, {"ids": list(erased)})
    await tx.run(_FORGET_STAYS, {"ids": list(erased)})


async def save_consents(tx: Tx, consents: Sequence[tuple[UUID, Consent]]) -> None:
    """Write the consent rows of customers."""
    fields = Consent.__dataclass_fields__
    rows = [
        {"tenant_id": tx.tenant, "customer_id": key, **{name: getattr(of, name) for name in fields}}
        for key, of in consents
    ]
    await tx.many(_CONSENT, rows)


async def replace_consents(tx: Tx, ids: Collection[UUID], consents: Sequence[tuple[UUID, Consent]]) -> None:
    """Make these the only consent rows of these customers."""
    await tx.run(_FORGET_CONSENTS, {"ids": list(ids)})
    await save_consents(tx, consents)


async def enter_segments(tx: Tx, entries: Sequence[tuple[UUID, UUID, int]]) -> None:
    """Note that customers entered segments: `(segment, customer, version)` each."""
    rows = [
        {"tenant_id": tx.tenant, "segment_id": in_segment, "customer_id": key, "entered_version": version}
        for in_segment, key, version in entries
    ]
    await tx.many(_ENTER, rows)


async def exit_segments(tx: Tx, exits: Sequence[tuple[UUID, UUID, int]]) -> None:
    """Note that customers left segments: `(segment, customer, version)` each."""
    rows = [{"segment": in_segment, "customer": key, "at_version": version} for in_segment, key, version in exits]
    await tx.many(_EXIT, rows)


async def replace_stays(tx: Tx, segments: Mapping[UUID, Collection[UUID]]) -> None:
    """Make these the only segments that hold these customers; since when is kept where it was known."""
    rows = await tx.all(_OPEN_STAYS, {"ids": list(segments)})
    since = {(row["segment_id"], row["customer_id"]): row["entered_version"] for row in rows}
    await tx.run(_FORGET_STAYS, {"ids": list(segments)})
    entries = [(of, key, since.get((of, key), 0)) for key, those in segments.items() for of in those]
    await enter_segments(tx, entries)


async def save_segments(tx: Tx, segments: Sequence[Segment]) -> None:
    """Note complete materialisations; an older one never replaces a newer."""
    fields = Segment.__dataclass_fields__
    await tx.many(
        _SEGMENT, [{"tenant_id": tx.tenant, **{name: getattr(of, name) for name in fields}} for of in segments]
    )


async def get_segment(tx: Tx, segment_id: UUID) -> Segment | None:
    """The last complete materialisation of a segment."""
    row = await tx.one(_GET_SEGMENT, {"id": segment_id})
    return Segment(**dict(row)) if row else None


async def count_members(tx: Tx, segment_id: UUID, version: int) -> int:
    """How many members of a segment at a version have reached us."""
    return int(await tx.scalar(_COUNT_MEMBERS, {"segment": segment_id, "at_version": version}))


def _customer(row: Record) -> Customer:
    return Customer(**dict(row))


async def get_customers(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Customer]:
    """The customers behind these ids, as given: a merged id finds its survivor's record."""
    rows = await tx.all(_GET_MANY, {"ids": list(ids)})
    found = {row["id"]: _customer(row) for row in rows}
    result = dict(found)
    for _ in range(_MOST_MERGES):
        onward = {key: of.merged_into for key, of in result.items() if of.merged_into is not None}
        if not onward:
            break
        missing = {target for target in onward.values() if target not in found}
        if missing:
            rows = await tx.all(_GET_MANY, {"ids": list(missing)})
            found |= {row["id"]: _customer(row) for row in rows}
        result |= {key: found[target] for key, target in onward.items() if target in found}
        if all(target not in found for target in onward.values()):
            break
    return result


async def get_customer(tx: Tx, customer_id: UUID) -> Customer | None:
    """One customer, through merges."""
    return (await get_customers(tx, [customer_id])).get(customer_id)


async def find_by_email(tx: Tx, email: str) -> UUID | None:
    """The one customer with this address; None when there is none or more than one."""
    rows = await tx.all(_BY_EMAIL, {"email": folded(email)})
    return rows[0]["id"] if len(rows) == 1 else None


async def get_consents(tx: Tx, ids: Collection[UUID]) -> dict[UUID, list[Consent]]:
    """The consent rows of customers."""
    result: dict[UUID, list[Consent]] = {}
    for row in await tx.all(_CONSENTS, {"ids": list(ids)}):
        fields = dict(row)
        result.setdefault(fields.pop("customer_id"), []).append(Consent(**fields))
    return result
