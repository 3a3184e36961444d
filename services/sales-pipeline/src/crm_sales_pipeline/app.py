"""The sales-pipeline service: its slices from bottom to top."""

from pathlib import Path

from crm_sales_pipeline.assignment import api as assignment
from crm_sales_pipeline.assignment.projections import PROJECTIONS as SELLERS
from crm_sales_pipeline.customers.projections import PROJECTIONS as CUSTOMERS
from crm_sales_pipeline.deals import api as deals
from crm_sales_pipeline.deals.events import DealLost, DealOpened, DealStageChanged, DealWon
from crm_sales_pipeline.leads import api as leads
from crm_sales_pipeline.leads.events import (
    LeadAssigned,
    LeadCaptured,
    LeadContacted,
    LeadConverted,
    LeadRecycled,
    LeadSlaBreached,
)
from crm_sales_pipeline.leads.projections import PROJECTIONS as FORGETTING
from crm_sales_pipeline.leads.reactions import REACTIONS as INTEREST
from crm_sales_pipeline.leads.timers import TIMERS as LEAD_TIMERS
from crm_sales_pipeline.metadata import METADATA
from crm_sales_pipeline.pipelines import api as pipelines
from crm_shared.runtime import Service, Slice

SERVICE = Service(
    name="sales-pipeline",
    title="From the first sign of interest to money received",
    metadata=METADATA,
    operation_prefix="opsal",
    migrations=Path(__file__).parents[2] / "migrations",
    slices=[
        Slice("lists"),
        Slice("numbering"),
        Slice("customers", projections=CUSTOMERS),
        Slice("catalogue"),
        Slice("assignment", routers=[assignment.sellers, assignment.rules], projections=SELLERS),
        Slice(
            "leads",
            routers=[leads.router],
            projections=FORGETTING,
            reactions=INTEREST,
            timers=LEAD_TIMERS,
            events=[LeadCaptured, LeadAssigned, LeadContacted, LeadConverted, LeadRecycled, LeadSlaBreached],
        ),
        Slice("pipelines", routers=[pipelines.router]),
        Slice(
            "deals",
            routers=[deals.router, deals.leads_router, deals.pipelines_router],
            events=[DealOpened, DealStageChanged, DealWon, DealLost],
        ),
    ],
)
