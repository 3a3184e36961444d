"""The document tells of events as they really travel."""

from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import orjson
import pytest

from crm_shared.bus.partition import PARTITIONS
from crm_shared.bus.relay import _record
from crm_shared.events import Envelope, topic_of
from crm_shared.ids import new_id
from crm_shared.runtime.asyncapi import asyncapi, opened
from crm_shared.testing.probe.app import SERVICE

Document = dict[str, Any]
(EVENT, *_) = SERVICE.published


@pytest.fixture(scope="module")
def document() -> Document:
    return orjson.loads(orjson.dumps(asyncapi(SERVICE)))


@pytest.fixture
def envelope() -> Envelope:
    return Envelope(
        id=new_id(),
        type=EVENT.TYPE,
        source=SERVICE.name,
        subject="note_1",
        time=datetime.now(UTC),
        tenant=new_id(),
        aggregate_id=new_id(),
        epoch=0,
        sequence=7,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=orjson.dumps(EVENT.EXAMPLE).decode(),
    )


def fits(document: Document, schema: Document, value: Any) -> None:
    jsonschema_rs.validate({**schema, "components": document["components"]}, value, validate_formats=True)


def test_an_event_on_the_bus_is_what_its_message_says(document: Document, envelope: Envelope) -> None:
    record = _record(envelope)
    message = document["components"]["messages"][EVENT.TYPE]
    fits(document, message["payload"], orjson.loads(record.value))
    fits(document, message["headers"], dict(record.headers))
    fits(document, message["bindings"]["kafka"]["key"], record.key)


def test_an_event_of_another_type_or_without_its_data_is_not(document: Document, envelope: Envelope) -> None:
    payload = document["components"]["messages"][EVENT.TYPE]["payload"]
    sent = orjson.loads(envelope.to_bytes())
    for wrong in ({**sent, "type": "crm.note.burnt.v1"}, {**sent, "data": {}}, {**sent, "sequence": 7}):
        with pytest.raises(jsonschema_rs.ValidationError):
            fits(document, payload, wrong)


def test_each_message_shows_an_event_as_it_travels(document: Document) -> None:
    message = document["components"]["messages"][EVENT.TYPE]
    (example,) = message["examples"]
    assert example["payload"]["data"] == EVENT.EXAMPLE
    fits(document, message["payload"], example["payload"])
    fits(document, message["headers"], example["headers"])


def test_a_channel_says_how_it_lies_on_kafka(document: Document) -> None:
    topic = topic_of(EVENT.TYPE)
    channel = document["channels"][topic]
    assert channel["address"] == topic
    assert channel["bindings"]["kafka"]["topic"] == topic
    assert channel["bindings"]["kafka"]["partitions"] == PARTITIONS


def test_what_is_sent_and_what_is_received_are_operations(document: Document) -> None:
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert {f"send.{topic}": "send" for topic in SERVICE.topics_published}.items() <= actions.items()
    read = {topic for topic in SERVICE.topics_consumed if topic not in SERVICE.topics_published}
    assert {name for name, action in actions.items() if action == "receive"} == {f"receive.{topic}" for topic in read}


def test_readers_are_told_that_more_fields_may_come() -> None:
    inner = {"type": "object", "additionalProperties": False, "properties": {}}
    mapping = {"type": "object", "additionalProperties": False, "patternProperties": {"^a": {}}}
    found = opened({**inner, "properties": {"inner": dict(inner), "mapping": dict(mapping)}})
    assert "additionalProperties" not in found
    assert "additionalProperties" not in found["properties"]["inner"]
    assert found["properties"]["mapping"]["additionalProperties"] is False, "the keys are data there"
