"""Service figures over HTTP."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from crm_contact_center.interactions.domain import InteractionChannel
from crm_contact_center.metrics.domain.figures import NO_QUEUE, Counts, seconds, share
from crm_contact_center.metrics.queries import Figures
from crm_contact_center.references import QueueId
from crm_shared.fields import Instant, Read, extensible


class MetricsQuery(BaseModel):
    """The time asked for is widened to whole quarters of an hour; without one, today so far."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    queue: QueueId | None = Field(None, description="Only conversations of this queue.")
    channel: InteractionChannel | None = Field(None, description="Only conversations on this channel.")
    since: Instant | None = Field(None, alias="from", description="The beginning; midnight of today, if left out.")
    until: Instant | None = Field(None, alias="to", description="The end; now, if left out.")


class FiguresRead(Read):
    """Numerators and denominators, and what they come to. Every ratio is null where there is nothing to divide by.

    Where a usual name has two meanings, both are here: `service_level` over all offered or over answered ones,
    `asa_s` over the waits of the answered or all waiting per answered one, `abandonment` over offered or answered ones.
    """

    offered: int
    answered: int
    answered_in_time: int
    abandoned: int
    abandoned_in_time: int
    withdrawn: int
    handled: int
    repeats: int
    wait_answered_s: float
    wait_abandoned_s: float
    talk_s: float
    hold_s: float
    wrap_s: float
    tickets_solved: int
    tickets_in_time: int
    service_level_of_offered: float | None
    service_level_of_answered: float | None
    service_level_with_early_abandons: float | None
    asa_of_answered_s: float | None
    asa_all_waiting_s: float | None
    abandonment_of_offered: float | None
    abandonment_of_answered: float | None
    average_handling_s: float | None
    first_contact_resolution: float | None
    sla_kept: float | None

    @classmethod
    def fields_of(cls, counts: Counts) -> dict[str, Any]:
        """The fields that any reading of counts has."""
        gone = counts.answered + counts.abandoned
        handling_us = counts.talk_us + counts.hold_us + counts.wrap_us
        return {
            **{name: getattr(counts, name) for name in _COUNTED},
            **{f"{name}_s": getattr(counts, f"{name}_us") / 1_000_000 for name in _TIMED},
            "tickets_in_time": counts.tickets_kept,
            "service_level_of_offered": share(counts.answered_in_time, gone),
            "service_level_of_answered": share(counts.answered_in_time, counts.answered),
            "service_level_with_early_abandons": share(counts.answered_in_time + counts.abandoned_in_time, gone),
            "asa_of_answered_s": seconds(counts.wait_answered_us, counts.answered),
            "asa_all_waiting_s": seconds(counts.wait_answered_us + counts.wait_abandoned_us, counts.answered),
            "abandonment_of_offered": share(counts.abandoned, gone),
            "abandonment_of_answered": share(counts.abandoned, counts.answered),
            "average_handling_s": seconds(handling_us, counts.handled),
            "first_contact_resolution": share(counts.offered - counts.repeats, counts.offered),
            "sla_kept": share(counts.tickets_kept, counts.tickets_solved),
        }

    @classmethod
    def of(cls, counts: Counts) -> Self:
        return cls(**cls.fields_of(counts))


class IntervalRead(FiguresRead):
    """The figures of one queue on one channel; tickets belong to no queue."""

    queue: QueueId | None
    channel: Annotated[str, extensible(InteractionChannel)]


class ServiceMetricsRead(Read):
    """The figures of a time, whole and by queue and channel; occupancy is that of the agents concerned."""

    since: Instant
    until: Instant
    total: FiguresRead
    cells: list[IntervalRead]
    engaged_s: float
    idle_s: float
    wrap_s: float
    break_s: float
    occupancy: float | None
    """(Talk + hold) ÷ (talk + hold + idle)."""
    occupancy_with_wrap_up: float | None

    @classmethod
    def of(cls, found: Figures) -> Self:
        time = found.agents
        busy_us = time.engaged_us + time.wrap_us
        return cls(
            since=found.since,
            until=found.until,
            total=FiguresRead.of(sum(found.cells.values(), Counts())),
            cells=[
                IntervalRead(
                    queue=None if queue == NO_QUEUE else queue, channel=channel, **FiguresRead.fields_of(counts)
                )
                for (queue, channel), counts in sorted(found.cells.items(), key=lambda item: item[0])
            ],
            engaged_s=time.engaged_us / 1_000_000,
            idle_s=time.idle_us / 1_000_000,
            wrap_s=time.wrap_us / 1_000_000,
            break_s=time.break_us / 1_000_000,
            occupancy=share(time.engaged_us, time.engaged_us + time.idle_us),
            occupancy_with_wrap_up=share(busy_us, busy_us + time.idle_us),
        )


_COUNTED = (
    "offered", "answered", "answered_in_time", "abandoned", "abandoned_in_time", "withdrawn", "handled", "repeats",
    "tickets_solved",
)  # fmt: skip
_TIMED = ("wait_answered", "wait_abandoned", "talk", "hold", "wrap")
