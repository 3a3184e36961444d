"""The map of the service: its slices, from bottom to top."""

from pathlib import Path

from crm_communication_dispatch.customers.projections import PROJECTIONS as CUSTOMER_COPIES
from crm_communication_dispatch.governance import api as governance
from crm_communication_dispatch.messages import api as messages
from crm_communication_dispatch.messages import events as message_events
from crm_communication_dispatch.messages.loop import send_messages
from crm_communication_dispatch.messages.reactions import REACTIONS as MESSAGE_REACTIONS
from crm_communication_dispatch.messages.timers import TIMERS as MESSAGE_TIMERS
from crm_communication_dispatch.metadata import metadata
from crm_communication_dispatch.providers import api as providers
from crm_communication_dispatch.templates import api as templates
from crm_shared.runtime import Service, Slice

SERVICE = Service(
    name="communication-dispatch",
    title="Communication dispatch",
    metadata=metadata,
    slices=[
        Slice("customers", projections=CUSTOMER_COPIES),
        Slice("templates", [templates.router]),
        Slice("providers", [providers.router]),
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
    ],
    operation_prefix="opcom",
    migrations=Path(__file__).parents[2] / "migrations",
    loops=[send_messages],
)
