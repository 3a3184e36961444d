"""A service's contracts as files: `openapi.json`, `asyncapi.json`, and a schema and an example of each event."""

from pathlib import Path
from typing import Any

import orjson

from crm_shared.events import EventPayload
from crm_shared.http.app import create_app
from crm_shared.runtime.asyncapi import asyncapi, opened
from crm_shared.runtime.service import Service

RELEASED = "released"
"""The folder that keeps what was published: only a release writes there."""
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
    return {"$schema": _DRAFT, **opened(event.model_json_schema(mode="serialization"))}


def write_contracts(service: Service, folder: str | Path) -> None:
    """Write every document, and remove the files of events that are no longer published."""
    root = Path(folder)
    wanted = contracts(service)
    for found in root.rglob("*.json"):
        name = found.relative_to(root)
        if str(name) not in wanted and name.parts[0] != RELEASED:
            found.unlink()
    for name, document in wanted.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
