"""The public ids of this service and of what it refers to."""

from typing import Annotated
from uuid import UUID

from crm_shared.fields import PublicId

CustomerId = Annotated[UUID, PublicId("cus")]
SegmentId = Annotated[UUID, PublicId("seg")]
ConsentId = Annotated[UUID, PublicId("cst")]
TemplateId = Annotated[UUID, PublicId("tpl")]
ProviderId = Annotated[UUID, PublicId("prv")]
SuppressionId = Annotated[UUID, PublicId("sup")]
MessageId = Annotated[UUID, PublicId("msg")]
AudienceId = Annotated[UUID, PublicId("aud")]
CampaignId = Annotated[UUID, PublicId("cmp")]
ResponseId = Annotated[UUID, PublicId("rsp")]
InboundMailId = Annotated[UUID, PublicId("inm")]
