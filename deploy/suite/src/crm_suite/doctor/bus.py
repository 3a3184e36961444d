"""The event bus: can it be reached, is it new enough, has it its topics, how far is each service behind."""

from collections.abc import Iterator

from crm_shared.bus.port import Lag
from crm_shared.bus.vitals import BusVitals, look_at_bus
from crm_shared.db.vitals import Unreachable
from crm_suite.doctor.clocks import clock
from crm_suite.doctor.finding import Finding, error, fine, note
from crm_suite.doctor.places import Places
from crm_suite.topology import load_suite

_LATE_S = 60.0


async def bus(places: Places) -> list[Finding]:
    """The bus that the services are told of."""
    if not places.bus:
        return []
    services = load_suite().services.values()
    groups = {f"crm.{service.name}": service.topics_consumed for service in services if service.topics_consumed}
    topics = sorted({topic for service in services for topic in service.topics_published})
    try:
        vitals = await look_at_bus(places.bus, groups, topics)
    except (Unreachable, ValueError) as reason:
        why = "Events wait in each service's outbox until it is back; none is lost, but nobody hears of anything."
        remedy = "Start the brokers (or the log's database), or correct BUS_URL: kafka://host:port or postgresql://…"
        return [error("bus", "events", str(reason), why=why, remedy=remedy)]
    return [
        fine("bus", "events", f"{vitals.kind} answers"),
        *_version(vitals),
        *_topics(vitals),
        *_clock(vitals),
        *(finding for group, lag in vitals.lags.items() for finding in _lag(group, lag)),
    ]


def _version(vitals: BusVitals) -> Iterator[Finding]:
    if vitals.outdated:
        why = "The suite is tested against Apache Kafka 4."
        yield error("Kafka", "events", vitals.outdated, why=why, remedy="Upgrade the brokers to Kafka 4.")


def _topics(vitals: BusVitals) -> Iterator[Finding]:
    if vitals.missing:
        shown = ", ".join(vitals.missing[:5]) + (", …" if len(vitals.missing) > 5 else "")
        why = "Nobody publishes to a topic that isn't there; its events wait."
        remedy = "Start every service's worker: each makes its own topics, if it may create any."
        yield error("topics", "events", f"{len(vitals.missing)} missing: {shown}", why=why, remedy=remedy)
    else:
        yield fine("topics", "events", "all there")


def _clock(vitals: BusVitals) -> Iterator[Finding]:
    if vitals.ahead_s is None:
        why = "Only a record that may be written to the topic crm.doctor tells a broker's time."
        remedy = "Let the user in BUS_URL create and write crm.doctor."
        yield note("clock", "the brokers", "can't be told", why=why, remedy=remedy)
    else:
        yield from clock("the bus", vitals.ahead_s)


def _lag(group: str, lag: Lag) -> Iterator[Finding]:
    name = group.removeprefix("crm.")
    seen = f"{lag.records:,} events" + (f", the oldest {lag.seconds:,.0f} s" if lag.records else "")
    if lag.seconds > _LATE_S:
        why = f"{name} acts on what others did that much later. Nothing is lost."
        remedy = f"See that a worker of {name} runs; where it does and can't keep up, run more of them."
        yield error("consumer lag", name, seen, why=why, remedy=remedy)
    else:
        yield fine("consumer lag", name, seen)
