"""The catalogue of events as it was committed with this version; `make contracts` writes it."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

from crm_gateway.subscriptions.domain import Catalogue, Kind


@lru_cache
def catalogue() -> Catalogue:
    """Every type of event that some service publishes."""
    found = orjson.loads(files("crm_gateway.subscriptions").joinpath("catalogue.json").read_bytes())
    return {kind["type"]: Kind(**kind) for kind in found}


def topics() -> frozenset[str]:
    """The topics on which they travel."""
    return frozenset(kind.topic for kind in catalogue().values())


def kinds_in(documents: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the catalogue holds, from the services' AsyncAPI documents by their names."""
    return sorted((kind for name in documents for kind in _kinds(name, documents[name])), key=lambda kind: kind["type"])


def _kinds(service: str, document: Any) -> Iterator[dict[str, str]]:
    for sending in (part for part in document["operations"].values() if part["action"] == "send"):
        topic = document["channels"][_last(sending["channel"])]["address"]
        for name in map(_last, sending["messages"]):
            message = document["components"]["messages"][name]
            scope, title = message["x-required-scope"], message["summary"]
            yield {"type": name, "topic": topic, "service": service, "scope": scope, "title": title}


def _last(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]
