"""What was released, as files below each service's `contracts/released/`; only a release writes them.

`openapi.json` and `asyncapi.json` are the last release's: a promise kept from release to release is kept over all of
them. Events stay in logs and in other houses' archives, so every version of an event's schema that was ever released is
kept with its example: `events/crm.ticket.opened.v1/0.1.0.json`, and none where a release changed nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from crm_suite.contracts import events, http
from crm_suite.contracts.promises import Broken, Document, pointer_to


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise and the document it is in."""

    document: Path
    broken: Broken

    def __str__(self) -> str:
        return f"{self.document}{'#' if self.broken.pointer else ''}{self.broken}"


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one service as they are on disk, beside what was released of them."""

    folder: Path

    @property
    def released(self) -> Path:
        """Where releases are kept."""
        return self.folder / "released"

    @property
    def releases(self) -> list[str]:
        """All releases that published something of this service, the first first."""
        path = self.released / "releases.json"
        return _read(path) if path.exists() else []

    @property
    def types(self) -> dict[str, Path]:
        """The schemas of all event types as they are now."""
        suffix = ".schema.json"
        return {path.name.removesuffix(suffix): path for path in sorted(self.folder.glob(f"events/*{suffix}"))}

    def versions(self) -> Iterator[tuple[str, str, Document]]:
        """Every released version of every event: its type, the release, and its schema with example."""
        for path in sorted(self.released.glob("events/*/*.json")):
            yield path.parent.name, path.stem, _read(path)

    def faults(self, *, foreign: frozenset[str], today: date) -> Iterator[Fault]:
        """Every promise that the contracts as they are now would break."""
        if not self.releases:
            return
        for name, compare in (
            ("openapi.json", partial(http.broken, today=today)),
            ("asyncapi.json", partial(events.topics_broken, foreign=foreign)),
        ):
            for broken in compare(_read(self.released / name), _read(self.folder / name)):
                yield Fault(self.folder / name, broken)
        yield from self._event_faults()

    def _event_faults(self) -> Iterator[Fault]:
        now, releases = self.types, self.releases
        known = list(self.versions())
        first: dict[str, str] = {}
        for event_type, release, _ in sorted(known, key=lambda version: releases.index(version[1])):
            first.setdefault(event_type, release)
        for event_type in sorted(first.keys() - now.keys()):
            if not events.may_go(event_type, first, releases):
                way_out = f"publish it beside {events.next_version(event_type)} until that was out for two releases"
                gone = Broken(pointer_to("components", "messages", event_type), "is gone", way_out)
                yield Fault(self.folder / "asyncapi.json", gone)
        for event_type, release, version in known:
            if event_type in now:
                for broken in events.event_broken(event_type, version["schema"], _read(now[event_type])):
                    told = Broken(broken.pointer, f"{broken.what}, unlike in {release}", broken.way_out)
                    yield Fault(now[event_type], told)

    def release(self, version: str) -> None:
        """Keep the contracts as they are now as those of a release."""
        latest: dict[str, Document] = {}
        for event_type, release, kept in self.versions():
            if event_type not in latest or self.releases.index(release) >= self.releases.index(
                latest[event_type]["at"]
            ):
                latest[event_type] = {**kept, "at": release}
        for event_type, path in self.types.items():
            example = path.with_name(f"{event_type}.example.json")
            shown = {"schema": _read(path), "example": _read(example)}
            before = latest.get(event_type, {})
            if shown != {key: before.get(key) for key in shown}:
                _write(self.released / "events" / event_type / f"{version}.json", shown)
        for name in ("openapi.json", "asyncapi.json"):
            _write(self.released / name, _read(self.folder / name))
        _write(self.released / "releases.json", [*self.releases, version])


def foreign_topics(all_contracts: list[Contracts]) -> frozenset[str]:
    """Topics that ours read and none of ours sends: producers of other houses do."""
    operations = [_read(one.folder / "asyncapi.json")["operations"] for one in all_contracts]
    named = [key.split(".", 1) for found in operations for key in found]
    sent = {topic for action, topic in named if action == "send"}
    return frozenset(topic for action, topic in named if action == "receive") - sent


def _read(path: Path) -> Any:
    return orjson.loads(path.read_bytes())


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
