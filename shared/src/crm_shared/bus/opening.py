"""Which bus is meant: the only place that knows both adapters."""

from crm_shared.bus.port import Bus
from crm_shared.bus.postgres_log import PostgresLog


async def open_bus(url: str) -> Bus:
    """The bus behind `url`: `postgresql://…` is the PostgreSQL log, `kafka://host:port[,host:port]` is Kafka.

    Nothing is connected before the first use.
    """
    scheme = url.partition("://")[0]
    if scheme in {"postgresql", "postgres"}:
        return PostgresLog(url)
    if scheme == "kafka":
        from crm_shared.bus.kafka import KafkaBus  # noqa: PLC0415 # aiokafka is loaded only where it is used

        return KafkaBus(url)
    raise ValueError("a bus URL starts with postgresql:// or kafka://")
