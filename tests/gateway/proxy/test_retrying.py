"""What is tried once more, and how often in all."""

from typing import Any

from crm_gateway.proxy.domain.breaker import Breaker, BreakerPolicy
from crm_gateway.proxy.domain.retries import RetryBudget


def failing(troubled: Any, times: int, status: int = 503, headers: list[Any] | None = None) -> None:
    async def behave(scope: Any, receive: Any, send: Any) -> None:
        failed = len(troubled.upstream.seen) <= times
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        sent = (headers or []) if failed else []
        await send({"type": "http.response.start", "status": status if failed else 200, "headers": sent})
        await send({"type": "http.response.body", "body": b"failed" if failed else b"got " + body})

    troubled.upstream.behaviour = behave


async def test_an_idempotent_request_is_tried_once_more(troubled):
    failing(troubled, times=1)
    async with troubled.http() as http:
        got = await http.get("/v1/things")
    assert (got.status_code, len(troubled.upstream.seen)) == (200, 2)
    assert troubled.log[0]["attempts"] == 2


async def test_a_keyed_post_is_tried_once_more_with_the_same_body(troubled):
    failing(troubled, times=1)
    async with troubled.http() as http:
        got = await http.post("/v1/things", content=b"hello", headers={"idempotency-key": "k1"})
    assert (got.text, len(troubled.upstream.seen)) == ("got hello", 2)
    assert {seen.header("idempotency-key") for seen in troubled.upstream.seen} == {"k1"}


async def test_any_other_post_is_not(troubled):
    failing(troubled, times=1)
    async with troubled.http() as http:
        got = await http.post("/v1/things", content=b"hello")
    assert (got.status_code, got.text, len(troubled.upstream.seen)) == (503, "failed", 1)


async def test_a_streamed_upload_is_not_even_with_a_key(troubled):
    async def upload() -> Any:
        yield b"a"

    failing(troubled, times=1)
    async with troubled.http() as http:
        got = await http.post("/v1/customer-imports", content=upload(), headers={"idempotency-key": "k1"})
    assert (got.status_code, len(troubled.upstream.seen)) == (503, 1)


async def test_an_upstream_that_names_a_time_is_taken_at_its_word(troubled):
    failing(troubled, times=1, headers=[(b"retry-after", b"7")])
    async with troubled.http() as http:
        got = await http.get("/v1/things")
    assert (got.status_code, got.headers["retry-after"], len(troubled.upstream.seen)) == (503, "7", 1)


async def test_a_500_is_not_tried_again(troubled):
    failing(troubled, times=1, status=500)
    async with troubled.http() as http:
        assert (await http.get("/v1/things")).status_code == 500
    assert len(troubled.upstream.seen) == 1


async def test_in_an_outage_retries_are_a_fifth_of_requests(troubled):
    lane = troubled.gateway.lanes["customer"]
    lane.breaker, lane.budget = Breaker(BreakerPolicy(minimum=10_000)), RetryBudget(0.2, initial=0)
    failing(troubled, times=1_000_000)
    async with troubled.http() as http:
        for _ in range(50):
            await http.get("/v1/things")
    assert len(troubled.upstream.seen) == 60
