import json
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.events import Envelope, aggregate_of, topic_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


def envelope(data: object, sequence: int = 7) -> Envelope:
    return Envelope(
        id=UUID(int=1), type="crm.ticket.opened.v1", source="contact-center", subject="tkt_x",
        time=datetime(2026, 3, 1, 12, tzinfo=UTC), tenant=UUID(int=2), aggregate_id=UUID(int=3), epoch=1,
        sequence=sequence,
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01", data=orjson.dumps(data).decode(),
    )  # fmt: skip


@given(json_values, st.integers(1, 2**62))
def test_an_event_comes_back_from_its_bytes(data: object, sequence: int) -> None:
    sent = envelope(data, sequence)
    assert Envelope.from_bytes(sent.to_bytes()) == sent


@given(st.binary(max_size=200))
def test_other_bytes_are_no_event(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Envelope.from_bytes(raw)


@given(json_values)
def test_other_json_is_no_event(data: object) -> None:
    with pytest.raises(ValueError):
        Envelope.from_bytes(orjson.dumps(data))


@given(
    st.sampled_from(["specversion", "id", "type", "time", "tenantid", "partitionkey", "epoch", "sequence", "data"]),
    json_values,
)
def test_a_broken_field_is_a_refusal_and_never_another_error(field: str, value: object) -> None:
    fields = orjson.loads(envelope({}).to_bytes())
    for broken in ({**fields, field: value}, {k: v for k, v in fields.items() if k != field}):
        try:
            Envelope.from_bytes(orjson.dumps(broken))
        except ValueError:
            continue


@pytest.mark.parametrize(
    "odd",
    [
        {"sequence": str(2**63)}, {"sequence": -1}, {"sequence": 1e999}, {"epoch": 2**31},
        {"type": "crm.ti\x00cket.opened.v1"}, {"type": f"crm.{'t' * 3000}.opened.v1"}, {"type": "ticket"},
        {"tenantid": str(UUID(int=0)), "partitionkey": f"{UUID(int=0)}:{UUID(int=3)}"},
    ],
)  # fmt: skip
def test_what_no_consumer_could_store_is_no_event(odd: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Envelope.from_bytes(json.dumps(orjson.loads(envelope({}).to_bytes()) | odd).encode())


def test_it_is_a_cloudevent_with_our_extensions() -> None:
    fields = orjson.loads(envelope({"a": 1}).to_bytes())
    assert fields["specversion"] == "1.0"
    assert fields["partitionkey"] == f"{UUID(int=2)}:{UUID(int=3)}"
    assert fields["sequence"] == "00000000000000000007"
    assert fields["data"] == {"a": 1}
    assert set(fields) == {
        "specversion", "id", "type", "source", "subject", "time", "datacontenttype", "tenantid", "partitionkey",
        "epoch", "sequence", "traceparent", "data",
    }  # fmt: skip


def test_topic_and_aggregate_come_from_the_type() -> None:
    assert (topic_of("crm.customer.consent-changed.v1"), aggregate_of("crm.customer.merged.v1")) == (
        "crm.customer",
        "customer",
    )


@pytest.mark.parametrize("topic", ["crm.deal", "crm.customer", "crm", "crm.ticket.opened", ""])
def test_an_event_on_anothers_topic_is_none(topic: str) -> None:
    raw = envelope({}).to_bytes()
    assert Envelope.from_record("crm.ticket", raw) == envelope({})
    with pytest.raises(ValueError, match="doesn't belong"):
        Envelope.from_record(topic, raw)


@pytest.mark.parametrize("event_type", ["", "ticket", "."])
def test_a_type_without_an_aggregate_belongs_to_no_topic(event_type: str) -> None:
    raw = orjson.dumps({**orjson.loads(envelope({}).to_bytes()), "type": event_type})
    with pytest.raises(ValueError, match=r"doesn't belong|no name"):
        Envelope.from_record("crm.ticket", raw)


def test_an_event_of_no_tenant_is_none() -> None:
    nobody = str(UUID(int=0))
    fields = orjson.loads(envelope({}).to_bytes()) | {"tenantid": nobody, "partitionkey": f"{nobody}:{UUID(int=3)}"}
    with pytest.raises(ValueError, match="no tenant"):
        Envelope.from_bytes(orjson.dumps(fields))


TOLD = {
    "specversion": "1.0", "id": "order-1", "type": "crm.integration.usage-reported.v1", "source": "erp",
    "time": "2026-03-01T12:00:00Z", "tenantid": str(UUID(int=2)), "data": {"n": 1},
}  # fmt: skip
OTHERS = "crm.integration.usage"


def told(**changed: object) -> bytes:
    return orjson.dumps({name: value for name, value in {**TOLD, **changed}.items() if value is not None})


def test_what_others_tell_is_known_again_by_tenant_source_and_id() -> None:
    assert topic_of(TOLD["type"]) == OTHERS
    first = Envelope.from_record(OTHERS, told())
    assert (first.tenant, first.epoch, first.sequence, first.data) == (UUID(int=2), 0, 1, '{"n":1}')
    assert Envelope.from_record(OTHERS, told(data={"n": 2}, time="2027-03-01T12:00:00Z")).id == first.id
    others = [told(id="order-2"), told(source="shop"), told(tenantid=str(UUID(int=3)))]
    assert len({first.id, *(Envelope.from_record(OTHERS, raw).id for raw in others)}) == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"id": None}, {"id": ""}, {"id": 7}, {"source": "x" * 256}, {"tenantid": None}, {"tenantid": str(UUID(int=0))},
        {"time": "2026-03-01T12:00:00"}, {"time": None}, {"data": None}, {"data": "text"}, {"specversion": "0.3"},
        {"type": "crm.ticket.opened.v1"}, {"type": "crm.integration.other-told.v1"}, {"type": "usage"},
    ],
)  # fmt: skip
def test_what_others_tell_amiss_is_no_event(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Envelope.from_record(OTHERS, told(**changed))


@given(st.binary(max_size=200) | json_values.map(orjson.dumps))
def test_other_bytes_are_nothing_that_others_tell(raw: bytes) -> None:
    with pytest.raises(ValueError):
        Envelope.from_record(OTHERS, raw)


def test_our_own_events_cannot_be_told_by_others_nor_theirs_by_us() -> None:
    ours = envelope({}).to_bytes()
    with pytest.raises(ValueError, match="doesn't belong"):
        Envelope.from_record(OTHERS, ours)
    with pytest.raises(ValueError):
        Envelope.from_record("crm.ticket", told(type="crm.ticket.opened.v1"))
