"""Statements on agents."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from crm_contact_center.agents.domain import DEFAULT_COSTS, Agent, AgentState
from crm_contact_center.agents.tables import agent, agent_skill, agent_state_log, channel_cost, skill
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_of, any_param
from crm_shared.ids import new_id
from crm_shared.tenancy import Viewer

_a, _s, _l = agent.c, agent_skill.c, agent_state_log.c

_FIELDS = [name for name in Agent.__dataclass_fields__ if name != "skills"]
_skills = (
    select(func.jsonb_object_agg(_s.skill, _s.level))
    .where(_s.tenant_id == _a.tenant_id, _s.agent_id == _a.id)
    .scalar_subquery()
    .label("skills")
)
_SEEN = select(*(_a[name] for name in _FIELDS), _skills)
_GET = _SEEN.where(_a.id == bindparam("id"))
_LOCK = select(_a.id).where(any_param(_a.id, "ids")).order_by(_a.id).with_for_update()
_LOCK_LOADS = (
    select(_a.id, _a.cap, _a.used)
    .where(any_param(_a.id, "ids"), _a.state == AgentState.AVAILABLE.value, _a.retired.is_(False))
    .order_by(_a.id)
    .with_for_update()
)
_MANY = _SEEN.where(any_param(_a.id, "ids"))
_SIGNED_IN = _SEEN.where(_a.state != AgentState.OFFLINE.value, _a.retired.is_(False))
_INSERT = insert(agent).values({name: bindparam(name) for name in ("tenant_id", *_FIELDS)}).on_conflict_do_nothing()
_PROFILE = (
    update(agent)
    .where(_a.id == bindparam("i"))
    .values(
        name=bindparam("n"), email=bindparam("e"), cap=bindparam("c"), retired=bindparam("r"), version=_a.version + 1
    )
)
_DROP_SKILLS = delete(agent_skill).where(_s.agent_id == bindparam("id"))
_PUT_SKILL = insert(agent_skill).values({name: bindparam(name) for name in ("tenant_id", "agent_id", "skill", "level")})
_STATE = (
    update(agent)
    .where(_a.id == bindparam("i"))
    .values(
        state=bindparam("s"),
        reason=bindparam("r"),
        state_since=bindparam("at"),
        idle_since=bindparam("idle"),
        presence_until=bindparam("until"),
    )
)
_LOG = insert(agent_state_log).values(
    {name: bindparam(name) for name in ("tenant_id", "id", "agent_id", "state", "reason", "at")}
)
_BEAT = (
    update(agent)
    .where(_a.id == bindparam("i"), _a.state != AgentState.OFFLINE.value)
    .values(presence_until=func.greatest(_a.presence_until, bindparam("until", type_=_a.presence_until.type)))
    .returning(_a.presence_until)
)
_RELEASE = (
    update(agent)
    .where(_a.id == bindparam("i"))
    .values(
        used=func.greatest(0, _a.used - bindparam("units", type_=_a.used.type)),
        idle_since=func.greatest(_a.idle_since, bindparam("at", type_=_a.idle_since.type)),
    )
)
_COSTS = select(channel_cost.c.channel, channel_cost.c.units)
_put_cost = insert(channel_cost).values({name: bindparam(name) for name in ("tenant_id", "channel", "units")})
_PUT_COST = _put_cost.on_conflict_do_update(
    index_elements=[channel_cost.c.tenant_id, channel_cost.c.channel], set_={"units": _put_cost.excluded.units}
)
_put_named = insert(skill).values({name: bindparam(name) for name in ("tenant_id", "name", "kind", "description")})
_PUT_NAMED = _put_named.on_conflict_do_update(
    index_elements=[skill.c.tenant_id, skill.c.name],
    set_={"kind": _put_named.excluded.kind, "description": _put_named.excluded.description},
)
_NOTICE_NAMED = _put_named.on_conflict_do_nothing()


async def insert_agent(tx: Tx, made: Agent) -> bool:
    """Keep a new agent; says whether it is one."""
    params = {"tenant_id": tx.tenant, **{name: getattr(made, name) for name in _FIELDS}}
    if not await tx.run(_INSERT, params):
        return False
    await put_skills(tx, made.id, made.skills)
    return True


async def get(tx: Tx, agent_id: UUID) -> Agent | None:
    """One agent."""
    row = await tx.one(_GET, {"id": agent_id})
    return _read(row) if row else None


async def view(tx: Tx, viewer: Viewer, agent_id: UUID) -> Agent | None:
    """One agent, as anybody in the tenant may see it."""
    return await get(tx, agent_id)


async def lock(tx: Tx, agent_id: UUID) -> Agent | None:
    """One agent, held until the transaction ends."""
    await tx.run(_LOCK, {"ids": [agent_id]})
    return await get(tx, agent_id)


async def lock_many(tx: Tx, agent_ids: Collection[UUID]) -> dict[UUID, Agent]:
    """These agents, held until the transaction ends; locked in the order of their ids, as everywhere."""
    await tx.run(_LOCK, {"ids": list(agent_ids)})
    return await get_many(tx, agent_ids)


async def lock_rooms(tx: Tx, agent_ids: Collection[UUID]) -> dict[UUID, int]:
    """How much room each of these agents has, of those who are available; held until the transaction ends."""
    rows = await tx.all(_LOCK_LOADS, {"ids": list(agent_ids)})
    return {row["id"]: row["cap"] - row["used"] for row in rows}


async def get_many(tx: Tx, agent_ids: Collection[UUID]) -> dict[UUID, Agent]:
    """These agents by id."""
    return {row["id"]: _read(row) for row in await tx.all(_MANY, {"ids": list(agent_ids)})}


async def signed_in(tx: Tx) -> list[Agent]:
    """Everyone who isn't offline."""
    return [_read(row) for row in await tx.all(_SIGNED_IN, {})]


async def list_agents(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Agent]:
    """Agents by name."""
    statement: Select[Any] = _SEEN.order_by(_a.name, _a.id).limit(limit)
    if filters.state is not None:
        statement = statement.where(_a.state == filters.state)
    if filters.skill is not None:
        has = select(_s.agent_id).where(_s.tenant_id == _a.tenant_id, _s.agent_id == _a.id, _s.skill == filters.skill)
        statement = statement.where(has.exists())
    if not filters.retired:
        statement = statement.where(_a.retired.is_(False))
    if after is not None:
        statement = statement.where(tuple_(_a.name, _a.id) > tuple_(after[0], after[1]))
    return [_read(row) for row in await tx.all(statement)]


async def set_profile(tx: Tx, changed: Agent) -> None:
    """Name, address, capacity, and whether the agent has left."""
    await tx.run(
        _PROFILE,
        {"i": changed.id, "n": changed.name, "e": changed.email, "c": changed.cap, "r": changed.retired},
    )


async def put_skills(tx: Tx, agent_id: UUID, skills: Mapping[str, int]) -> None:
    """These skills and no others."""
    await tx.run(_DROP_SKILLS, {"id": agent_id})
    await tx.many(
        _PUT_SKILL,
        [
            {"tenant_id": tx.tenant, "agent_id": agent_id, "skill": name, "level": level}
            for name, level in sorted(skills.items())
        ],
    )
    await tx.many(
        _NOTICE_NAMED,
        [{"tenant_id": tx.tenant, "name": name, "kind": "skill", "description": None} for name in sorted(skills)],
    )


async def set_state(tx: Tx, moved: Agent) -> None:
    """Keep the state that an agent has moved to, and log it."""
    await tx.run(
        _STATE,
        {
            "i": moved.id,
            "s": moved.state.value,
            "r": moved.reason,
            "at": moved.state_since,
            "idle": moved.idle_since,
            "until": moved.presence_until,
        },
    )
    await tx.run(
        _LOG,
        {
            "tenant_id": tx.tenant,
            "id": new_id(),
            "agent_id": moved.id,
            "state": moved.state.value,
            "reason": moved.reason,
            "at": moved.state_since,
        },
    )


async def beat(tx: Tx, agent_id: UUID, until: datetime) -> datetime | None:
    """Prolong an agent's presence; None for one who isn't signed in."""
    return await tx.scalar(_BEAT, {"i": agent_id, "until": until})


async def release(tx: Tx, agent_id: UUID, *, units: int, at: datetime) -> None:
    """Give capacity back."""
    await tx.run(_RELEASE, {"i": agent_id, "units": units, "at": at})


async def state_log(
    tx: Tx, agent_ids: Collection[UUID], *, since: datetime, until: datetime
) -> dict[UUID, list[tuple[datetime, str]]]:
    """The states of these agents in a time, oldest first: those entered in it, and the one each was in before."""
    inside = select(_l.agent_id, _l.state, _l.at, _l.id).where(
        any_of(_l.agent_id, agent_ids), _l.at >= since, _l.at < until
    )
    newest_first = func.row_number().over(partition_by=_l.agent_id, order_by=(_l.at.desc(), _l.id.desc()))
    ranked = (
        select(_l.agent_id, _l.state, _l.at, newest_first.label("rank"))
        .where(any_of(_l.agent_id, agent_ids), _l.at < since)
        .subquery()
    )
    before = select(ranked.c.agent_id, ranked.c.state, ranked.c.at).where(ranked.c.rank == 1)
    found: dict[UUID, list[tuple[datetime, str]]] = defaultdict(list)
    rows = [*await tx.all(before), *await tx.all(inside.order_by(_l.at, _l.id))]
    for row in rows:
        found[row["agent_id"]].append((row["at"], row["state"]))
    return found


async def anybody_there(tx: Tx, at: datetime) -> bool:
    """Whether some agent was signed in at a moment."""
    states = await state_log(tx, await all_ids(tx), since=at, until=at)
    return any(entered[-1][1] != AgentState.OFFLINE for entered in states.values())


async def with_skills(tx: Tx, needs: Mapping[str, int]) -> list[UUID]:
    """Who has all these levels."""
    statement = select(_a.id).where(_a.retired.is_(False))
    for name, level in needs.items():
        has = select(_s.agent_id).where(
            _s.tenant_id == _a.tenant_id, _s.agent_id == _a.id, _s.skill == name, _s.level >= level
        )
        statement = statement.where(has.exists())
    return [row["id"] for row in await tx.all(statement)]


async def all_ids(tx: Tx) -> list[UUID]:
    """Every agent there ever was."""
    return [row["id"] for row in await tx.all(select(_a.id).order_by(_a.id), {})]


async def costs(tx: Tx) -> dict[str, int]:
    """What a conversation on each channel takes of an agent's capacity."""
    return {**DEFAULT_COSTS, **{row["channel"]: row["units"] for row in await tx.all(_COSTS, {})}}


async def put_costs(tx: Tx, units: Mapping[str, int]) -> None:
    """Change what some channels take."""
    await tx.many(
        _PUT_COST, [{"tenant_id": tx.tenant, "channel": channel, "units": cost} for channel, cost in units.items()]
    )


async def put_named_skill(tx: Tx, name: str, kind: str, description: str | None) -> None:
    """Describe a skill."""
    await tx.run(_PUT_NAMED, {"tenant_id": tx.tenant, "name": name, "kind": kind, "description": description})


async def list_skills(
    tx: Tx, viewer: Viewer, filters: Any, *, limit: int, after: tuple[Any, ...] | None
) -> list[Record]:
    """Skills by name, with how many agents have each."""
    holders = select(func.count()).where(_s.tenant_id == skill.c.tenant_id, _s.skill == skill.c.name).scalar_subquery()
    statement = select(skill.c.name, skill.c.kind, skill.c.description, holders.label("agents"))
    statement = statement.order_by(skill.c.name).limit(limit)
    if after is not None:
        statement = statement.where(skill.c.name > after[0])
    return await tx.all(statement)


def _read(row: Record) -> Agent:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    values["state"] = AgentState(row["state"])
    return Agent(**values, skills=row["skills"] or {})
