"""The ids this service speaks of: UUIDs inside, prefixed text outside."""

from typing import Annotated
from uuid import UUID

from crm_shared.fields import PublicId

CustomerId = Annotated[UUID, PublicId("cus")]
UserId = Annotated[UUID, PublicId("usr")]
CampaignId = Annotated[UUID, PublicId("cmp")]
ResponseId = Annotated[UUID, PublicId("rsp")]
ProductId = Annotated[UUID, PublicId("prod")]
PriceBookId = Annotated[UUID, PublicId("pbk")]
RuleId = Annotated[UUID, PublicId("rule")]
AssignmentId = Annotated[UUID, PublicId("asg")]
LeadId = Annotated[UUID, PublicId("lead")]
StepId = Annotated[UUID, PublicId("step")]
PipelineId = Annotated[UUID, PublicId("pipe")]
DealId = Annotated[UUID, PublicId("deal")]
QuoteId = Annotated[UUID, PublicId("quo")]
OrderId = Annotated[UUID, PublicId("ord")]
MovementId = Annotated[UUID, PublicId("mov")]
PaymentId = Annotated[UUID, PublicId("pay")]
ExpenseId = Annotated[UUID, PublicId("exp")]
