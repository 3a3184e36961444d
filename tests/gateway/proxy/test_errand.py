"""Coroutines that are carried on by what they wait for, and become tasks only where they must."""

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from crm_gateway.proxy.errand import Errand, News, as_task, current

mark: ContextVar[str] = ContextVar("mark", default="none")


class Stopped(Exception):
    pass


async def test_it_runs_at_once_and_goes_on_within_the_call_that_brings_the_news():
    news, steps = News(), []

    async def run() -> None:
        steps.append("begun")
        await news.wait()
        steps.append("told")
        await news.wait()
        steps.append("told again")

    ended: list[Errand] = []
    errand = Errand(run(), ended.append)
    errand.go_on()
    assert steps == ["begun"]
    news.tell()
    assert steps == ["begun", "told"]
    news.tell()
    assert steps == ["begun", "told", "told again"]
    assert ended == [errand]
    assert not errand.is_task
    assert current() is None
    news.tell()  # nobody waits any more


async def test_it_waits_for_anything_else_as_a_task():
    go_on, ended = asyncio.Event(), asyncio.Event()
    seen: list[Any] = []

    async def run() -> None:
        await go_on.wait()
        seen.append(asyncio.current_task())
        seen.append(current())
        async with asyncio.timeout(1):
            await asyncio.sleep(0)

    errand = Errand(run(), lambda _: ended.set())
    errand.go_on()
    assert errand.is_task
    go_on.set()
    await asyncio.wait_for(ended.wait(), 1)
    assert seen[0] is not None
    assert seen[1] is errand


async def test_news_reach_it_as_a_task_too():
    news, told = News(), asyncio.Event()

    async def run() -> None:
        await as_task()
        await news.wait()
        told.set()

    Errand(run()).go_on()
    await asyncio.sleep(0.01)
    news.tell()
    await asyncio.wait_for(told.wait(), 1)


async def test_as_a_task_it_may_ask_for_the_current_one():
    ended = asyncio.Event()

    async def run() -> None:
        await as_task()
        await as_task()  # it is one
        async with asyncio.timeout(1):
            await asyncio.sleep(0)

    Errand(run(), lambda _: ended.set()).go_on()
    await asyncio.wait_for(ended.wait(), 1)


async def test_one_errand_within_anothers_turn_is_not_taken_for_it():
    seen: list[Any] = []

    async def inner() -> None:
        seen.append(current())

    async def outer() -> None:
        within.go_on()
        seen.append(current())

    within = Errand(inner())
    errand = Errand(outer())
    errand.go_on()
    assert seen == [within, errand]


async def waiting(news: News, seen: list[Any], *, task: bool) -> None:
    if task:
        await as_task()
    try:
        await news.wait()
    except BaseException as error:
        seen.append(error)
        raise


@pytest.mark.parametrize("task", [False, True], ids=["by hand", "as a task"])
@pytest.mark.parametrize("at_once", [False, True], ids=["later", "before a task's first turn"])
async def test_an_interruption_arrives_as_it_was_said_and_cancels_nothing_else(task: bool, at_once: bool):
    stop, seen = Stopped(), []
    ended = asyncio.Event()

    async def run() -> None:
        try:
            await waiting(News(), [], task=task)
        except Stopped as error:
            await asyncio.sleep(0.001)  # it may go on to wait
            mine = asyncio.current_task()
            assert mine is not None
            seen.append((error, mine.cancelling()))

    errand = Errand(run(), lambda _: ended.set())
    errand.go_on()
    if not at_once:
        await asyncio.sleep(0.001)
    errand.interrupt(stop)
    await asyncio.wait_for(ended.wait(), 1)
    assert seen == [(stop, 0)]
    errand.interrupt(Stopped())  # it is over


async def test_within_a_task_of_somebody_else_it_is_that_task():
    seen: list[Any] = []
    news = News()

    async def run() -> None:
        seen.append(current())
        await news.wait()
        seen.append(current())

    errand = Errand(run())
    task = asyncio.create_task(errand.here())
    await asyncio.sleep(0)
    assert current() is None
    news.tell()
    await task
    assert seen == [errand, errand]


async def test_a_fault_of_what_it_waits_for_arrives_as_a_task_too():
    seen: list[Any] = []
    promise = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def run() -> None:
        try:
            await promise
        except Stopped as error:
            seen.append(error)

    Errand(run(), lambda _: ended.set()).go_on()
    promise.set_exception(Stopped())
    await asyncio.wait_for(ended.wait(), 1)
    assert len(seen) == 1


async def test_what_it_sets_in_its_context_is_seen_by_nobody_else():
    news, seen = News(), []

    async def run(name: str) -> None:
        token = mark.set(name)
        await news.wait()
        seen.append(mark.get())
        await asyncio.sleep(0)  # a task from here on, in the same context
        seen.append(mark.get())
        mark.reset(token)

    ended = asyncio.Event()
    Errand(run("mine"), lambda _: ended.set()).go_on()
    assert mark.get() == "none"
    news.tell()
    await asyncio.wait_for(ended.wait(), 1)
    assert seen == ["mine", "mine"]
    assert mark.get() == "none"


async def test_a_failure_ends_in_the_log_and_not_in_whoever_carried_it_on():
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    news = News()

    async def run() -> None:
        await news.wait()
        raise Stopped

    ended: list[Errand] = []
    try:
        Errand(run(), ended.append).go_on()
        news.tell()
    finally:
        loop.set_exception_handler(before)
    assert isinstance(told[0]["exception"], Stopped)
    assert len(ended) == 1


async def test_a_server_that_stops_can_end_it_while_it_goes_through_all_of_them():
    ended: set[Errand] = set()
    all_ = {Errand(waiting(News(), [], task=task), ended.add) for task in (False, False, True)}
    running = set(all_)
    for errand in all_:
        errand._ended = lambda gone: (running.discard(gone), ended.add(gone))
        errand.go_on()
    for errand in running:  # as uvicorn does it: none may leave the set meanwhile
        errand.cancel(msg="the server stops")
    async with asyncio.timeout(1):
        while running:
            await asyncio.sleep(0.001)
    assert ended == all_
