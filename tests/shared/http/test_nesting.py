import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.errors import Invalid
from crm_shared.http.nesting import DEEPEST, refuse_deep
from crm_shared.testing.kit import ServiceKit

texts = st.text(st.sampled_from('[]{}"\\,:a\n'), max_size=12)
json = st.recursive(
    st.one_of(texts, st.integers(-9, 9), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=30,
)


def depth(value: Any) -> int:
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


def passes(body: bytes) -> bool:
    try:
        refuse_deep(body)
    except Invalid:
        return False
    return True


@given(json, st.integers(0, 40), texts)
def test_whatever_stands_in_texts_the_levels_are_counted(value: Any, more: int, name: str) -> None:
    for step in range(more):
        value = [value, name] if step % 2 else {name: value}
    assert passes(orjson.dumps(value)) == (depth(value) <= DEEPEST)


@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_bytes_make_it_fail(body: bytes, times: int) -> None:
    passes(body * 10**times)


@pytest.mark.parametrize("piece", [b'"\\"', b'\\"', b'"', b"[]", b'{"a":', b"[", b"\\", b'"[', b"]"], ids=repr)
def test_the_time_grows_with_the_length_and_no_faster(piece: bytes) -> None:
    def seconds(length: int) -> float:
        body = b"[]" * 40 + piece * (length // len(piece))
        best = 9.0
        for _ in range(3):
            began = time.perf_counter()
            passes(body)
            best = min(best, time.perf_counter() - began)
        return best

    assert seconds(800_000) < 40 * seconds(100_000) + 0.05  # quadratic would be 64 times as long


async def test_a_body_nested_too_deep_is_refused_before_it_is_read(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        deep = b'{"title": ' + b"[" * 33 + b"]" * 33 + b"}"
        answer = await client.post("/v1/notes", content=deep, headers={"content-type": "application/json"})
        brackets = await client.post("/v1/notes", json={"title": "[" * 100})
    assert (answer.status_code, answer.json()["code"]) == (422, "json_too_deep")
    assert brackets.status_code == 201
