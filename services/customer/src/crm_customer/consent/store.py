"""SQL of the consent ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid as SqlUuid
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from crm_customer.consent.domain import ConsentStatus, Entry, LegalBasis, OptIn
from crm_customer.consent.tables import consent_entry, consent_state
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param

Key = tuple[UUID, str, str]
"""An answering customer, a purpose, a channel."""


@dataclass(frozen=True, slots=True)
class State:
    """What holds now for one purpose and channel, and the row it follows from."""

    customer_id: UUID
    purpose: str
    channel: str
    status: ConsentStatus
    entry_id: UUID
    expires_at: datetime | None

    @property
    def key(self) -> Key:
        """What the state is about."""
        return self.customer_id, self.purpose, self.channel


_COLUMNS = [column.name for column in consent_entry.columns]
_STATE_COLUMNS = [column.name for column in consent_state.columns]
_OF_CUSTOMERS = select(consent_entry).where(any_param(consent_entry.c.customer_id, "ids")).order_by(consent_entry.c.id)
_ONE = select(consent_entry).where(consent_entry.c.id == bindparam("id"))
_PAGE = (
    select(consent_entry)
    .where(any_param(consent_entry.c.customer_id, "ids"), consent_entry.c.id < bindparam("before", type_=SqlUuid()))
    .order_by(consent_entry.c.id.desc())
    .limit(bindparam("limit"))
)
_KNOWN_REFS = select(consent_entry.c.source_ref, consent_entry.c.id).where(
    consent_entry.c.source == bindparam("source"), any_param(consent_entry.c.source_ref, "refs")
)
_STATES = select(consent_state).where(any_param(consent_state.c.customer_id, "ids"))
_set_state = insert(consent_state).values({name: bindparam(name) for name in _STATE_COLUMNS})
_SET_STATE = _set_state.on_conflict_do_update(
    index_elements=["tenant_id", "customer_id", "purpose", "channel"],
    set_={name: _set_state.excluded[name] for name in ("status", "entry_id", "expires_at")},
)
_DROP_STATE = delete(consent_state).where(
    consent_state.c.customer_id == bindparam("customer_id"),
    consent_state.c.purpose == bindparam("purpose"),
    consent_state.c.channel == bindparam("channel"),
)
LAST_ID = UUID(int=2**128 - 1)


def _entry(row: Record) -> Entry:
    return Entry(
        id=row["id"],
        customer_id=row["customer_id"],
        purpose=row["purpose"],
        channel=row["channel"],
        status=ConsentStatus(row["status"]),
        legal_basis=LegalBasis(row["legal_basis"]),
        effective_at=row["effective_at"],
        recorded_at=row["recorded_at"],
        expires_at=row["expires_at"],
        opt_in=OptIn(row["opt_in"]),
        evidence=row["evidence"],
        source=row["source"],
        source_ref=row["source_ref"],
        actor=row["actor"],
    )


def _values(tx: Tx, entry: Entry) -> tuple[Any, ...]:
    return (
        tx.tenant,
        entry.id,
        entry.customer_id,
        entry.purpose,
        entry.channel,
        entry.status.value,
        entry.legal_basis.value,
        entry.effective_at,
        entry.recorded_at,
        entry.expires_at,
        entry.opt_in.value,
        entry.evidence,
        entry.source,
        entry.source_ref,
        entry.actor,
    )


async def append(tx: Tx, entries: Sequence[Entry]) -> None:
    """Add rows to the ledger; nothing in it is ever changed."""
    if len(entries) == 1:
        await tx.run(insert(consent_entry).values(dict(zip(_COLUMNS, _values(tx, entries[0]), strict=True))))
    elif entries:
        await tx.copy(consent_entry, _COLUMNS, [_values(tx, entry) for entry in entries])


async def of_customers(tx: Tx, ids: Sequence[UUID]) -> list[Entry]:
    """All rows of these records."""
    return [_entry(row) for row in await tx.all(_OF_CUSTOMERS, {"ids": list(ids)})]


async def get(tx: Tx, entry_id: UUID) -> Entry | None:
    """One row."""
    row = await tx.one(_ONE, {"id": entry_id})
    return None if row is None else _entry(row)


async def page(tx: Tx, ids: Sequence[UUID], *, limit: int, before: UUID) -> list[Entry]:
    """A page of these records' rows, the latest recorded first."""
    return [_entry(row) for row in await tx.all(_PAGE, {"ids": list(ids), "limit": limit, "before": before})]


async def known_refs(tx: Tx, source: str, refs: Sequence[str]) -> dict[str, UUID]:
    """Which of another system's references were recorded before, and as which row."""
    rows = await tx.all(_KNOWN_REFS, {"source": source, "refs": list(refs)})
    return {row["source_ref"]: row["id"] for row in rows}


async def states(tx: Tx, ids: Sequence[UUID]) -> dict[Key, State]:
    """What holds now for these customers."""
    found = [
        State(
            customer_id=row["customer_id"],
            purpose=row["purpose"],
            channel=row["channel"],
            status=ConsentStatus(row["status"]),
            entry_id=row["entry_id"],
            expires_at=row["expires_at"],
        )
        for row in await tx.all(_STATES, {"ids": list(ids)})
    ]
    return {state.key: state for state in found}


async def set_states(tx: Tx, found: Sequence[State]) -> None:
    """Keep what holds now."""
    await tx.many(
        _SET_STATE,
        [
            {
                "tenant_id": tx.tenant,
                "customer_id": state.customer_id,
                "purpose": state.purpose,
                "channel": state.channel,
                "status": state.status.value,
                "entry_id": state.entry_id,
                "expires_at": state.expires_at,
            }
            for state in found
        ],
    )


async def drop_state(tx: Tx, state: State) -> None:
    """Forget what held."""
    await tx.run(_DROP_STATE, {"customer_id": state.customer_id, "purpose": state.purpose, "channel": state.channel})
