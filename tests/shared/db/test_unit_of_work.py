"""Many writers at once, over real transactions."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from crm_shared.db.unit_of_work import in_transaction
from crm_shared.errors import Conflict, InFlight
from crm_shared.testing.kit import ServiceKit
from crm_shared.testing.probe.app import note, write_note


async def test_one_key_sent_fifty_times_at_once_has_one_effect(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:

        async def send() -> Any:
            while True:
                answer = await client.post("/v1/notes", json={"title": "one"}, headers={"Idempotency-Key": "fifty"})
                if answer.json().get("code") != "request_in_flight":
                    return answer
                assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
                await asyncio.sleep(0.01)

        answers = await asyncio.gather(*(send() for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await kit.events(tenant)) == 1


async def test_a_key_in_flight_is_refused_at_once_while_the_pool_stays_free(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        path = (await client.post("/v1/notes", json={"title": "locked"})).headers["location"]
        async with kit.transaction(tenant) as tx:
            await tx.all(select(note.c.id).with_for_update())
            slow = asyncio.create_task(
                client.patch(path, json={"title": "a"}, headers={"If-Match": '"1"', "Idempotency-Key": "slow"})
            )
            while kit.database.idle > 4:
                await asyncio.sleep(0.01)
            refused = await asyncio.gather(
                *(
                    client.patch(path, json={"title": "a"}, headers={"If-Match": '"1"', "Idempotency-Key": "slow"})
                    for _ in range(20)
                )
            )
            assert {answer.status_code for answer in refused} == {409}
            assert (await client.get(path)).status_code == 200
        assert (await slow).status_code == 200
        again = await client.patch(path, json={"title": "a"}, headers={"If-Match": '"1"', "Idempotency-Key": "slow"})
    assert again.json()["version"] == 2


async def test_no_update_is_lost_between_two_who_saw_the_same_version(kit: ServiceKit) -> None:
    async with kit.client(kit.tenant()) as client:
        path = (await client.post("/v1/notes", json={"title": "start"})).headers["location"]
        answers = await asyncio.gather(
            *(client.patch(path, json={"title": f"t{n}"}, headers={"If-Match": '"1"'}) for n in range(10))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_a_unique_rule_holds_against_parallel_writers(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    async with kit.client(tenant) as client:
        answers = await asyncio.gather(*(client.post("/v1/notes", json={"title": "same"}) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["content-type"] == "application/problem+json"
            assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [("/title", "already_taken")]
    assert len(await kit.events(tenant)) == 1


async def test_a_deadlock_is_run_again_and_both_writers_succeed(kit: ServiceKit) -> None:
    tenant = kit.tenant()
    viewer = kit.viewer(tenant)
    async with kit.transaction(tenant) as tx:
        first = await write_note(tx, viewer, "a", now=kit.clock.now())
        second = await write_note(tx, viewer, "b", now=kit.clock.now())
    both_hold_one = asyncio.Barrier(2)
    runs: list[str] = []

    def locking(name: str, *ids: Any) -> Any:
        async def work(tx: Any) -> None:
            runs.append(name)
            await tx.all(select(note.c.id).where(note.c.id == ids[0]).with_for_update())
            if runs.count(name) == 1:
                await both_hold_one.wait()
            await tx.all(select(note.c.id).where(note.c.id == ids[1]).with_for_update())

        return in_transaction(kit.database, viewer, work)

    await asyncio.gather(locking("x", first.id, second.id), locking("y", second.id, first.id))
    assert len(runs) == 3


async def test_reruns_end_in_a_conflict_that_says_when_to_come_back(kit: ServiceKit) -> None:
    import asyncpg

    async def always(tx: Any) -> None:
        raise asyncpg.SerializationError("again")

    with pytest.raises(Conflict) as refused:
        await in_transaction(kit.database, kit.viewer(kit.tenant()), always)
    assert (refused.value.code, refused.value.retry_after_s) == ("contended", 1)
    assert not isinstance(refused.value, InFlight)
