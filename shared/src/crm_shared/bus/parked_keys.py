"""Parked keys go on: by the missing event, by a snapshot, by a retry that works, or by an operator's audited skip."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from crm_shared.bus import parking_desk
from crm_shared.bus.effects import Effects
from crm_shared.bus.intake import IDLE_AT_MOST_S, TAKE_DEADLINE_S, Healing, Intake
from crm_shared.bus.port import Delivered
from crm_shared.bus.sequencing import ERASED, SNAPSHOT, Step, Verdict, judge, replaces, step_of
from crm_shared.clock import Clock
from crm_shared.db import inbox, parking
from crm_shared.db.away import PASSING
from crm_shared.db.inbox import Position
from crm_shared.db.parking import ParkedEvent
from crm_shared.db.pool import NO_TENANT, Database, Tx
from crm_shared.events import Envelope
from crm_shared.observability.logs import logger

_log = logger("bus.parked")


class ParkedKeys:
    """What waits in one consuming service."""

    def __init__(self, database: Database, effects: Effects, intake: Intake, clock: Clock) -> None:
        self._database = database
        self._effects = effects
        self._intake = intake
        self._clock = clock

    async def retry_due(self) -> int:
        """Try every key whose time has come; says how many were tried."""
        due = await parking.due_keys(self._database, now=self._clock.now())
        for tenant, key in due:
            await self._drain(tenant, key, wait=False)  # whom another worker tries right now is in good hands
        return len(due)

    async def heal(self, keys: Iterable[Healing]) -> None:
        """Let these keys go on as far as they can."""
        for healing in keys:
            await self._drain(healing.tenant, healing.key)

    async def retry(self, tenant: UUID, key: str, *, actor: str, reason: str) -> None:
        """Try a key now instead of when its time has come."""
        async with self._database.transaction(tenant) as tx:
            await parking_desk.retry(tx, key, actor=actor, reason=reason, now=self._clock.now())
        await self._drain(tenant, key)

    async def skip(self, tenant: UUID, key: str, *, actor: str, reason: str) -> None:
        """Give up what holds a key back — the event that fails, or those that never came — and let it go on.

        Raises:
            NotFound: nothing waits under this key.
        """
        async with self._database.transaction(tenant) as tx:
            await parking_desk.skip(tx, key, actor=actor, reason=reason, now=self._clock.now())
        if tenant != NO_TENANT:
            await self._drain(tenant, key)

    async def _drain(self, tenant: UUID, key: str, *, wait: bool = True) -> None:
        try:
            while await (self._reread(key) if tenant == NO_TENANT else self._step(tenant, key, wait=wait)):
                pass
        except Exception as error:  # noqa: BLE001 # whatever a handler raises keeps its key here
            _log.warning("still_parked", key=key, error=error)
            failed = None if tenant == NO_TENANT or isinstance(error, PASSING) else parking.FAILED
            async with self._database.transaction(tenant) as tx:
                told = f"{type(error).__name__}: {error}"
                await parking.try_later(tx, key, now=self._clock.now(), reason=failed, error=told)

    async def _step(self, tenant: UUID, key: str, *, wait: bool) -> bool:
        """Apply the one message that comes next, in a transaction of its own; says whether there may be more."""
        async with self._database.transaction(tenant, idle_at_most_s=IDLE_AT_MOST_S) as tx:
            at = await parking.lock_parked_key(tx, key, wait=wait)
            if at is None:
                return False
            event = await self._next(tx, key, at)
            if event is None:
                if await parking.first_parked(tx, key):
                    await parking.try_later(tx, key, now=self._clock.now())
                else:
                    await parking.release_key(tx, key)
                    _log.info("key_released", key=key)
                return False
            await parking.drop_event(tx, event)
            if event.raw:  # blanked by an erasure: it keeps its place in the sequence and says nothing any more
                async with asyncio.timeout(TAKE_DEADLINE_S):
                    await self._effects.apply(tx, [_step_for(event, at)])
            if event.position > at:
                await inbox.advance(tx, {key: event.position})
            return True

    async def _next(self, tx: Tx, key: str, at: Position) -> ParkedEvent | None:
        """A snapshot jumps the queue: what it stands for needn't be projected, and may never come."""
        jump = await parking.latest_of_types(tx, key, (ERASED, SNAPSHOT))
        if jump is not None and judge(at, jump.position, jump.type) is Verdict.REPLACES:
            return jump
        first = await parking.first_parked(tx, key)
        if first is None or judge(at, first.position, first.type) is Verdict.TOO_EARLY:
            return None
        return first

    async def _reread(self, key: str) -> bool:
        """A message that was no event may be one for a newer version of us."""
        async with self._database.transaction(NO_TENANT) as tx:
            if await parking.lock_parked_key(tx, key) is None:
                return False
            waiting = await parking.first_parked(tx, key)
        if waiting is not None:
            place = (waiting.partition, waiting.offset)
            delivered = Delivered(waiting.topic, key, waiting.raw, {}, *place, self._clock.now())
            await self._intake.read(delivered)  # raises what keeps it here
            await self.heal(await self._intake.take([delivered]))
        async with self._database.transaction(NO_TENANT) as tx:
            if waiting is not None:
                await parking.drop_event(tx, waiting)
            await parking.forget_key(tx, key)
        return False


def _step_for(event: ParkedEvent, at: Position) -> Step:
    """Events that a snapshot has overtaken no longer shape projections; what they call for is still done."""
    envelope = Envelope.from_record(event.topic, event.raw)
    overtaken = event.position <= at and not replaces(event.type)
    return Step(envelope, projections=False) if overtaken else step_of(envelope)
