"""The matcher alone: 100,000 contacts of 300 classes wait, 10,000 agents of 400 profiles become free one by one."""

import gc
from random import Random
from time import process_time

from asyncpg.pgproto.pgproto import UUID  # the ids that the database driver gives

from crm_contact_center.routing.domain.index import RoutingIndex
from crm_contact_center.routing.domain.matching import Agent, Contact
from crm_contact_center.routing.domain.requirements import RoutingStrategy, plan
from crm_shared.runtime.freezing import freeze_start_up

VOICE = 100
_SKILLS = [f"skill-{n}" for n in range(40)]


def decisions_per_s(*, agents: int, waiting: int, decisions: int) -> float:
    """Decisions a CPU-second: each begins with an agent who has just become free."""
    chance = Random(7)
    classes = [
        plan(
            {name: chance.randint(1, 5) for name in chance.sample(_SKILLS, 2)},
            (),
            cost=VOICE,
            strategy=RoutingStrategy.LONGEST_IDLE,
        )
        for _ in range(300)
    ]
    profiles = [tuple(sorted((name, chance.randint(1, 9)) for name in chance.sample(_SKILLS, 6))) for _ in range(400)]
    people = [Agent(_id(n), chance.choice(profiles), VOICE, n / 1e4) for n in range(agents)]
    index = RoutingIndex()
    for person in people:  # everybody is signed in, nobody is free
        index.put_agent(person._replace(room=0, used=VOICE))
    for n in range(waiting):
        index.put_contact(Contact(_id(10**6 + n), chance.choice(classes), n / 1e3, n / 1e3), 0)
    index.match(0, 1)
    freeze_start_up()  # as every process of the suite does after its start
    try:
        for person in people[: agents // 2]:  # every profile has been seen before, as on any day but the first
            index.put_agent(person)
            index.match(200.0, 10)
        made, turn, begun = 0, agents // 2, process_time()
        while made < decisions:
            index.put_agent(people[turn % agents])
            made += len(index.match(200.0, 10))
            turn += 1
            if turn > 4 * (agents + decisions):
                raise RuntimeError("too few of those who wait can be taken by anybody")
        return made / (process_time() - begun)
    finally:
        gc.unfreeze()


def _id(number: int) -> UUID:
    return UUID(number.to_bytes(16))
