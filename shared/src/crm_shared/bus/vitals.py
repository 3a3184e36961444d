"""How the bus is and how far each group is behind, for somebody who looks after it: whichever adapter it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_shared.bus.port import Lag


@dataclass(frozen=True, slots=True)
class BusVitals:
    """The bus as its server tells it. `ahead_s`: how much later its clock is than ours; None: it would not say."""

    kind: str
    outdated: str
    """What is too old about the server; empty when nothing is."""
    ahead_s: float | None
    missing: Sequence[str]
    lags: Mapping[str, Lag]
    """By consumer group."""


async def look_at_bus(url: str, groups: Mapping[str, Sequence[str]], topics: Sequence[str]) -> BusVitals:
    """Ask the bus how it is; `groups` are the topics that each reads, `topics` those that have to exist.

    Raises:
        Unreachable: it can't be asked.
    """
    if url.startswith("kafka://"):
        from crm_shared.bus.kafka_vitals import look_at_kafka  # noqa: PLC0415 # aiokafka only where it is used

        return await look_at_kafka(url, groups, topics)
    from crm_shared.bus.log_vitals import look_at_log  # noqa: PLC0415 # as above, the other way round

    return await look_at_log(url, groups, topics)
