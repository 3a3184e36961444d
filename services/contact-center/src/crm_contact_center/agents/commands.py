"""Agents come, change, pause and go. What that means for conversations in hand is decided above, in routing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from crm_contact_center.agents import store
from crm_contact_center.agents.domain import DEFAULT_LEASE, FULL, Agent, AgentState, check_skills
from crm_contact_center.agents.events import AgentStateChanged
from crm_contact_center.changes.store import Subject, note
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.errors import Conflict, FieldError, NotFound, PreconditionFailed
from crm_shared.ids import new_id, public_id
from crm_shared.tenancy import Viewer

PRESENCE = "agent.presence"
"""The kind of the due row that ends a presence lease."""


@dataclass(frozen=True, slots=True)
class NewAgent:
    """Somebody who is to talk to customers; `id` is given when they are a user of the suite."""

    name: str
    email: str | None = None
    user_id: UUID | None = None
    id: UUID | None = None
    skills: Mapping[str, int] = field(default_factory=dict[str, int])
    cap: int = FULL


async def create_agent(tx: Tx, viewer: Viewer, data: NewAgent, *, now: datetime) -> Agent:
    """A new agent, offline.

    Raises:
        Invalid: a skill level is out of range.
        Conflict: that user is an agent already.
    """
    check_skills(data.skills)
    made = Agent(
        id=data.id or new_id(),
        user_id=data.user_id,
        name=data.name,
        email=data.email,
        state=AgentState.OFFLINE,
        reason=None,
        state_since=now,
        cap=data.cap,
        used=0,
        idle_since=now,
        last_offered_at=None,
        presence_until=None,
        retired=False,
        version=1,
        created_at=now,
        skills=data.skills,
    )
    if not await store.insert_agent(tx, made):
        raise Conflict(
            "This user is an agent already.",
            code="agent_exists",
            errors=[FieldError("/user_id", "already_taken", "Change the agent that there is.")],
        )
    return made


async def change_agent(
    tx: Tx, viewer: Viewer, agent_id: UUID, changes: dict[str, Any], *, expected: int | None, now: datetime
) -> Agent:
    """Change name, address, capacity or skills.

    Raises:
        NotFound: there is no such agent.
        PreconditionFailed: the profile has changed since the sender saw it.
        Conflict: the new capacity is less than what is in use.
    """
    current = await locked(tx, agent_id)
    if expected is not None and expected != current.version:
        raise PreconditionFailed("The agent has changed; read it again and repeat your change.")
    skills: Mapping[str, int] = changes.get("skills", current.skills)
    check_skills(skills)
    changed = replace(
        current,
        name=changes.get("name", current.name),
        email=changes.get("email", current.email),
        cap=changes.get("cap", current.cap),
        skills=skills,
        version=current.version + 1,
    )
    if changed.cap < current.used:
        raise Conflict("The agent is in more conversations than the new capacity allows.", code="capacity_in_use")
    await store.set_profile(tx, changed)
    if skills != current.skills:
        await store.put_skills(tx, agent_id, skills)
    await note(tx, Subject.AGENT, [agent_id])
    return changed


async def move_to(
    tx: Tx,
    current: Agent,
    state: AgentState,
    *,
    now: datetime,
    reason: str | None = None,
    lease: timedelta = DEFAULT_LEASE,
) -> Agent:
    """Put a locked agent into a state, log it, tell everyone; nothing happens if they are in it already."""
    if current.state is state and current.reason == reason:
        if state is not AgentState.OFFLINE:
            await heartbeat(tx, Viewer.system(tx.tenant), current.id, lease, now=now)
        return current
    until = current.presence_until
    if current.state is AgentState.OFFLINE:
        until = now + lease
        await schedule(tx, PRESENCE, key=str(current.id), due_at=until)
    becomes_free = state is AgentState.AVAILABLE and current.state in (AgentState.OFFLINE, AgentState.BREAK)
    moved = replace(
        current,
        state=state,
        reason=reason,
        state_since=now,
        idle_since=now if becomes_free else current.idle_since,
        presence_until=until,
    )
    await store.set_state(tx, moved)
    tx.emit(
        AgentStateChanged(agent=moved.id, state=state, previous=current.state, reason=reason, at=now),
        aggregate_id=moved.id,
    )
    await note(tx, Subject.AGENT, [moved.id])
    return moved


async def heartbeat(tx: Tx, viewer: Viewer, agent_id: UUID, lease: timedelta, *, now: datetime) -> datetime:
    """A sign of life; says until when the agent counts as present. The due row follows when it falls due.

    Raises:
        NotFound: there is no such agent.
        Conflict: the agent isn't signed in (any more): ask for a state first.
    """
    until = await store.beat(tx, agent_id, now + lease)
    if until is not None:
        return until
    if await store.get(tx, agent_id) is None:
        raise NotFound.of("agent", public_id("agt", agent_id))
    raise Conflict("The agent is offline; ask for a state first.", code="agent_offline")


async def retire(tx: Tx, current: Agent, *, now: datetime) -> Agent:
    """An agent leaves for good; the record stays for history."""
    gone = replace(current, retired=True, version=current.version + 1)
    await store.set_profile(tx, gone)
    return replace(await move_to(tx, gone, AgentState.OFFLINE, now=now, reason="retired"), retired=True)


async def set_costs(tx: Tx, viewer: Viewer, units: Mapping[str, int], *, now: datetime) -> dict[str, int]:
    """Change what conversations take of an agent's capacity, from the next one queued on."""
    await store.put_costs(tx, units)
    return await store.costs(tx)


async def describe_skill(
    tx: Tx, viewer: Viewer, name: str, kind: str, description: str | None, *, now: datetime
) -> None:
    """Say what a skill is about."""
    await store.put_named_skill(tx, name, kind, description)


async def locked(tx: Tx, agent_id: UUID) -> Agent:
    """One agent, held until the transaction ends.

    Raises:
        NotFound: there is no such agent.
    """
    found = await store.lock(tx, agent_id)
    if found is None:
        raise NotFound.of("agent", public_id("agt", agent_id))
    return found
