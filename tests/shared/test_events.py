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
