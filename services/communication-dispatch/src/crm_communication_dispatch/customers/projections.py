"""The local copy of customers, built from their events in batches."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.customers import store
from crm_communication_dispatch.customers.domain import Consent, Segment, best_point
from crm_communication_dispatch.fields import ConsentId, CustomerId, SegmentId
from crm_shared.bus.handlers import Projections, Received
from crm_shared.db.pool import Tx
from crm_shared.fields import Fact, Instant

PROJECTIONS = Projections()


class Point(Fact):
    """A contact point."""

    channel: str
    value: str
    preferred: bool = False


class Profile(Fact):
    """Who a customer is, and how to reach one."""

    display_name: str
    given_name: str | None = None
    family_name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    country: str | None = None
    contact_points: tuple[Point, ...] = ()


class Merged(Fact):
    """Two records were one customer."""

    survivor_id: CustomerId
    merged_id: CustomerId


class Unmerged(Fact):
    """They weren't."""

    survivor_id: CustomerId
    restored_id: CustomerId


class Erased(Fact):
    """A customer has been forgotten."""

    erased_at: Instant


class ConsentFact(Fact):
    """What a customer allows."""

    consent_id: ConsentId
    purpose: str
    channel: str
    status: str
    effective_at: Instant
    expires_at: Instant | None = None

    def row(self) -> Consent:
        """As the policy reads it."""
        return Consent(self.consent_id, self.purpose, self.channel, self.status, self.effective_at, self.expires_at)


class Lifecycle(Fact):
    """Where a customer stands."""

    state: str


class Value(Fact):
    """What a customer is worth."""

    recency: int | None = None
    frequency: int | None = None
    monetary: int | None = None
    group: str | None = None


class Stay(Fact):
    """A customer entered or left a segment."""

    segment_id: SegmentId
    version: int


class ConsentNow(Fact):
    """What a customer allows now, whenever it was said."""

    consent_id: ConsentId
    purpose: str
    channel: str
    status: str
    expires_at: Instant | None = None


class Snapshot(Profile):
    """Everything at once; it replaces what we had."""

    consents: tuple[ConsentNow, ...] = ()
    lifecycle: Lifecycle | None = None
    value: Value | None = None
    segments: tuple[SegmentId, ...] = ()
    merged_into: CustomerId | None = None
    erased_at: Instant | None = None


class Materialised(Fact):
    """A segment was computed completely."""

    segment_id: SegmentId
    name: str | None = None
    version: int
    count: int
    at: Instant


def _profile(of: Profile) -> dict[str, str | None]:
    return {
        "display_name": of.display_name,
        "given_name": of.given_name,
        "family_name": of.family_name,
        "email": best_point(of.contact_points, "email"),
        "phone": best_point(of.contact_points, "phone"),
        "language": of.language,
        "time_zone": of.time_zone,
        "country": of.country,
    }


@PROJECTIONS.on("crm.customer.registered.v1", Profile)
@PROJECTIONS.on("crm.customer.updated.v1", Profile)
async def customer_told(tx: Tx, events: Sequence[Received[Profile]]) -> None:
    """Keep who they are; both events carry the full state."""
    await store.save_profiles(tx, {event.aggregate_id: _profile(event.data) for event in events})


@PROJECTIONS.on("crm.customer.merged.v1", Merged)
async def customer_merged(tx: Tx, events: Sequence[Received[Merged]]) -> None:
    """Follow the merge on read; nothing moves."""
    await store.save_merges(tx, {event.data.merged_id: event.data.survivor_id for event in events})


@PROJECTIONS.on("crm.customer.unmerged.v1", Unmerged)
async def customer_unmerged(tx: Tx, events: Sequence[Received[Unmerged]]) -> None:
    """Stop following it."""
    await store.save_merges(tx, {event.data.restored_id: None for event in events})


@PROJECTIONS.on("crm.customer.erased.v1", Erased)
async def customer_erased(tx: Tx, events: Sequence[Received[Erased]]) -> None:
    """Forget."""
    erased: dict[UUID, datetime] = {event.aggregate_id: event.data.erased_at for event in events}
    await store.erase(tx, erased)


@PROJECTIONS.on("crm.customer.consent-changed.v1", ConsentFact)
async def consent_changed(tx: Tx, events: Sequence[Received[ConsentFact]]) -> None:
    """Keep what they allow."""
    await store.save_consents(tx, [(event.aggregate_id, event.data.row()) for event in events])


@PROJECTIONS.on("crm.customer.lifecycle-changed.v1", Lifecycle)
async def lifecycle_changed(tx: Tx, events: Sequence[Received[Lifecycle]]) -> None:
    """Keep where they stand."""
    await store.save_lifecycles(tx, {event.aggregate_id: event.data.state for event in events})


@PROJECTIONS.on("crm.customer.value-rated.v1", Value)
async def value_rated(tx: Tx, events: Sequence[Received[Value]]) -> None:
    """Keep what they are worth."""
    await store.save_ratings(tx, {event.aggregate_id: _rating(event.data) for event in events})


def _rating(of: Value) -> tuple[str | None, int | None, int | None, int | None]:
    return of.group, of.recency, of.frequency, of.monetary


@PROJECTIONS.on("crm.customer.segment-entered.v1", Stay)
async def segment_entered(tx: Tx, events: Sequence[Received[Stay]]) -> None:
    """Keep which segments hold them."""
    await store.enter_segments(tx, [(e.data.segment_id, e.aggregate_id, e.data.version) for e in events])


@PROJECTIONS.on("crm.customer.segment-exited.v1", Stay)
async def segment_exited(tx: Tx, events: Sequence[Received[Stay]]) -> None:
    """Keep when they left."""
    await store.exit_segments(tx, [(e.data.segment_id, e.aggregate_id, e.data.version) for e in events])


@PROJECTIONS.on("crm.customer.snapshot.v1", Snapshot)
async def customer_snapshot(tx: Tx, events: Sequence[Received[Snapshot]]) -> None:
    """Replace all we knew."""
    ids = [event.aggregate_id for event in events]
    erased = {event.aggregate_id: event.data.erased_at for event in events if event.data.erased_at is not None}
    await store.save_profiles(tx, {event.aggregate_id: _profile(event.data) for event in events})
    await store.save_merges(tx, {event.aggregate_id: event.data.merged_into for event in events})
    await store.save_lifecycles(
        tx, {e.aggregate_id: e.data.lifecycle.state if e.data.lifecycle else None for e in events}
    )
    await store.save_ratings(tx, {event.aggregate_id: _rating(event.data.value or Value()) for event in events})
    await store.replace_consents(tx, ids, [(e.aggregate_id, _now(c, e)) for e in events for c in e.data.consents])
    await store.replace_stays(tx, {event.aggregate_id: event.data.segments for event in events})
    if erased:
        await store.erase(tx, erased)


def _now(of: ConsentNow, event: Received[Snapshot]) -> Consent:
    return Consent(of.consent_id, of.purpose, of.channel, of.status, event.occurred_at, of.expires_at)


@PROJECTIONS.on("crm.segment.materialised.v1", Materialised)
async def segment_materialised(tx: Tx, events: Sequence[Received[Materialised]]) -> None:
    """Keep how many members a complete version has."""
    await store.save_segments(
        tx,
        [
            Segment(event.data.segment_id, event.data.name, event.data.version, event.data.count, event.data.at)
            for event in events
        ],
    )
