"""What insights publish."""

from typing import Any, ClassVar

from crm_sales_pipeline.identifiers import CampaignId, DealId
from crm_shared.events import EventPayload
from crm_shared.fields import Instant, MoneyField


class ExpenseApproved(EventPayload):
    """Money spent on a campaign or a deal counts from now on."""

    TYPE: ClassVar[str] = "crm.expense.approved.v1"
    ID_PREFIX: ClassVar[str] = "exp"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "campaign_id": "cmp_064gkndciprknf6emc10j6k0as",
        "deal_id": None,
        "amount": {"amount": "250.00", "currency": "EUR"},
        "incurred_at": "2026-11-21T09:30:00Z",
    }

    campaign_id: CampaignId | None
    deal_id: DealId | None
    amount: MoneyField
    incurred_at: Instant
