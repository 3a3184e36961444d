"""What can be done with the consent ledger: add to it, and say so where it changes what holds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from crm_customer.consent import store
from crm_customer.consent.domain import (
    MAX_CLOCK_SKEW,
    ConsentStatus,
    Entry,
    LegalBasis,
    Member,
    OptIn,
    decided,
    in_force,
)
from crm_customer.consent.events import ConsentChanged
from crm_customer.consent.store import State
from crm_customer.parties.store import aliases, writing
from crm_shared.db.due import schedule_many
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, CrmError, Invalid, NotFound
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

EXPIRY = "consent.expiry"


@dataclass(frozen=True, slots=True)
class Recording:
    """Something a customer allowed or forbade; `effective_at` None means now."""

    customer_id: UUID
    purpose: str
    channel: str
    status: ConsentStatus
    legal_basis: LegalBasis = LegalBasis.CONSENT
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    opt_in: OptIn = OptIn.SINGLE
    evidence: str | None = None
    source: str | None = None
    source_ref: str | None = None


async def record(tx: Tx, viewer: Viewer, data: Recording, *, now: datetime) -> Entry:
    """Add one row to the ledger.

    Raises:
        NotFound: there is no such customer.
        Invalid: it takes effect in the future, or ends before it begins.
    """
    result = (await record_many(tx, viewer, [data], now=now))[0]
    if isinstance(result, CrmError):
        raise result
    return result


async def record_many(tx: Tx, viewer: Viewer, items: Sequence[Recording], *, now: datetime) -> list[Entry | CrmError]:
    """Add rows to the ledger; a refused one stands as its refusal, a repeated reference as the row it made before."""
    answering = await aliases.canonical(tx, list({item.customer_id for item in items}))
    present = await writing.lock_ids(tx, list(set(answering.values())))
    known = await _repeats(tx, items)
    results: list[Entry | CrmError] = []
    fresh: list[Entry] = []
    for item in items:
        ref = (item.source, item.source_ref)
        if answering[item.customer_id] not in present:
            results.append(NotFound.of("customer", public_id("cus", item.customer_id)))
        elif item.source_ref is not None and ref in known:
            results.append(known[ref])
        else:
            made = _entry_of(item, viewer, now)
            results.append(made)
            if isinstance(made, Entry):
                fresh.append(made)
                known[ref] = made
    await store.append(tx, fresh)
    await bring_up_to_date(tx, {answering[entry.customer_id] for entry in fresh}, now=now)
    ends = [(str(e.id), e.expires_at, _reference(e)) for e in fresh if e.expires_at is not None and e.expires_at > now]
    await schedule_many(tx, EXPIRY, ends)
    return results


def _reference(entry: Entry) -> dict[str, str]:
    return {"customer_id": str(entry.customer_id), "consent_id": str(entry.id)}


async def _repeats(tx: Tx, items: Sequence[Recording]) -> dict[tuple[str | None, str | None], Entry]:
    refs: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.source is not None and item.source_ref is not None:
            refs[item.source].append(item.source_ref)
    known: dict[tuple[str | None, str | None], Entry] = {}
    for source, wanted in refs.items():
        for ref, entry_id in (await store.known_refs(tx, source, wanted)).items():
            entry = await store.get(tx, entry_id)
            assert entry is not None
            known[source, ref] = entry
    return known


def _entry_of(item: Recording, viewer: Viewer, now: datetime) -> Entry | CrmError:
    effective = item.effective_at or now
    if effective > now + MAX_CLOCK_SKEW:
        return Invalid.field("/effective_at", "A consent can't take effect in the future.", code="in_the_future")
    if item.expires_at is not None and item.expires_at <= effective:
        return Invalid.field("/expires_at", "It ends before it begins.", code="period_empty")
    return Entry(
        id=new_id(),
        customer_id=item.customer_id,
        purpose=item.purpose,
        channel=item.channel,
        status=item.status,
        legal_basis=item.legal_basis,
        effective_at=min(effective, now),
        recorded_at=now,
        expires_at=item.expires_at,
        opt_in=item.opt_in,
        evidence=item.evidence,
        source=item.source,
        source_ref=item.source_ref,
        actor=viewer.subject,
    )


async def confirm(tx: Tx, viewer: Viewer, customer_id: UUID, consent_id: UUID, *, now: datetime) -> Entry:
    """Confirm a grant that waits for it (double opt-in).

    Raises:
        NotFound: the customer has no such row.
        Conflict: it doesn't wait for confirmation, or the customer revoked since.
    """
    answering, ids = await aliases.family(tx, customer_id)
    await writing.lock_ids(tx, [answering])
    pending = await store.get(tx, consent_id)
    if pending is None or pending.customer_id not in ids:
        raise NotFound.of("consent", public_id("cst", consent_id))
    if pending.opt_in is not OptIn.PENDING:
        raise Conflict("This consent doesn't wait for a confirmation.", code="consent_not_pending")
    same = [
        e for e in await store.of_customers(tx, ids) if (e.purpose, e.channel) == (pending.purpose, pending.channel)
    ]
    latest = in_force(same, now)
    if latest and latest.status is ConsentStatus.REVOKED and latest.effective_at >= pending.effective_at:
        raise Conflict("The customer has revoked since; ask anew.", code="consent_revoked_since")
    return await record(
        tx,
        viewer,
        Recording(
            customer_id=pending.customer_id,
            purpose=pending.purpose,
            channel=pending.channel,
            status=ConsentStatus.GRANTED,
            legal_basis=pending.legal_basis,
            expires_at=pending.expires_at,
            opt_in=OptIn.CONFIRMED,
            evidence=pending.evidence,
            source="confirmation",
            source_ref=str(consent_id),
        ),
        now=now,
    )


async def expire(tx: Tx, viewer: Viewer, customer_id: UUID, consent_id: UUID, *, now: datetime) -> Entry | None:
    """Write down that a grant ended by itself, if it still was the one that held; once, however often it is asked."""
    answering = (await aliases.canonical(tx, [customer_id]))[customer_id]
    await writing.lock_ids(tx, [answering])
    ended = await store.get(tx, consent_id)
    if ended is None or ended.expires_at is None or ended.expires_at > now:
        return None
    state = (await store.states(tx, [answering])).get((answering, ended.purpose, ended.channel))
    if state is None or state.entry_id != consent_id or state.status is not ConsentStatus.GRANTED:
        return None
    row = replace(
        ended,
        id=new_id(),
        status=ConsentStatus.EXPIRED,
        effective_at=ended.expires_at,
        recorded_at=now,
        expires_at=None,
        evidence=None,
        source="expiry",
        source_ref=str(consent_id),
        actor=viewer.subject,
    )
    await store.append(tx, [row])
    await bring_up_to_date(tx, {answering}, now=now)
    return row


async def bring_up_to_date(tx: Tx, customers: set[UUID], *, now: datetime) -> None:
    """Work out what holds now for these answering customers and say what changed; also after a merge or unmerge."""
    if not customers:
        return
    ledgers = await ledger_of(tx, list(customers))
    before = await store.states(tx, list(customers))
    changed: list[State] = []
    for customer_id in sorted(customers):
        for (purpose, channel), members in ledgers[customer_id].items():
            proof = decided(members, now, known_at=now)
            if proof is None:
                continue
            status = proof.status_at(now)
            state = State(customer_id, purpose, channel, status, proof.id, proof.expires_at)
            if before.get(state.key) != state:
                changed.append(state)
                tx.emit(ConsentChanged.of(proof, status), aggregate_id=customer_id)
    await store.set_states(tx, changed)
    await _withdraw(tx, [s for s in before.values() if (s.purpose, s.channel) not in ledgers[s.customer_id]], now=now)


async def _withdraw(tx: Tx, orphans: Sequence[State], *, now: datetime) -> None:
    """Take back what held only through a record that has been set free again."""
    for state in orphans:
        await store.drop_state(tx, state)
        source = await store.get(tx, state.entry_id)
        if source is not None:
            tx.emit(
                ConsentChanged.of(replace(source, effective_at=now, expires_at=None), ConsentStatus.REVOKED),
                aggregate_id=state.customer_id,
            )


Ledger = Mapping[tuple[str, str], list[Member]]
"""The records of one customer by purpose and channel."""


async def ledger_of(tx: Tx, customers: Sequence[UUID]) -> dict[UUID, Ledger]:
    """The rows of answering customers, apart by record, purpose and channel."""
    families = await aliases.families(tx, customers)
    everyone = [*customers, *(alias for family in families.values() for alias in family)]
    entries: defaultdict[UUID, list[Entry]] = defaultdict(list)
    for entry in await store.of_customers(tx, everyone):
        entries[entry.customer_id].append(entry)
    return {customer: _by_purpose(customer, families[customer], entries) for customer in customers}


def _by_purpose(customer: UUID, family: Mapping[UUID, datetime], entries: Mapping[UUID, Sequence[Entry]]) -> Ledger:
    ledger: defaultdict[tuple[str, str], list[Member]] = defaultdict(list)
    for record_id, merged_at in ((customer, None), *family.items()):
        apart: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in entries.get(record_id, ()):
            apart[entry.purpose, entry.channel].append(entry)
        for key, rows in apart.items():
            ledger[key].append(Member(record_id, rows, merged_at))
    return ledger
