"""Consents as clients send and see them."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from crm_customer.consent.commands import Recording
from crm_customer.consent.domain import Answer, ConsentStatus, Entry, LegalBasis, OptIn, Reason
from crm_customer.consent.queries import Question
from crm_customer.consent.store import State
from crm_customer.fields import ConsentId, CustomerId, ExternalId, Line, Slug, SourceName
from crm_customer.outcomes import MAX_ITEMS, ItemProblem
from crm_shared.errors import CrmError
from crm_shared.fields import Instant, Read, Strict, extensible
from crm_shared.http.pagination import Page

Said = Literal[ConsentStatus.GRANTED, ConsentStatus.REVOKED]
"""What can be recorded; a consent expires by itself, by its `expires_at`."""


class ConsentCreate(Strict):
    """What a customer allowed or forbade for one purpose and channel."""

    purpose: Slug = Field(examples=["marketing"])
    channel: Slug = Field(examples=["email"])
    status: Said
    legal_basis: LegalBasis = LegalBasis.CONSENT
    effective_at: Instant | None = Field(None, description="When the customer said so; now, if left out.")
    expires_at: Instant | None = Field(None, description="When it ends by itself.")
    opt_in: OptIn = Field(OptIn.SINGLE, description="`pending` grants nothing until it is confirmed.")
    evidence: Line | None = Field(
        None, description="What proves it: a form's id, a recording, a signature.", examples=["form-2026-17"]
    )
    source: SourceName | None = Field(None, description="Where it was captured.", examples=["newsletter"])
    source_ref: ExternalId | None = Field(
        None, description="The capture's id there; a repeat changes nothing.", examples=["newsletter-form-1042"]
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.source_ref is not None and self.source is None:
            raise PydanticCustomError("source_missing", "source_ref needs a source")
        if self.opt_in is not OptIn.SINGLE and self.status is not ConsentStatus.GRANTED:
            raise PydanticCustomError("opt_in_without_grant", "only a grant is opted in to")
        return self

    def to_domain(self, customer_id: UUID) -> Recording:
        """The command's input."""
        return Recording(
            customer_id=customer_id,
            purpose=self.purpose,
            channel=self.channel,
            status=self.status,
            legal_basis=self.legal_basis,
            effective_at=self.effective_at,
            expires_at=self.expires_at,
            opt_in=self.opt_in,
            evidence=self.evidence,
            source=self.source,
            source_ref=self.source_ref,
        )


class ConsentItem(ConsentCreate):
    """One item of a bulk request; the customer is named by our id or by another system's."""

    customer_id: CustomerId | None = Field(default=None, examples=["cus_064gkndciprknf6emc10j6k0as"])
    external_source: SourceName | None = None
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        by_key = self.external_source is not None and self.external_id is not None
        if (self.customer_id is None) != by_key:
            raise PydanticCustomError(
                "customer_not_named", "name the customer by customer_id, or by external_source and external_id"
            )
        return self

    @property
    def customer_key(self) -> tuple[str, str] | None:
        """The customer's name in another system, if it is named so."""
        if self.external_source is None or self.external_id is None:
            return None
        return self.external_source, self.external_id


class ConsentBulk(Strict):
    """Consents of many customers."""

    items: list[ConsentItem] = Field(min_length=1, max_length=MAX_ITEMS)


class ConsentRead(Read):
    """One row of the ledger."""

    id: ConsentId
    customer_id: CustomerId
    purpose: str = Field(examples=["marketing"])
    channel: str = Field(examples=["email"])
    status: Annotated[str, extensible(ConsentStatus)]
    legal_basis: Annotated[str, extensible(LegalBasis)]
    effective_at: Instant
    recorded_at: Instant
    expires_at: Instant | None
    opt_in: Annotated[str, extensible(OptIn)]
    evidence: str | None = Field(examples=["form-2026-17"])
    source: str | None = Field(examples=["newsletter"])
    source_ref: str | None = Field(examples=["newsletter-form-1042"])
    actor: str = Field(examples=["usr_064gkndciprknf6emc10j6k0as"])

    @classmethod
    def of(cls, entry: Entry) -> "ConsentRead":
        """The client's view."""
        return cls(
            id=entry.id,
            customer_id=entry.customer_id,
            purpose=entry.purpose,
            channel=entry.channel,
            status=entry.status,
            legal_basis=entry.legal_basis,
            effective_at=entry.effective_at,
            recorded_at=entry.recorded_at,
            expires_at=entry.expires_at,
            opt_in=entry.opt_in,
            evidence=entry.evidence,
            source=entry.source,
            source_ref=entry.source_ref,
            actor=entry.actor,
        )


class ConsentPage(Page):
    """A page of the ledger."""

    items: list[ConsentRead]


class ConsentStateRead(Read):
    """What holds now for one purpose and channel."""

    purpose: str = Field(examples=["marketing"])
    channel: str = Field(examples=["email"])
    status: Annotated[str, extensible(ConsentStatus)]
    consent_id: ConsentId
    expires_at: Instant | None


class ConsentStates(Read):
    """What holds now."""

    items: list[ConsentStateRead]

    @classmethod
    def of(cls, states: Sequence[State]) -> "ConsentStates":
        """The client's view."""
        return cls(
            items=[
                ConsentStateRead(
                    purpose=state.purpose,
                    channel=state.channel,
                    status=state.status,
                    consent_id=state.entry_id,
                    expires_at=state.expires_at,
                )
                for state in states
            ]
        )


class ConsentAnswer(Read):
    """Whether it was allowed, why, and the row that proves it."""

    allowed: bool = Field(examples=[True])
    reason: Annotated[str, extensible(Reason)]
    purpose: str = Field(examples=["marketing"])
    channel: str = Field(examples=["email"])
    at: Instant
    known_at: Instant
    proof: ConsentRead | None

    @classmethod
    def to(cls, asked: Question, answer: Answer) -> "ConsentAnswer":
        """The client's view of the answer to one question."""
        return cls(
            allowed=answer.allowed,
            reason=answer.reason,
            purpose=asked.purpose,
            channel=asked.channel,
            at=asked.at,
            known_at=asked.known_at,
            proof=None if answer.proof is None else ConsentRead.of(answer.proof),
        )


class ConsentOutcome(Read):
    """What became of one item."""

    status: int = Field(examples=[201])
    id: ConsentId | None
    problem: ItemProblem | None = Field(examples=[None])

    @classmethod
    def of(cls, result: Entry | CrmError) -> "ConsentOutcome":
        """The client's view."""
        if isinstance(result, CrmError):
            problem = ItemProblem.of(result)
            return cls(status=problem.status, id=None, problem=problem)
        return cls(status=201, id=result.id, problem=None)


class ConsentOutcomes(Read):
    """What became of each item, in the order sent."""

    items: list[ConsentOutcome]

    @classmethod
    def of(cls, results: Sequence[Entry | CrmError]) -> "ConsentOutcomes":
        """The client's view."""
        return cls(items=[ConsentOutcome.of(result) for result in results])
