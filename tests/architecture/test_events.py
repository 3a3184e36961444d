"""Every published event is named, shown by an example, and owned by one service."""

import importlib
import re

from crm_shared.events import is_told_by_others, topic_of
from crm_shared.runtime import Service

from .conftest import SERVICES

TYPE = re.compile(r"crm\.[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*\.v[1-9]")


def test_every_event_is_named_by_the_rule(service: Service) -> None:
    types = [event.TYPE for event in service.published]
    assert [name for name in types if not TYPE.fullmatch(name)] == []
    assert len(types) == len(set(types))


def test_every_event_has_an_example_that_its_model_accepts(service: Service) -> None:
    for event in service.published:
        shown = event.model_validate(event.EXAMPLE)
        assert event.model_validate_json(shown.to_json()) == shown, event.TYPE


def test_one_service_owns_a_topic() -> None:
    owners: dict[str, set[str]] = {}
    for package in SERVICES:
        for event in importlib.import_module(f"{package}.app").SERVICE.published:
            owners.setdefault(topic_of(event.TYPE), set()).add(package)
    assert {topic: names for topic, names in owners.items() if len(names) > 1} == {}


def test_whatever_is_consumed_is_published() -> None:
    published: set[str] = set()
    consumed: dict[str, set[str]] = {}
    for package in SERVICES:
        service: Service = importlib.import_module(f"{package}.app").SERVICE
        published |= {event.TYPE for event in service.published}
        for kind in (*service.projections.handlers, *service.reactions.handlers):
            consumed.setdefault(kind, set()).add(package)
    ours = {kind: who for kind, who in consumed.items() if not is_told_by_others(topic_of(kind))}
    assert {kind: who for kind, who in ours.items() if kind not in published} == {}
    assert ours.keys() < consumed.keys()
