import asyncpg
import pytest
from pydantic import BaseModel, ValidationError

from crm_shared.bus.port import BusUnavailable
from crm_shared.errors import NotFound
from crm_shared.observability.redaction import frames_of, scrubbed, shortened, told

MARK = "zebulon.quux"


class Form(BaseModel):
    age: int


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"age": MARK})
    assert MARK in str(caught.value)
    return caught.value


def of_database() -> asyncpg.PostgresError:
    fields = {
        "S": "ERROR", "C": "23505", "M": "duplicate key value", "D": f"Key (email)=({MARK}) already exists.",
        "t": "contact_point", "n": "contact_point_value_key",
    }  # fmt: skip
    error = asyncpg.PostgresError.new(fields)
    assert MARK in str(error)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(f"{MARK} is odd"), "ValueError"),
        (KeyError(MARK), "KeyError"),
        (invalid(), "ValidationError"),
        (of_database(), "UniqueViolationError 23505 contact_point contact_point_value_key"),
        (NotFound(f"There is no {MARK}.", code="customer_not_found"), "NotFound customer_not_found"),
        (ConnectionRefusedError(111, f"connect to {MARK}"), "ConnectionRefusedError ECONNREFUSED"),
        (BusUnavailable("Kafka is away: TimeoutError"), "BusUnavailable: Kafka is away: TimeoutError"),
    ],
)
def test_an_error_is_told_by_its_type_and_by_names_of_ours(error: BaseException, said: str):
    assert told(error) == said


def test_where_an_error_was_raised_is_told_without_what_was_said():
    *_, last = frames_of(raised(ValueError(MARK)))
    assert last.startswith("shared/observability/test_redaction.py:")
    assert last.endswith(" raised")
    assert MARK not in last


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mail to zebulon.quux+x@leak.example bounced", "mail to [e-mail] bounced"),
        ("postgresql://customer_app:s3cr3t@db:5432/crm failed", "postgresql://[secret]@db:5432/crm failed"),
        ("redis://:only-a-password@cache", "redis://[secret]@cache"),
        ("GET https://hooks.example/in/4?token=abc&mail=x 500", "GET https://hooks.example/in/4?[query] 500"),
        ("authorization: Bearer abc.def-ghi", "authorization: Bearer [secret]"),
        ("key crm_live_06h02_OpUISl1Pp65ISCtwRNVuPjdbd3", "key [secret]"),
        ("signed by whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed by [secret]"),
        ("token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3IifQ.c2ln", "token [secret]"),
        ("called +49 (30) 1234-5678 in vain", "called [phone] in vain"),
    ],
)
def test_texts_are_looked_through_for_persons_and_secrets(text: str, left: str):
    assert scrubbed(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "customer:019a2019-0e3e-76a2-8bab-9b706977879e",
        "crm_customer/parties/commands/records.py:57 register",
        "2026-11-22T04:56:34.904117+00:00",
        "Running upgrade kernel_0002 -> kernel_0003, whole traces.",
        "kafka://broker-1:9092,broker-2:9092",
    ],
)
def test_what_names_only_things_of_ours_stays(text: str):
    assert scrubbed(text) == text


def test_of_a_library_s_lines_the_first_stays_and_of_a_traceback_the_places():
    assert shortened(f"Task exception was never retrieved\nfuture: <Task exception={MARK!r}>") == (
        "Task exception was never retrieved"
    )
    text = (
        f'Traceback (most recent call last):\n  File "/srv/crm/app.py", line 7, in go\n    go()\nValueError: {MARK}\n'
    )
    assert shortened(text) == "ValueError at srv/crm/app.py:7 go"
