"""Routes of agents and skills. Their states are routing's: they decide over conversations in hand."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Path, Query, Response

from crm_contact_center.agents import commands, store
from crm_contact_center.agents.schemas import (
    AgentCreate,
    AgentFilter,
    AgentPage,
    AgentRead,
    AgentUpdate,
    CapacityRead,
    CapacityUpdate,
    Heartbeat,
    PresenceRead,
    SkillFilter,
    SkillName,
    SkillPage,
    SkillRead,
    SkillWrite,
)
from crm_contact_center.references import AgentId
from crm_shared.db.pool import Tx
from crm_shared.http.call import Call, needs
from crm_shared.http.router import Router
from crm_shared.tenancy import Viewer

router = Router(
    prefix="/v1/agents", tag="agents", about="Who talks to customers: skills, capacity, state and presence."
)
skills = Router(prefix="/v1/skills", tag="skills", about="What agents are good at.")


@router.post("", status_code=201, response_model=AgentRead)
async def create(body: AgentCreate, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Create an agent, offline at first; users with the role agent become agents by themselves."""
    return await call.write(commands.create_agent, body.to_domain(), answer=AgentRead.of)


@router.get("", response_model=AgentPage)
async def list(filters: Annotated[AgentFilter, Query()], call: Annotated[Call, needs("agents:read")]) -> Response:
    """Agents by name."""
    return await call.page(store.list_agents, filters, answer=AgentRead.of, key=lambda agent: (agent.name, agent.id))


@router.get("/capacity", response_model=CapacityRead)
async def get_capacity(call: Annotated[Call, needs("agents:read")]) -> Response:
    """What one conversation on each channel takes of an agent's capacity."""

    async def query(tx: Tx, viewer: Viewer) -> dict[str, int]:
        return await store.costs(tx)

    return await call.read(query, answer=CapacityRead.of)


@router.patch("/capacity", response_model=CapacityRead)
async def update_capacity(body: CapacityUpdate, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Change what conversations take of an agent's capacity, for those queued from now on."""
    return await call.write(commands.set_costs, body.model_dump(exclude_unset=True), answer=CapacityRead.of)


@router.get("/{agent_id}", response_model=AgentRead)
async def get(agent_id: AgentId, call: Annotated[Call, needs("agents:read")]) -> Response:
    """One agent."""
    return await call.read(store.view, agent_id, answer=AgentRead.of)


@router.patch("/{agent_id}", response_model=AgentRead)
async def update(agent_id: AgentId, body: AgentUpdate, call: Annotated[Call, needs("routing:admin")]) -> Response:
    """Change an agent's name, address, skills or capacity; what is left out stays."""
    return await call.write(
        commands.change_agent, agent_id, body.changes(), expected=call.if_match(), answer=AgentRead.of
    )


@router.post("/{agent_id}/heartbeat", response_model=PresenceRead)
async def heartbeat(agent_id: AgentId, body: Heartbeat, call: Annotated[Call, needs("agents:write")]) -> Response:
    """Give a sign of life. Who gives none within the lease goes offline, and their customers go back to the queue."""

    def answer(until: datetime) -> PresenceRead:
        return PresenceRead(presence_until=until)

    return await call.write(commands.heartbeat, agent_id, timedelta(seconds=body.lease_s), answer=answer)


@skills.get("", response_model=SkillPage, name="list")
async def list_skills(
    filters: Annotated[SkillFilter, Query()], call: Annotated[Call, needs("agents:read")]
) -> Response:
    """All skills, with how many agents have each."""
    return await call.page(store.list_skills, filters, answer=SkillRead.of, key=lambda row: (row["name"],))


@skills.put("/{name}", status_code=204)
async def put(
    name: Annotated[SkillName, Path(description="The skill's name.")],
    body: SkillWrite,
    call: Annotated[Call, needs("routing:admin")],
) -> Response:
    """Say what a skill is about."""
    return await call.write(commands.describe_skill, name, body.kind, body.description)
