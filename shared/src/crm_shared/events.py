"""Events: what happened to one aggregate, as payload inside the owner and as CloudEvents 1.0 between services."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID, uuid5

import orjson
from pydantic import BaseModel, ConfigDict

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/cloudevents+json"
_TYPE = re.compile(r"crm\.[a-z0-9-]{1,100}\.[a-z0-9-]{1,100}\.v[0-9]{1,9}")
_OTHERS = "integration"
_OTHERS_TOPICS = f"crm.{_OTHERS}."
_LONGEST_NAME = 255
_LARGEST_EPOCH = 2**31 - 1
_LARGEST_SEQUENCE = 2**63 - 1


class EventPayload(BaseModel):
    """The data of one published event type; subclasses say its name and show an example.

    `TYPE` is `crm.<aggregate>.<what-happened>.v<N>`; `ID_PREFIX` is the public prefix of the aggregate's ids.
    `READ_SCOPE` is what a reader outside the suite must hold; unsaid, it is the one of the aggregate's own routes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    TYPE: ClassVar[str]
    ID_PREFIX: ClassVar[str]
    EXAMPLE: ClassVar[dict[str, Any]]
    READ_SCOPE: ClassVar[str] = ""

    @classmethod
    def aggregate(cls) -> str:
        """The aggregate's name, such as `ticket`."""
        return aggregate_of(cls.TYPE)

    @classmethod
    def read_scope(cls) -> str:
        """The scope that a reader outside the suite must hold to be told of this."""
        return cls.READ_SCOPE or f"{cls.aggregate()}s:read"

    def to_json(self) -> str:
        """The payload as JSON text."""
        return self.model_dump_json()


def aggregate_of(event_type: str) -> str:
    """The aggregate named in an event type: `crm.ticket.opened.v1` → `ticket`."""
    return event_type.split(".", 2)[1]


def topic_of(event_type: str) -> str:
    """The topic an event type travels on: `crm.ticket.opened.v1` → `crm.ticket`.

    What another system tells goes by its first word: `crm.integration.usage-reported.v1` → `crm.integration.usage`.
    """
    aggregate = aggregate_of(event_type)
    if aggregate == _OTHERS:
        return f"{_OTHERS_TOPICS}{event_type.split('.', 3)[2].partition('-')[0]}"
    return f"crm.{aggregate}"


def is_told_by_others(topic: str) -> bool:
    """Whether systems outside the suite write to a topic: they number nothing, and their ids are texts of theirs."""
    return topic.startswith(_OTHERS_TOPICS)


def partition_key(tenant: UUID, aggregate_id: UUID) -> str:
    """The key that keeps all facts about one aggregate in order."""
    return f"{tenant}:{aggregate_id}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event as it travels (CloudEvents 1.0, structured JSON).

    `sequence` counts the aggregate's events from 1 without gaps; `epoch` grows when the owner's database is restored
    from a backup. `data` is JSON text, so that a relay needn't parse it.
    """

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    tenant: UUID
    aggregate_id: UUID
    epoch: int
    sequence: int
    traceparent: str | None
    data: str
    tracestate: str | None = None

    @property
    def topic(self) -> str:
        """The topic this event travels on."""
        return topic_of(self.type)

    @property
    def key(self) -> str:
        """The partition key."""
        return partition_key(self.tenant, self.aggregate_id)

    def payload(self) -> Any:
        """The parsed data."""
        return orjson.loads(self.data)

    def to_bytes(self) -> bytes:
        """The event as structured JSON."""
        fields: dict[str, Any] = {
            "specversion": SPEC_VERSION,
            "id": str(self.id),
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            "tenantid": str(self.tenant),
            "partitionkey": self.key,
            "epoch": self.epoch,
            # CloudEvents' sequence extension is text that sorts lexicographically.
            "sequence": f"{self.sequence:020d}",
            "data": orjson.Fragment(self.data.encode()),
        }
        if self.traceparent:
            fields["traceparent"] = self.traceparent
        if self.tracestate:
            fields["tracestate"] = self.tracestate
        return orjson.dumps(fields, option=orjson.OPT_UTC_Z)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Envelope":
        """The event in `raw`.

        Raises:
            ValueError: these bytes are no event of ours.
        """
        try:
            fields = orjson.loads(raw)
            if fields["specversion"] != SPEC_VERSION:
                raise ValueError(f"unknown CloudEvents version {fields['specversion']!r}")
            tenant, _, aggregate_id = fields["partitionkey"].partition(":")
            time = datetime.fromisoformat(fields["time"])
            if time.tzinfo is None:
                raise ValueError("the event's time has no zone")
            if fields["tenantid"] != tenant:
                raise ValueError("tenant and partition key disagree")
            # What gets past here can be stored in any case: else one message would stop its consumer for good.
            if not _TYPE.fullmatch(fields["type"]):
                raise ValueError("this type is no name of an event")
            if not UUID(tenant).int:
                raise ValueError("the event has no tenant")
            epoch, sequence = int(fields["epoch"]), int(fields["sequence"])
            if not (0 <= epoch <= _LARGEST_EPOCH and 0 <= sequence <= _LARGEST_SEQUENCE):
                raise ValueError("epoch or sequence out of range")
            return cls(
                id=UUID(fields["id"]),
                type=fields["type"],
                source=str(fields["source"]),
                subject=str(fields["subject"]),
                time=time,
                tenant=UUID(tenant),
                aggregate_id=UUID(aggregate_id),
                epoch=epoch,
                sequence=sequence,
                traceparent=fields.get("traceparent"),
                data=orjson.dumps(fields["data"]).decode(),
                tracestate=fields.get("tracestate"),
            )
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            raise ValueError(f"not an event: {error!r}") from error

    @classmethod
    def told_by_others(cls, raw: bytes) -> "Envelope":
        """The event in what another system wrote: any CloudEvent that names its tenant.

        It is known again by source and id together, as CloudEvents has it. Each stands for itself: it is first in a
        sequence of one, so none ever waits for another.

        Raises:
            ValueError: these bytes are no such event.
        """
        try:
            fields = orjson.loads(raw)
            if fields["specversion"] != SPEC_VERSION:
                raise ValueError(f"unknown CloudEvents version {fields['specversion']!r}")
            kind, tenant, time = fields["type"], UUID(fields["tenantid"]), datetime.fromisoformat(fields["time"])
            if time.tzinfo is None:
                raise ValueError("the event's time has no zone")
            if not _TYPE.fullmatch(kind):
                raise ValueError("this type is no name of an event")
            if not tenant.int:
                raise ValueError("the event has no tenant")
            if not isinstance(fields["data"], dict):
                raise TypeError("the event's data is no object")
            named = [fields[name] for name in ("source", "id")]
            if not all(isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME for name in named):
                raise ValueError("source and id are texts of 1 to 255 characters")
            identity = uuid5(tenant, "\n".join(named))
            return cls(
                id=identity,
                type=kind,
                source=named[0],
                subject=str(fields.get("subject", "")),
                time=time,
                tenant=tenant,
                aggregate_id=identity,
                epoch=0,
                sequence=1,
                traceparent=_text(fields.get("traceparent")),
                data=orjson.dumps(fields["data"]).decode(),
                tracestate=_text(fields.get("tracestate")),
            )
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            raise ValueError(f"not an event: {error!r}") from error

    @classmethod
    def from_record(cls, topic: str, raw: bytes) -> "Envelope":
        """The event in a record that was read from `topic`.

        Who may write to one topic must not speak of what another topic tells.

        Raises:
            ValueError: these bytes are no event of ours, or none of this topic.
        """
        envelope = cls.told_by_others(raw) if is_told_by_others(topic) else cls.from_bytes(raw)
        if len(envelope.type.split(".")) < 2 or envelope.topic != topic:
            raise ValueError(f"an event of type {envelope.type!r} doesn't belong to {topic}")
        return envelope


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
