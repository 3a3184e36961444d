"""The service's topics and events as an AsyncAPI 3 document: all that a consumer or producer of another house needs."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from inspect import getdoc
from typing import Any, cast
from uuid import UUID

import orjson
from pydantic import BaseModel

from crm_shared.bus.catalogue import Topic
from crm_shared.bus.departures import LEFT, RETURNED, NothingRead
from crm_shared.events import CONTENT_TYPE, Envelope, EventPayload, aggregate_of, is_told_by_others, topic_of
from crm_shared.http.openapi import CONTACT, LICENSE
from crm_shared.ids import public_id
from crm_shared.runtime.service import Service

Document = dict[str, Any]
_BINDING = "0.5.0"
_SCHEMAS = "#/components/schemas/"
_EXAMPLE_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
_EXAMPLE_TIME = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ABOUT = """Events as CloudEvents 1.0 in structured JSON on Apache Kafka.

- **Order**: a record's key is `tenant:aggregate`; what happened to one aggregate stays in order. Producers of other
  houses use the partitioner `murmur2_random`, as Java's and librdkafka's clients call it.
- **Repeats**: a record may come twice, with the same `id`. `sequence` counts an aggregate's events from 1 without gaps
  within one `epoch`; the epoch grows when the owner's database was restored.
- **Versions**: within one `.vN` only optional fields are added. Ignore fields you don't know, and take a value of an
  `x-extensible-enum` that you don't know as unknown.
"""
_ENVELOPE: Document = {
    "type": "object",
    "title": "CloudEvent",
    "description": "What every event says beside its data (CloudEvents 1.0).",
    "required": [
        *("specversion", "id", "type", "source", "subject", "time", "datacontenttype"),
        *("tenantid", "partitionkey", "epoch", "sequence", "data"),
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "The event's own; a repeat has the same."},
        "type": {"type": "string", "description": "Aggregate, what happened, and version."},
        "source": {"type": "string", "format": "uri-reference", "description": "The service that says so."},
        "subject": {"type": "string", "description": "The public id of whom or what it happened to."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "tenantid": {"type": "string", "format": "uuid"},
        "partitionkey": {"$ref": f"{_SCHEMAS}Key"},
        "epoch": {"type": "integer", "minimum": 0, "description": "Grows when the owner was restored from a backup."},
        "sequence": {
            "type": "string",
            "pattern": "^[0-9]{20}$",
            "description": "Counts the aggregate's events from 1 without gaps.",
        },
        "traceparent": {"type": "string", "description": "The trace that the event belongs to (W3C)."},
        "tracestate": {"type": "string"},
        "data": {"type": "object"},
    },
}
_FOREIGN_ENVELOPE: Document = {
    "type": "object",
    "title": "ForeignEvent",
    "description": "What a system outside the suite says: any CloudEvent that names its tenant.",
    "required": ["specversion", "id", "type", "source", "time", "tenantid", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 255, "description": "With `source`, its name for good."},
        "type": {"type": "string"},
        "source": {"type": "string", "minLength": 1, "maxLength": 255, "description": "The system that says so."},
        "subject": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "tenantid": {"type": "string", "format": "uuid", "description": "The company's id here."},
        "traceparent": {"type": "string"},
        "data": {"type": "object"},
    },
}
_KEY: Document = {
    "type": "string",
    "title": "Key",
    "pattern": f"^{_UUID}:{_UUID}$",
    "description": "Tenant and aggregate; partitioned by murmur2.",
}
_HEADERS: Document = {
    "type": "object",
    "title": "Headers",
    "description": "The record's headers: what is needed to pass an event on without reading it.",
    "required": ["content-type", "ce_id", "ce_type", "ce_source", "ce_subject"],
    "properties": {
        "content-type": {"const": CONTENT_TYPE},
        **{f"ce_{name}": {"type": "string"} for name in ("id", "type", "source", "subject")},
        "traceparent": {"type": "string"},
        "tracestate": {"type": "string"},
    },
}


def asyncapi(service: Service) -> Document:
    """The document of one service: what it sends, and what it receives of others."""
    schemas: Document = {"CloudEvent": _ENVELOPE, "Key": _KEY, "Headers": _HEADERS}
    sent = {event.TYPE: _message(event, service.name, schemas) for event in service.published}
    received = {kind: _foreign_message(kind, models, schemas) for kind, models in _read(service)}
    messages = {**received, **sent}
    group = {"groupId": {"type": "string", "enum": [service.name]}, "bindingVersion": _BINDING}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": service.title,
            "version": "1",
            "description": _ABOUT,
            "license": LICENSE,
            "contact": CONTACT,
            "tags": [_tag(name) for name in sorted({aggregate_of(kind) for kind in messages})],
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "bus": {
                "host": "{brokers}",
                "protocol": "kafka",
                "description": "The installation's brokers.",
                "variables": {"brokers": {"default": "127.0.0.1:9092"}},
            }
        },
        "channels": {topic: _channel(topic, kinds) for topic, kinds in _by_topic(messages)},
        "operations": {
            **{f"send.{topic}": _operation("send", topic, kinds) for topic, kinds in _by_topic(sent)},
            **{
                f"receive.{topic}": {**_operation("receive", topic, kinds), "bindings": {"kafka": group}}
                for topic, kinds in _by_topic(received)
            },
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _tag(aggregate: str) -> Document:
    return {"name": aggregate, "description": f"What happens to one {aggregate}."}


def _by_topic(kinds: Iterable[str]) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for kind in sorted(kinds):
        grouped.setdefault(topic_of(kind), []).append(kind)
    return sorted(grouped.items())


def _channel(topic: str, kinds: list[str]) -> Document:
    made = Topic(topic)
    return {
        "address": topic,
        "title": f"Events of {aggregate_of(kinds[0])}",
        "description": "One aggregate's events stay in order; records are kept for as long as the binding says.",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds},
        "tags": [_tag(aggregate_of(kinds[0]))],
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": made.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": int(made.retention.total_seconds() * 1000),
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _operation(action: str, topic: str, kinds: list[str]) -> Document:
    aggregate = aggregate_of(kinds[0])
    told = "What happened to each" if action == "send" else "What this service reads of each"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "title": f"{action.capitalize()} events of {aggregate}",
        "summary": f"{told} {aggregate}.",
        "description": f"{len(kinds)} kinds of events on the topic {topic}.",
        "tags": [_tag(aggregate)],
        "messages": [{"$ref": f"#/channels/{topic}/messages/{kind}"} for kind in kinds],
    }


def _message(event: type[EventPayload], source: str, schemas: Document) -> Document:
    schemas[event.TYPE] = _schema(event, event.TYPE, schemas, mode="serialization")
    envelope = _example(event, source)
    sent_headers = {f"ce_{name}": envelope[name] for name in ("id", "type", "source", "subject")}
    return {
        **_told(event.TYPE, (getdoc(event) or event.TYPE).split("\n\n")[0]),
        "x-required-scope": event.read_scope(),
        "payload": _payload(event.TYPE, [event.TYPE]),
        "examples": [
            {"name": "example", "headers": {"content-type": CONTENT_TYPE, **sent_headers}, "payload": envelope}
        ],
    }


def _foreign_message(kind: str, models: list[type[BaseModel]], schemas: Document) -> Document:
    names: list[str] = []
    for model in models:
        names.append(f"{kind}.{model.__module__.split('.')[1]}.{model.__name__}")
        schemas[names[-1]] = _schema(model, names[-1], schemas, mode="validation")
    if is_told_by_others(topic_of(kind)):
        return _message_of_others(kind, models[0], names[0], schemas)
    told = "Of the event's data only these fields are read; its publisher's document says what else there is."
    return {**_told(kind, told), "payload": _payload(kind, names)}


def _message_of_others(kind: str, model: type[BaseModel], name: str, schemas: Document) -> Document:
    """What systems outside the suite write to us; its model tells of it, and how it is meant."""
    schemas["ForeignEvent"] = _FOREIGN_ENVELOPE
    fields = {"type": {"const": kind}, "data": {"$ref": _SCHEMAS + name}}
    told = {
        key: value for key, value in _told(kind, getdoc(model) or kind).items() if key not in {"headers", "bindings"}
    }
    envelope = {
        "specversion": "1.0",
        "id": "order-1042",
        "type": kind,
        "source": "web-shop",
        "time": _EXAMPLE_TIME.isoformat(),
        "tenantid": str(_EXAMPLE_ID),
        "data": getattr(model, "EXAMPLE", {}),
    }
    return {
        **told,
        "payload": {"allOf": [{"$ref": f"{_SCHEMAS}ForeignEvent"}, {"type": "object", "properties": fields}]},
        "examples": [{"name": "example", "payload": envelope}],
    }


def _told(kind: str, summary: str) -> Document:
    return {
        "name": kind,
        "title": kind.split(".", 1)[1],
        "summary": " ".join(summary.split()),
        "contentType": CONTENT_TYPE,
        "tags": [_tag(aggregate_of(kind))],
        "headers": {"$ref": f"{_SCHEMAS}Headers"},
        "bindings": {"kafka": {"key": {"$ref": f"{_SCHEMAS}Key"}, "bindingVersion": _BINDING}},
    }


def _payload(kind: str, data: list[str]) -> Document:
    refs: list[Document] = [{"$ref": _SCHEMAS + name} for name in data]
    fields = {"type": {"const": kind}, "data": refs[0] if len(refs) == 1 else {"allOf": refs}}
    return {"allOf": [{"$ref": f"{_SCHEMAS}CloudEvent"}, {"type": "object", "properties": fields}]}


def _schema(model: type[BaseModel], name: str, schemas: Document, *, mode: Any) -> Document:
    """The model's schema; the models within it become schemas of their own below its name."""
    schema = model.model_json_schema(mode=mode, ref_template=f"{_SCHEMAS}{name}.{{model}}")
    for inner, definition in schema.pop("$defs", {}).items():
        schemas[f"{name}.{inner}"] = opened(definition)
    return opened(schema)


def opened(schema: Document) -> Document:
    """The schema as consumers may rely on it: fields that it doesn't name may be there."""
    for child in _below(schema):
        if child.get("additionalProperties") is False and "patternProperties" not in child:
            del child["additionalProperties"]
    return schema


def _below(node: Any) -> Iterator[Document]:
    if isinstance(node, dict):
        inside = cast("Document", node)
        yield inside
        for child in inside.values():
            yield from _below(child)
    elif isinstance(node, list):
        for child in cast("list[Any]", node):
            yield from _below(child)


def _read(service: Service) -> list[tuple[str, list[type[BaseModel]]]]:
    """The foreign event types that the service reads, each with the models of its readers."""
    own = {event.TYPE for event in service.published}
    found: dict[str, dict[str, type[BaseModel]]] = {}
    for handlers in (service.projections.handlers, service.reactions.handlers):
        for kind, registered in handlers.items():
            for handler in registered if kind not in own else ():
                found.setdefault(kind, {})[f"{handler.model.__module__}.{handler.model.__name__}"] = handler.model
    for kind in {LEFT, RETURNED} - own:  # what the kernel does with it, it does in every service
        found.setdefault(kind, {})[NothingRead.__module__] = NothingRead
    return [(kind, [model for _, model in sorted(models.items())]) for kind, models in sorted(found.items())]


def _example(event: type[EventPayload], source: str) -> Document:
    """The event's example in its envelope, made as the relay makes it."""
    envelope = Envelope(
        id=_EXAMPLE_ID,
        type=event.TYPE,
        source=source,
        subject=public_id(event.ID_PREFIX, _EXAMPLE_ID),
        time=_EXAMPLE_TIME,
        tenant=_EXAMPLE_ID,
        aggregate_id=_EXAMPLE_ID,
        epoch=1,
        sequence=1,
        traceparent=None,
        data=orjson.dumps(event.EXAMPLE).decode(),
    )
    return orjson.loads(envelope.to_bytes())
