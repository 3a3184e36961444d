"""The ids and short texts that this service's HTTP models and events share."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from crm_shared.fields import PublicId

CustomerId = Annotated[UUID, PublicId("cus")]
ConsentId = Annotated[UUID, PublicId("cst")]
PurchaseId = Annotated[UUID, PublicId("pur")]
SegmentId = Annotated[UUID, PublicId("seg")]
ImportId = Annotated[UUID, PublicId("imp")]
RelationId = Annotated[UUID, PublicId("rel")]
EntryId = Annotated[UUID, PublicId("evt")]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
SourceName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
