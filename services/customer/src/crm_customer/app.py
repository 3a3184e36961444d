"""The customer service: its slices from bottom to top."""

from pathlib import Path

from crm_customer.attributes import api as attributes
from crm_customer.behaviour import api as behaviour
from crm_customer.behaviour.inbound import REACTIONS as BEHAVIOUR_REACTIONS
from crm_customer.consent import api as consent
from crm_customer.consent.events import ConsentChanged
from crm_customer.consent.reactions import REACTIONS as CONSENT_REACTIONS
from crm_customer.consent.timers import TIMERS as CONSENT_TIMERS
from crm_customer.erasure import api as erasure
from crm_customer.erasure.events import CustomerErased
from crm_customer.lifecycle import api as lifecycle
from crm_customer.lifecycle.events import LifecycleChanged
from crm_customer.lifecycle.jobs import JOBS as LIFECYCLE_JOBS
from crm_customer.lifecycle.projections import PROJECTIONS as LIFECYCLE_PROJECTIONS
from crm_customer.lifecycle.reactions import REACTIONS as LIFECYCLE_REACTIONS
from crm_customer.lifecycle.timers import TIMERS as LIFECYCLE_TIMERS
from crm_customer.merging import api as merging
from crm_customer.merging.events import CustomerMerged, CustomerUnmerged
from crm_customer.metadata import metadata
from crm_customer.parties import api as parties
from crm_customer.parties.events import CustomerRegistered, CustomerUpdated
from crm_customer.parties.timers import TIMERS as PARTIES_TIMERS
from crm_customer.segments import api as segments
from crm_customer.segments.events import SegmentEntered, SegmentExited, SegmentMaterialised
from crm_customer.segments.jobs import JOBS as SEGMENTS_JOBS
from crm_customer.segments.projections import PROJECTIONS as SEGMENTS_PROJECTIONS
from crm_customer.segments.timers import TIMERS as SEGMENTS_TIMERS
from crm_customer.timeline import api as timeline
from crm_customer.timeline.events import AnswerRecorded
from crm_customer.timeline.projections import PROJECTIONS as TIMELINE_PROJECTIONS
from crm_customer.timeline.reactions import REACTIONS as TIMELINE_REACTIONS
from crm_customer.transfer import api as transfer
from crm_customer.transfer.events import CustomerSnapshot
from crm_customer.transfer.jobs import JOBS as TRANSFER_JOBS
from crm_customer.transfer.timers import TIMERS as TRANSFER_TIMERS
from crm_customer.value import api as value
from crm_customer.value.events import ValueRated
from crm_customer.value.jobs import JOBS as VALUE_JOBS
from crm_shared.runtime.service import Service, Slice

SERVICE = Service(
    name="customer",
    title="One truth about whom we deal with",
    metadata=metadata,
    operation_prefix="opcus",
    migrations=Path(__file__).parents[2] / "migrations",
    slices=[
        Slice("attributes", routers=[attributes.router]),
        Slice("parties", routers=[parties.router], timers=PARTIES_TIMERS, events=[CustomerRegistered, CustomerUpdated]),
        Slice(
            "consent",
            routers=[consent.router, consent.bulk_router],
            reactions=CONSENT_REACTIONS,
            timers=CONSENT_TIMERS,
            events=[ConsentChanged],
        ),
        Slice("behaviour", routers=[behaviour.router, behaviour.customer_router], reactions=BEHAVIOUR_REACTIONS),
        Slice(
            "timeline",
            routers=[timeline.router],
            projections=TIMELINE_PROJECTIONS,
            reactions=TIMELINE_REACTIONS,
            events=[AnswerRecorded],
        ),
        Slice(
            "lifecycle",
            routers=[lifecycle.router, lifecycle.customer_router],
            projections=LIFECYCLE_PROJECTIONS,
            reactions=LIFECYCLE_REACTIONS,
            timers=LIFECYCLE_TIMERS,
            jobs=LIFECYCLE_JOBS,
            events=[LifecycleChanged],
        ),
        Slice("value", routers=[value.router, value.customer_router], jobs=VALUE_JOBS, events=[ValueRated]),
        Slice(
            "segments",
            routers=[segments.router, segments.customer_router],
            projections=SEGMENTS_PROJECTIONS,
            timers=SEGMENTS_TIMERS,
            jobs=SEGMENTS_JOBS,
            events=[SegmentEntered, SegmentExited, SegmentMaterialised],
        ),
        Slice("merging", routers=[merging.router], events=[CustomerMerged, CustomerUnmerged]),
        Slice(
            "transfer",
            routers=[transfer.customers_router, transfer.purchases_router, transfer.republish_router],
            timers=TRANSFER_TIMERS,
            jobs=TRANSFER_JOBS,
            events=[CustomerSnapshot],
        ),
        Slice("erasure", routers=[erasure.router], events=[CustomerErased]),
    ],
)
