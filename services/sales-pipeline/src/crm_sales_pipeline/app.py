"""The sales-pipeline service: its slices from bottom to top."""

from pathlib import Path

from crm_sales_pipeline.assignment import api as assignment
from crm_sales_pipeline.assignment.projections import PROJECTIONS as SELLERS
from crm_sales_pipeline.catalogue import api as catalogue
from crm_sales_pipeline.catalogue.events import ProductPublished
from crm_sales_pipeline.collections import api as collections
from crm_sales_pipeline.collections.events import PaymentReceived, PaymentRefunded
from crm_sales_pipeline.customers.projections import PROJECTIONS as CUSTOMERS
from crm_sales_pipeline.deals import api as deals
from crm_sales_pipeline.deals.events import DealLost, DealOpened, DealStageChanged, DealWon
from crm_sales_pipeline.insights import api as insights
from crm_sales_pipeline.insights.events import ExpenseApproved
from crm_sales_pipeline.insights.projections import PROJECTIONS as CAMPAIGNS
from crm_sales_pipeline.insights.reactions import REACTIONS as CAMPAIGN_COSTS
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
from crm_sales_pipeline.orders import api as orders
from crm_sales_pipeline.orders.events import OrderDelivered, OrderOverdue, OrderPaid, OrderPlaced, OrderReturned
from crm_sales_pipeline.orders.timers import TIMERS as ORDER_TIMERS
from crm_sales_pipeline.pipelines import api as pipelines
from crm_sales_pipeline.quotes import api as quotes
from crm_sales_pipeline.quotes.events import QuoteAccepted, QuoteExpired, QuoteSent
from crm_sales_pipeline.quotes.timers import TIMERS as QUOTE_TIMERS
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
        Slice("catalogue", routers=[catalogue.products, catalogue.price_books], events=[ProductPublished]),
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
        Slice(
            "quotes",
            routers=[quotes.router],
            timers=QUOTE_TIMERS,
            events=[QuoteSent, QuoteAccepted, QuoteExpired],
        ),
        Slice(
            "orders",
            routers=[orders.router, orders.quotes_router],
            timers=ORDER_TIMERS,
            events=[OrderPlaced, OrderPaid, OrderOverdue, OrderDelivered, OrderReturned],
        ),
        Slice("collections", routers=[collections.router], events=[PaymentReceived, PaymentRefunded]),
        Slice(
            "insights",
            routers=[insights.expenses, insights.campaign_returns, insights.funnel],
            projections=CAMPAIGNS,
            reactions=CAMPAIGN_COSTS,
            events=[ExpenseApproved],
        ),
    ],
)
