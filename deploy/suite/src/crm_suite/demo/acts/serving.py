"""Act five: people call, and reach an agent who speaks their language and sees who they are; some need more."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from crm_suite.demo.acts.asking import ask_all, make_survey
from crm_suite.demo.acts.moving_in import known_agents
from crm_suite.demo.door import Door, Refused
from crm_suite.demo.stage import Member, Stage, together
from crm_suite.steps import Note

SERVICE_LEVEL_S = 20
GIVING_UP = 0.08
NEEDING_MORE = 0.6
ASKING = (
    ("my record is scratched", "complaint"),
    ("the parcel is late", "complaint"),
    ("the sleeve is torn, can I have another?", "return_exchange"),
    ("which pressing is this?", "query"),
)


async def serve(stage: Stage) -> None:
    """Open the hotline and work until everybody has been served."""
    with stage.steps.step("hotline opened") as note:
        agents = await known_agents(stage)
        queue = await open_queue(stage)
        await make_survey(stage)
        note.text = f"{len(agents)} agents, routed by language and skill"
    calling = stage.callers
    leaving = {number for number in calling if stage.chance.happens(GIVING_UP, "gives up", number)} - {stage.star}
    staying = [number for number in calling if number not in leaving]
    figures = stage.figures
    with stage.steps.step("calls and chats", total=len(calling)) as note:
        # Before the agents sit down some callers give up; so the figures don't hang on how fast this machine is.
        gone = await together(sorted(leaving), lambda number: give_up(stage, queue, number), note=note)
        await Hotline(stage, agents, note).answer(staying, queue)
        figures.interactions, figures.abandoned, figures.answered = len(calling), len(gone), len(staying)
        note.text = f"{len(staying)} answered, {len(gone)} gave up, {figures.cards} with the customer's card on screen"
    with stage.steps.step("tickets and satisfaction") as note:
        await ask_all(stage)
        note.text = f"{figures.tickets} tickets, {figures.solved} solved; {figures.answers} customers told how it was"


async def open_queue(stage: Stage) -> str:
    queue = await stage.admin.post(
        "/v1/queues",
        {
            "name": "Records hotline",
            "channels": ["voice", "chat"],
            "requirements": {"music": 4},
            "language_level": 5,
            "wrap_up_s": 30,
            "service_level_s": SERVICE_LEVEL_S,
        },
    )
    stage.queue_id = queue["id"]
    return stage.queue_id


async def call(stage: Stage, queue: str, number: int) -> Any:
    """Somebody reaches us; who it is follows from the telephone number or the address alone."""
    phone = stage.phones.get(number)
    subject, _ = stage.chance.choose(ASKING, "asks", number)
    return await stage.admin.post(
        "/v1/interactions",
        {
            "channel": "voice" if phone else "chat",
            "from_address": phone or stage.people[number].email,
            "queue_id": queue,
            "subject": subject,
        },
    )


async def give_up(stage: Stage, queue: str, number: int) -> None:
    waiting = await call(stage, queue, number)
    await stage.admin.post(f"/v1/interactions/{waiting['id']}/abandon")


@dataclass
class Hotline:
    """The hotline at work: callers on one side, agents on the other."""

    stage: Stage
    agents: list[tuple[str, Member]]
    note: Note
    waiting: int = 0

    async def answer(self, numbers: list[int], queue: str) -> None:
        """All of them call; every agent works until nobody waits any more."""
        self.waiting = len(numbers)
        shifts = [self.work(agent_id, member) for agent_id, member in self.agents]
        calls = together(numbers, lambda number: call(self.stage, queue, number), at_once=2)
        await together([calls, *shifts], _wait, at_once=1 + len(shifts))

    async def work(self, agent_id: str, agent: Member) -> None:
        """An agent's shift: take what is offered, talk, wrap up."""
        desk = f"/v1/agents/{agent_id}"
        await agent.door.post(f"{desk}/state", {"state": "available", "lease_s": 600})
        while self.waiting:
            offers = (await agent.door.get(f"{desk}/reservations", state="pending"))["items"]
            if not offers:
                await self.be_there(agent.door, desk)
            for offer in offers:
                if await self.talk(agent.door, offer):
                    self.waiting -= 1
                    self.note.advance(1)
        await agent.door.post(f"{desk}/state", {"state": "offline"})

    async def be_there(self, door: Door, desk: str) -> None:
        """Who missed an offer, as everybody does while the suite is down, is on a break until they are back."""
        await asyncio.sleep(0.1)
        if (await door.get(desk))["state"] == "break":
            await door.post(f"{desk}/state", {"state": "available", "lease_s": 600})

    async def talk(self, desk: Door, offer: dict[str, Any]) -> bool:
        """One conversation; tells whether it came to one, as the offer may have run out."""
        figures = self.stage.figures
        if not await in_time(desk, f"/v1/reservations/{offer['id']}/accept"):
            return False
        if offer["card"]:
            figures.cards += 1
        path = f"/v1/interactions/{offer['interaction_id']}"
        interaction = await desk.get(path)
        await desk.post(f"{path}/messages", {"text": "Good afternoon, how can I help?"})
        number = self.stage.number_of[interaction["customer_id"]]
        if number == self.stage.star or self.stage.chance.happens(NEEDING_MORE, "needs more", number):
            await handle(self.stage, desk, interaction, number)
        await desk.post(f"{path}/end", {"disposition": "helped"})
        await in_time(desk, f"/v1/reservations/{offer['id']}/complete")
        return True


async def in_time(desk: Door, path: str) -> bool:
    """Whether this could still be done: offers and wrapping up run out."""
    try:
        await desk.post(path)
    except Refused as refused:
        if refused.status != HTTPStatus.CONFLICT:
            raise
        return False
    return True


async def handle(stage: Stage, desk: Door, interaction: dict[str, Any], number: int) -> None:
    """What can't be answered at once becomes a ticket, with clocks for the first response and the solution."""
    _, kind = stage.chance.choose(ASKING, "asks", number)
    ticket = await desk.post("/v1/tickets", {"kind": kind, "interaction_id": interaction["id"]})
    path = f"/v1/tickets/{ticket['id']}"
    await desk.post(f"{path}/reply", {"text": "I am looking into it."})
    stage.figures.tickets += 1
    if number == stage.star or stage.chance.happens(0.8, "solved", number):
        await desk.post(f"{path}/solve", {"text": "A new one is on its way."})
        stage.figures.solved += 1


async def _wait(work: Awaitable[Any]) -> Any:
    return await work
