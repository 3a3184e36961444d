"""What one service publishes fits what the others read: each producer's example goes through each consumer's model."""

from typing import Any

import jsonschema
import pytest

from crm_communication_dispatch.app import SERVICE as COMMUNICATION
from crm_contact_center.app import SERVICE as CONTACT_CENTER
from crm_customer.app import SERVICE as CUSTOMER
from crm_gateway.app import SERVICE as GATEWAY
from crm_gateway.subscriptions.catalogue import catalogue
from crm_sales_pipeline.app import SERVICE as SALES
from crm_shared.bus.handlers import Handler
from crm_shared.events import EventPayload, is_told_by_others, topic_of
from crm_shared.http.router import StrictRoute
from crm_shared.runtime import Service
from crm_shared.runtime.contracts import event_schema

SERVICES: list[Service] = [CUSTOMER, SALES, COMMUNICATION, CONTACT_CENTER, GATEWAY]
PUBLISHED: dict[str, type[EventPayload]] = {event.TYPE: event for service in SERVICES for event in service.published}
SCOPES = {
    route.scope
    for service in SERVICES
    for router in service.routers
    for route in router.routes
    if isinstance(route, StrictRoute)
}
READ: list[tuple[str, str, Handler]] = [
    (service.name, event_type, handler)
    for service in SERVICES
    for registry in (service.projections, service.reactions)
    for event_type, handlers in registry.handlers.items()
    for handler in handlers
]


def test_each_event_type_has_one_publisher() -> None:
    types = [event.TYPE for service in SERVICES for event in service.published]
    assert sorted(types) == sorted(set(types))


def test_each_aggregate_belongs_to_one_service() -> None:
    owners: dict[str, set[str]] = {}
    for service in SERVICES:
        for event in service.published:
            owners.setdefault(event.aggregate(), set()).add(service.name)
    assert {aggregate: names for aggregate, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("event", PUBLISHED.values(), ids=lambda event: event.TYPE)
def test_each_example_is_what_its_schema_says(event: type[EventPayload]) -> None:
    made = event.model_validate(event.EXAMPLE)
    jsonschema.validate(made.model_dump(mode="json"), event_schema(event), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("consumer", "event_type", "handler"), READ, ids=lambda value: getattr(value, "call", value))
def test_each_consumer_can_read_what_the_producer_shows(consumer: str, event_type: str, handler: Handler) -> None:
    if is_told_by_others(topic_of(event_type)):  # we can only show them what we take
        shown: Any = handler.model.EXAMPLE  # pyright: ignore[reportAttributeAccessIssue]
        handler.model.model_validate(shown)
        return
    assert event_type in PUBLISHED, f"{consumer} waits for {event_type}, which nobody publishes"
    sent: Any = PUBLISHED[event_type].model_validate(PUBLISHED[event_type].EXAMPLE).model_dump_json()
    handler.model.model_validate_json(sent)


@pytest.mark.parametrize("event", PUBLISHED.values(), ids=lambda event: event.TYPE)
def test_each_event_is_readable_by_a_scope_that_routes_ask_for_and_the_gateway_knows_it(
    event: type[EventPayload],
) -> None:
    assert event.read_scope() in SCOPES, "set READ_SCOPE to the scope of the routes that show the same"
    assert catalogue()[event.TYPE].scope == event.read_scope(), "make contracts"
    assert catalogue()[event.TYPE].topic == topic_of(event.TYPE)


def test_the_gateway_knows_no_event_that_nobody_publishes() -> None:
    assert catalogue().keys() == PUBLISHED.keys(), "make contracts"
