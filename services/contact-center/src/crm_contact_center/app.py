"""The contact-center service: its slices from bottom to top."""

from pathlib import Path

from crm_contact_center.agents import api as agents_api
from crm_contact_center.agents.events import AgentStateChanged
from crm_contact_center.agents.reactions import REACTIONS as AGENT_REACTIONS
from crm_contact_center.calendars import api as calendars_api
from crm_contact_center.customers.projections import PROJECTIONS as CUSTOMER_PROJECTIONS
from crm_contact_center.interactions import api as interactions_api
from crm_contact_center.interactions.events import EVENTS as INTERACTION_EVENTS
from crm_contact_center.metadata import metadata
from crm_contact_center.metrics import api as metrics_api
from crm_contact_center.metrics.reactions import REACTIONS as METRIC_REACTIONS
from crm_contact_center.metrics.timers import TIMERS as METRIC_TIMERS
from crm_contact_center.routing.api import interactions as routing_interactions
from crm_contact_center.routing.api import queues as routing_queues
from crm_contact_center.routing.api import reservations as routing_reservations
from crm_contact_center.routing.dispatcher import dispatch_loop
from crm_contact_center.routing.reactions import REACTIONS as ROUTING_REACTIONS
from crm_contact_center.routing.timers import TIMERS as ROUTING_TIMERS
from crm_contact_center.surveys import api as surveys_api
from crm_contact_center.surveys.events import SurveyAnswered
from crm_contact_center.surveys.reactions import REACTIONS as SURVEY_REACTIONS
from crm_contact_center.tickets import api as tickets_api
from crm_contact_center.tickets.events import EVENTS as TICKET_EVENTS
from crm_contact_center.tickets.reactions import REACTIONS as TICKET_REACTIONS
from crm_contact_center.tickets.timers import TIMERS as TICKET_TIMERS
from crm_shared.runtime.service import Service, Slice

SERVICE = Service(
    name="contact-center",
    title="Every conversation with a customer, with the right agent",
    metadata=metadata,
    operation_prefix="opcon",
    migrations=Path(__file__).parents[2] / "migrations",
    loops=[dispatch_loop],
    slices=[
        Slice("changes"),
        Slice("customers", projections=CUSTOMER_PROJECTIONS),
        Slice("calendars", routers=[calendars_api.router]),
        Slice(
            "agents",
            routers=[agents_api.router, agents_api.skills],
            reactions=AGENT_REACTIONS,
            events=[AgentStateChanged],
        ),
        Slice("interactions", routers=[interactions_api.router], events=INTERACTION_EVENTS),
        Slice(
            "tickets",
            routers=[tickets_api.router, tickets_api.sla],
            reactions=TICKET_REACTIONS,
            timers=TICKET_TIMERS,
            events=TICKET_EVENTS,
        ),
        Slice(
            "routing",
            routers=[
                routing_interactions.router,
                routing_queues.router,
                routing_reservations.router,
                routing_reservations.desk,
            ],
            reactions=ROUTING_REACTIONS,
            timers=ROUTING_TIMERS,
        ),
        Slice("surveys", routers=[surveys_api.router], reactions=SURVEY_REACTIONS, events=[SurveyAnswered]),
        Slice("metrics", routers=[metrics_api.router], reactions=METRIC_REACTIONS, timers=METRIC_TIMERS),
    ],
)
