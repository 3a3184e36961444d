"""A service and its slices, declared in order: the declaration doubles as the map of the service."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings
from sqlalchemy import MetaData

from crm_shared.bus.departures import TOPIC, departures
from crm_shared.bus.handlers import Projections, Reactions, Tap
from crm_shared.db.departures import Purge
from crm_shared.db.due import PURGE, Timers
from crm_shared.db.migrations import Schema
from crm_shared.db.operations import Jobs
from crm_shared.db.tables import kernel_metadata
from crm_shared.events import EventPayload, topic_of
from crm_shared.http.router import Router


@dataclass(frozen=True, slots=True)
class Slice:
    """One business concept of a service: its routes, what it does with events, timers and jobs, what it publishes."""

    name: str
    routers: Sequence[Router] = ()
    projections: Projections = field(default_factory=Projections)
    reactions: Reactions = field(default_factory=Reactions)
    timers: Timers = field(default_factory=Timers)
    jobs: Jobs = field(default_factory=Jobs)
    events: Sequence[type[EventPayload]] = ()


Loop = Callable[[Any], Awaitable[None]]
"""A worker's own endless task: `async def loop(worker: WorkerContext) -> None`; it is restarted when it fails."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its name, tables, slices from bottom to top, and the prefix of its operations' ids.

    `migrations` is the folder with `env.py` and `versions/`. `loops` are a worker's own endless tasks. `resources` maps
    the name of a type to what makes it from the settings, once a process (`Call.resource`). `tap` takes all events of
    the topics it names, beside what the slices do with theirs. `settings` are its own, beside the kernel's.
    """

    name: str
    title: str
    metadata: MetaData
    slices: Sequence[Slice]
    operation_prefix: str
    migrations: Path
    loops: Sequence[Loop] = ()
    tap: Tap | None = None
    resources: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict[str, Callable[[Any], Any]])
    settings: Sequence[Callable[[], BaseSettings]] = ()

    @property
    def schema(self) -> Schema:
        """What the service migrates."""
        return Schema(self.name, self.metadata, self.migrations)

    @property
    def routers(self) -> list[Router]:
        """All routers, in the slices' order."""
        return [router for part in self.slices for router in part.routers]

    @property
    def published(self) -> list[type[EventPayload]]:
        """All event types that the service publishes."""
        return [event for part in self.slices for event in part.events]

    @property
    def topics_published(self) -> list[str]:
        """The topics that the service owns."""
        return sorted({topic_of(event.TYPE) for event in self.published})

    @property
    def topics_consumed(self) -> list[str]:
        """The topics that the service reads."""
        types = {kind for part in self.slices for kind in (*part.projections.handlers, *part.reactions.handlers)}
        tapped = self.tap.topics if self.tap else frozenset[str]()
        return sorted({TOPIC, *(topic_of(kind) for kind in types), *tapped})

    @property
    def timers(self) -> Timers:
        """All timers together, and the one that deletes what a tenant has left behind."""
        own = {kind: handler for part in self.slices for kind, handler in part.timers.handlers.items()}
        tables = [*kernel_metadata.sorted_tables, *self.metadata.sorted_tables]
        return Timers({**own, PURGE: Purge(reversed(tables)).turn})

    def taps(self, purge_after: timedelta) -> list[Tap]:
        """What takes whole topics: the service's own tap, and what hears of tenants that leave."""
        return [*([self.tap] if self.tap else []), departures(purge_after)]

    @property
    def jobs(self) -> Jobs:
        """All jobs together."""
        return Jobs({kind: handler for part in self.slices for kind, handler in part.jobs.handlers.items()})

    @property
    def projections(self) -> Projections:
        """All projections together, in the slices' order."""
        merged = Projections()
        for part in self.slices:
            for kind, handlers in part.projections.handlers.items():
                merged.handlers.setdefault(kind, []).extend(handlers)
        return merged

    @property
    def reactions(self) -> Reactions:
        """All reactions together, in the slices' order."""
        merged = Reactions()
        for part in self.slices:
            for kind, handlers in part.reactions.handlers.items():
                merged.handlers.setdefault(kind, []).extend(handlers)
        return merged
