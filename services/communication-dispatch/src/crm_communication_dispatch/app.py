"""The map of the service: its slices, from bottom to top."""

from pathlib import Path

from crm_communication_dispatch.audiences import api as audiences
from crm_communication_dispatch.audiences.jobs import JOBS as AUDIENCE_JOBS
from crm_communication_dispatch.audiences.reactions import REACTIONS as AUDIENCE_REACTIONS
from crm_communication_dispatch.audiences.timers import TIMERS as AUDIENCE_TIMERS
from crm_communication_dispatch.campaigns import api as campaigns
from crm_communication_dispatch.campaigns import events as campaign_events
from crm_communication_dispatch.campaigns.jobs import JOBS as CAMPAIGN_JOBS
from crm_communication_dispatch.campaigns.timers import TIMERS as CAMPAIGN_TIMERS
from crm_communication_dispatch.customers.projections import PROJECTIONS as CUSTOMER_COPIES
from crm_communication_dispatch.governance import api as governance
from crm_communication_dispatch.messages import api as messages
from crm_communication_dispatch.messages import events as message_events
from crm_communication_dispatch.messages.loop import send_messages
from crm_communication_dispatch.messages.reactions import REACTIONS as MESSAGE_REACTIONS
from crm_communication_dispatch.messages.timers import TIMERS as MESSAGE_TIMERS
from crm_communication_dispatch.metadata import metadata
from crm_communication_dispatch.providers import api as providers
from crm_communication_dispatch.responses import api as responses
from crm_communication_dispatch.responses import events as response_events
from crm_communication_dispatch.responses import public_api as public_responses
from crm_communication_dispatch.responses.reactions import REACTIONS as RESPONSE_REACTIONS
from crm_communication_dispatch.responses.timers import TIMERS as RESPONSE_TIMERS
from crm_communication_dispatch.settings import mail_settings
from crm_communication_dispatch.templates import api as templates
from crm_shared.runtime import Service, Slice

SERVICE = Service(
    name="communication-dispatch",
    title="Communication dispatch",
    metadata=metadata,
    slices=[
        Slice("customers", projections=CUSTOMER_COPIES),
        Slice("providers", [providers.router]),
        Slice("templates", [templates.router]),
        Slice("governance", [governance.policy_router, governance.router]),
        Slice(
            "messages",
            [messages.router, messages.pressure_router, messages.test_router],
            reactions=MESSAGE_REACTIONS,
            timers=MESSAGE_TIMERS,
            events=[
                message_events.MessageAccepted,
                message_events.MessageDelivered,
                message_events.MessageBounced,
                message_events.MessageFailed,
                message_events.MessageSuppressed,
            ],
        ),
        Slice(
            "audiences",
            [audiences.router],
            reactions=AUDIENCE_REACTIONS,
            timers=AUDIENCE_TIMERS,
            jobs=AUDIENCE_JOBS,
        ),
        Slice(
            "campaigns",
            [campaigns.router],
            timers=CAMPAIGN_TIMERS,
            jobs=CAMPAIGN_JOBS,
            events=[
                campaign_events.CampaignApproved,
                campaign_events.CampaignStarted,
                campaign_events.CampaignFinished,
            ],
        ),
        Slice(
            "responses",
            [public_responses.router, responses.router, responses.report_router],
            reactions=RESPONSE_REACTIONS,
            timers=RESPONSE_TIMERS,
            events=[
                response_events.MessageClicked,
                response_events.MessageReplied,
                response_events.MessageComplained,
                response_events.MessageUnsubscribed,
                response_events.ResponseCaptured,
            ],
        ),
    ],
    operation_prefix="opcom",
    migrations=Path(__file__).parents[2] / "migrations",
    loops=[send_messages],
    settings=[mail_settings],
)
