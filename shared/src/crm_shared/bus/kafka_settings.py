"""Reading a Kafka URL, and keeping aiokafka's loggers quiet while a broker is away."""

import logging
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_SAME_MESSAGE_EVERY_S = 10.0
_SESSION_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """`kafka://[user:password@]host:port[,host:port][?replication=3&session_timeout_s=15&…]`.

    `session_timeout_s` is how long a killed worker's partitions wait for another one: 15 s, heartbeats every 3 s. A
    shorter one recovers sooner and throws out members whose event loop stalls; a worker that stops in order, or starts
    again under the same `group_instance_id` in time, makes nobody wait. `replication` is the number of brokers, three
    at most, unless it is given; from three on, two must have each record before it counts as published.
    """

    servers: str
    replication: int | None = None
    session_timeout_s: float = _SESSION_TIMEOUT_S
    group_instance_id: str | None = None
    security: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def parse(cls, url: str) -> "KafkaSettings":
        """The settings in a URL.

        Raises:
            ValueError: it names no broker.
        """
        parts = urlsplit(url)
        credentials, _, servers = parts.netloc.rpartition("@")
        if not servers:
            raise ValueError("a Kafka URL names at least one broker: kafka://host:port")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        security: dict[str, Any] = {}
        protocol = options.get("security", "SASL_SSL" if credentials else "PLAINTEXT")
        if protocol != "PLAINTEXT":
            security["security_protocol"] = protocol
        if credentials:
            user, _, password = credentials.partition(":")
            security["sasl_mechanism"] = options.get("mechanism", "SCRAM-SHA-512")
            security["sasl_plain_username"] = unquote(user)
            security["sasl_plain_password"] = unquote(password)
        if protocol.endswith("SSL"):
            security["ssl_context"] = ssl.create_default_context()
        return cls(
            servers=servers,
            replication=int(options["replication"]) if "replication" in options else None,
            session_timeout_s=float(options.get("session_timeout_s", _SESSION_TIMEOUT_S)),
            group_instance_id=options.get("group_instance_id"),
            security=security,
        )

    @property
    def client(self) -> dict[str, Any]:
        """What every aiokafka client takes."""
        return {"bootstrap_servers": self.servers, **self.security}


class _Sparing(logging.Filter):
    """One message of a shape every ten seconds: while a broker is away, aiokafka logs three lines each tenth of one."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is let through."""
        shape = f"{record.name}:{str(record.msg)[:60]}"
        now_s = time.monotonic()
        if now_s - self._said.get(shape, -_SAME_MESSAGE_EVERY_S) < _SAME_MESSAGE_EVERY_S:
            return False
        self._said[shape] = now_s
        return True


_sparing = _Sparing()


def spare_the_logs() -> None:
    """Rate-limit every logger of aiokafka; filters aren't inherited, so each gets it."""
    for name in list(logging.root.manager.loggerDict):
        if name == "aiokafka" or name.startswith("aiokafka."):
            known = logging.getLogger(name)
            if _sparing not in known.filters:
                known.addFilter(_sparing)
