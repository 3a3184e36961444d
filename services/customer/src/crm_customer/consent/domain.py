"""What a ledger of consents proves: was this allowed at that time, as we knew it then, and by which row.

The ledger is bitemporal and only ever grows. A row holds from its `effective_at` (when the customer said so) and is
known from its `recorded_at` (when we heard). The row in force at a time is the one effective last, never the one that
arrived last: a grant that arrives late can't undo a revocation given after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

MAX_CLOCK_SKEW = timedelta(minutes=5)


class ConsentStatus(StrEnum):
    """What a row says."""

    GRANTED = "granted"
    REVOKED = "revoked"
    EXPIRED = "expired"


class LegalBasis(StrEnum):
    """On what ground a purpose is pursued (GDPR Art. 6 (1) a–f)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


class OptIn(StrEnum):
    """Whether a grant was, or still has to be, confirmed through the channel itself."""

    SINGLE = "single"
    PENDING = "pending"
    CONFIRMED = "confirmed"


class Reason(StrEnum):
    """Why the answer is what it is."""

    GRANTED = "granted"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NEVER_ASKED = "never_asked"
    AWAITING_CONFIRMATION = "awaiting_confirmation"


_STRICTNESS = {ConsentStatus.GRANTED: 0, ConsentStatus.EXPIRED: 1, ConsentStatus.REVOKED: 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger."""

    id: UUID
    customer_id: UUID
    purpose: str
    channel: str
    status: ConsentStatus
    legal_basis: LegalBasis
    effective_at: datetime
    recorded_at: datetime
    expires_at: datetime | None = None
    opt_in: OptIn = OptIn.SINGLE
    evidence: str | None = None
    source: str | None = None
    source_ref: str | None = None
    actor: str = ""
    version: int = 1

    def status_at(self, at: datetime) -> ConsentStatus:
        """What the row says at a time; a grant ends by itself when its time is over."""
        if self.status is ConsentStatus.GRANTED and self.expires_at is not None and self.expires_at <= at:
            return ConsentStatus.EXPIRED
        return self.status


@dataclass(frozen=True, slots=True)
class Member:
    """One record of a merged customer: its rows, and since when it belongs to the customer."""

    customer_id: UUID
    entries: Sequence[Entry]
    merged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something is allowed, why, and the row that proves it (none if nobody ever asked)."""

    allowed: bool
    reason: Reason
    proof: Entry | None


def in_force(entries: Iterable[Entry], at: datetime) -> Entry | None:
    """The row that decides at a time: effective last, the stricter one of two that took effect together.

    Grants that still wait for their confirmation decide nothing, either way.
    """
    candidates = [entry for entry in entries if entry.effective_at <= at and entry.opt_in is not OptIn.PENDING]
    if not candidates:
        return None
    return max(
        candidates,
        key=lambda entry: (entry.effective_at, _STRICTNESS[entry.status_at(at)], entry.recorded_at, entry.id),
    )


def strictest(entries: Iterable[Entry], at: datetime) -> Entry | None:
    """Of several rows the one that allows least."""
    return max(
        entries, key=lambda entry: (_STRICTNESS[entry.status_at(at)], entry.effective_at, entry.id), default=None
    )


def decided(members: Sequence[Member], at: datetime, *, known_at: datetime) -> Entry | None:
    """The row that decides for a customer whose records were merged, all rows being of one purpose and channel.

    Each record's own row in force is asked, and the strictest wins: nobody gains a permission by a merge. What the
    customer says after the last merge counts for the whole customer and is decided by time again.
    """
    present = [member for member in members if member.merged_at is None or member.merged_at <= min(at, known_at)]
    known = [[entry for entry in member.entries if entry.recorded_at <= known_at] for member in present]
    last_merge = max((member.merged_at for member in present if member.merged_at is not None), default=None)
    if last_merge is not None:
        since = [e for entries in known for e in entries if e.effective_at > last_merge and e.recorded_at > last_merge]
        latest = in_force(since, at)
        if latest is not None:
            return latest
    deciding = [entry for entry in (in_force(entries, at) for entries in known) if entry is not None]
    return strictest(deciding, at)


def answer(members: Sequence[Member], at: datetime, *, known_at: datetime) -> Answer:
    """Was it allowed at `at`, by what was known at `known_at`, and what proves it?"""
    proof = decided(members, at, known_at=known_at)
    if proof is None:
        waiting = any(
            entry.opt_in is OptIn.PENDING and entry.effective_at <= at and entry.recorded_at <= known_at
            for member in members
            for entry in member.entries
        )
        return Answer(False, Reason.AWAITING_CONFIRMATION if waiting else Reason.NEVER_ASKED, None)
    status = proof.status_at(at)
    return Answer(status is ConsentStatus.GRANTED, Reason(status.value), proof)
