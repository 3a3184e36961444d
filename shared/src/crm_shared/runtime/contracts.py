"""A service's contracts as files: `openapi.json`, `asyncapi.json`, and a schema and an example of each event."""

from pathlib import Path
from typing import Any

import orjson

from crm_shared.bus.partition import PARTITIONS
from crm_shared.events import EventPayload, topic_of
from crm_shared.http.app import create_app
from crm_shared.runtime.service import Service

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def contracts(service: Service) -> dict[str, Any]:
    """Every document of the service by its path below `contracts/`."""
    app = create_app(service.title, service.routers, service=service.name)
    files: dict[str, Any] = {"openapi.json": app.openapi(), "asyncapi.json": asyncapi(service)}
    for event in service.published:
        files[f"events/{event.TYPE}.schema.json"] = event_schema(event)
        files[f"events/{event.TYPE}.example.json"] = event.EXAMPLE
    return files


def event_schema(event: type[EventPayload]) -> dict[str, Any]:
    """The JSON Schema of an event's data, as consumers may rely on it: unknown fields are to be ignored."""
    schema = event.model_json_schema(mode="serialization")
    schema.pop("additionalProperties", None)
    return {"$schema": _DRAFT, **schema}


def asyncapi(service: Service) -> dict[str, Any]:
    """The service's topics and events (AsyncAPI 3)."""
    channels: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for event in service.published:
        topic = topic_of(event.TYPE)
        channel = channels.setdefault(
            topic,
            {
                "address": topic,
                "messages": {},
                "bindings": {"kafka": {"topic": topic, "partitions": PARTITIONS}},
            },
        )
        channel["messages"][event.TYPE] = {"$ref": f"#/components/messages/{event.TYPE}"}
        messages[event.TYPE] = {
            "name": event.TYPE,
            "title": (event.__doc__ or event.TYPE).strip().split("\n")[0],
            "contentType": "application/cloudevents+json",
            "x-required-scope": event.read_scope(),
            "payload": {"schemaFormat": f"application/schema+json;version={_DRAFT}", "schema": event_schema(event)},
            "examples": [{"payload": event.EXAMPLE}],
        }
        operations[f"publish_{topic}"] = {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": service.title,
            "version": "1",
            "description": "CloudEvents 1.0, structured JSON; the payload given here is their `data`.",
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def write_contracts(service: Service, folder: str | Path) -> None:
    """Write every document, and remove the files of events that are no longer published."""
    root = Path(folder)
    wanted = contracts(service)
    for found in root.rglob("*.json"):
        if str(found.relative_to(root)) not in wanted:
            found.unlink()
    for name, document in wanted.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
