"""Act five: people call, and reach an agent who speaks their language and sees who they are; some need more."""

import asyncio
from typing import Any

from crm_suite.demo.acts.moving_in import known_agents
from crm_suite.demo.door import Door
from crm_suite.demo.stage import Member, Stage, together
from crm_suite.steps import Note

SERVICE_LEVEL_S = 20
GIVING_UP = 0.08
NEEDING_MORE = 0.6
ASKING = ("my record is scratched", "the parcel is late", "the sleeve is torn", "which pressing is this?")


async def serve(stage: Stage) -> None:
    """Open the hotline and work until everybody has been served."""
    with stage.steps.step("hotline opened") as note:
        await known_agents(stage)
        queue = await open_queue(stage)
        note.text = f"{len(stage.staff['agent'])} agents, routed by language and skill"
    calling = stage.callers
    leaving = {number for number in calling if stage.chance.happens(GIVING_UP, "gives up", number)}
    with stage.steps.step("calls", total=len(calling)) as note:
        # Before the agents sit down some callers give up; so the figures don't hang on how fast this machine is.
        gone = await together(sorted(leaving), lambda number: give_up(stage, queue, number), note=note)
        staying = [number for number in calling if number not in leaving]
        await answer_all(stage, queue, staying, note)
        figures = stage.figures
        figures.interactions, figures.abandoned, figures.answered = len(calling), len(gone), len(staying)
        note.text = (
            f"{len(staying)} answered, {len(gone)} gave up, {figures.cards} with the customer's history on screen"
        )


async def open_queue(stage: Stage) -> str:
    queue = await stage.admin.post(
        "/v1/queues",
        {
            "name": "Records hotline",
            "channels": ["voice"],
            "requirements": {"music": 4},
            "language_level": 5,
            "wrap_up_s": 0,
            "service_level_s": SERVICE_LEVEL_S,
        },
    )
    return queue["id"]


async def call(stage: Stage, queue: str, number: int) -> Any:
    """One call; who it is follows from the telephone number alone."""
    body = {
        "channel": "voice",
        "from_address": stage.phones[number],
        "queue_id": queue,
        "subject": stage.chance.choose(ASKING, "asks", number),
    }
    return await stage.admin.post("/v1/interactions", body)


async def give_up(stage: Stage, queue: str, number: int) -> None:
    waiting = await call(stage, queue, number)
    await stage.admin.post(f"/v1/interactions/{waiting['id']}/abandon")


async def answer_all(stage: Stage, queue: str, numbers: list[int], note: Note) -> None:
    done = asyncio.Event()
    served: set[str] = set()

    def one_more(interaction: str) -> None:
        served.add(interaction)
        note.advance(1)
        if len(served) == len(numbers):
            done.set()

    async with asyncio.TaskGroup() as group:
        for agent in stage.staff["agent"]:
            group.create_task(work(stage, agent, done, one_more))
        await together(numbers, lambda number: call(stage, queue, number), at_once=2)
        if not numbers:
            done.set()


async def work(stage: Stage, agent: Member, done: asyncio.Event, served: Any) -> None:
    """An agent's shift: take what is offered, talk, wrap up."""
    desk = f"/v1/agents/{agent.id}"
    await agent.door.post(f"{desk}/state", {"state": "available", "lease_s": 600})
    while not done.is_set():
        offers = (await agent.door.get(f"{desk}/reservations", state="offered"))["items"]
        if not offers:
            await asyncio.sleep(0.05)
            continue
        for offer in offers:
            await talk(stage, agent.door, offer)
            served(offer["interaction_id"])
    await agent.door.post(f"{desk}/state", {"state": "offline"})


async def talk(stage: Stage, desk: Door, offer: dict[str, Any]) -> None:
    await desk.post(f"/v1/reservations/{offer['id']}/accept")
    if offer["card"]:
        stage.figures.cards += 1
    interaction = f"/v1/interactions/{offer['interaction_id']}"
    await desk.post(f"{interaction}/messages", {"text": "Good afternoon, how can I help?"})
    await desk.post(f"{interaction}/end", {"disposition": "helped"})
    await desk.post(f"/v1/reservations/{offer['id']}/complete")
