"""One member of a group on the PostgreSQL log: leases, fetching, acknowledging, rebalancing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg

from crm_shared.bus.log_member import Lease, Member, Spot, delivered_from, shares
from crm_shared.bus.port import BusUnavailable, Delivered, Fenced, Lag, Place
from crm_shared.bus.wake import Doorbell
from crm_shared.db.away import AWAY
from crm_shared.observability.logs import logger

_log = logger("bus.postgres_log")
_BEAT_PART = 5
_POLL_S = 0.25
_CLAIM_AGAIN_S = 0.05
_LOOK_EVERY_S = 0.2
GRACE_S = 10.0


class LogSubscription:
    """A group member; its connection's life is its own life in the group."""

    def __init__(
        self,
        member: Member,
        *,
        pool: "asyncpg.Pool[Any]",
        connect: Callable[[], Awaitable[Any]],
        doorbell: Doorbell,
        ring: Callable[[], None],
    ) -> None:
        self._member = member
        self._pool = pool
        self._connect = connect
        self._doorbell = doorbell
        self._ring = ring
        self._names = {number: name for name, number in member.topics.items()}
        self._connection: Any = None
        self._leases: dict[Spot, Lease] = {}
        self._generation = -1
        self._settled = False
        self._turn = 0
        self._looked_s = 0.0
        self._beating: asyncio.Task[None] | None = None

    @classmethod
    async def join(cls, member: Member, **parts: Any) -> "LogSubscription":
        """Become a member; partitions are claimed by the first fetches."""
        subscription = cls(member, **parts)
        await subscription._enter()
        return subscription

    @property
    def assignment(self) -> frozenset[Place]:
        """The partitions this member owns now."""
        return frozenset((self._names[topic], part) for topic, part in self._leases)

    async def fetch(self, max_records: int, timeout_s: float) -> list[Delivered]:
        """New records of the partitions this member owns, oldest first."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            while True:
                if self._connection is None:
                    await self._enter()
                if not self._settled:
                    await self._settle()
                records = await self._read(max_records)
                remaining_s = deadline - asyncio.get_running_loop().time()
                if records or remaining_s <= 0:
                    return records
                await self._doorbell.wait(min(remaining_s, _POLL_S if self._settled else _CLAIM_AGAIN_S))
                await self._look_round()
        except AWAY as error:
            self._drop()
            raise BusUnavailable(f"the log's database is away: {type(error).__name__}: {error}") from error

    async def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        """Move the group's offsets just past these records, unless the partitions have another owner by now."""
        nexts: dict[Spot, int] = {}
        for record in delivered:
            spot = (self._member.topics[record.topic], record.partition)
            nexts[spot] = max(nexts.get(spot, 0), record.offset + 1)
        if not nexts:
            return
        if self._connection is None or not nexts.keys() <= self._leases.keys():
            raise Fenced(f"{self._member.group}: a partition has been taken away")
        try:
            moved = await self._move(nexts)
        except AWAY as error:
            self._drop()
            raise BusUnavailable(f"the log's database is away: {type(error).__name__}: {error}") from error
        if moved < len(nexts):
            self._settled = False
            raise Fenced(f"{self._member.group}: {len(nexts) - moved} partitions belong to another member now")

    async def lag(self) -> Mapping[Place, Lag]:
        """Records behind and the age of the oldest one, per owned partition."""
        spots = list(self._leases)
        rows = await self._pool.fetch(
            """
            SELECT l.topic_id, l.part, h.next_offset - l.next_offset AS behind,
                   extract(epoch FROM clock_timestamp() - (
                       SELECT r.at FROM bus.record r WHERE r.topic_id = l.topic_id AND r.part = l.part
                       AND r.off >= l.next_offset ORDER BY r.off LIMIT 1))::float8 AS age_s
            FROM bus.lease l JOIN bus.head h USING (topic_id, part)
            JOIN unnest($2::int[], $3::smallint[]) AS w(t, p) ON l.topic_id = t AND l.part = p
            WHERE l.group_name = $1
            """,
            self._member.group,
            [topic for topic, _ in spots],
            [part for _, part in spots],
        )
        return {
            (self._names[row["topic_id"]], row["part"]): Lag(max(row["behind"], 0), max(row["age_s"] or 0.0, 0.0))
            for row in rows
        }

    async def aclose(self) -> None:
        """Leave the group; its partitions are free at once."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
            self._beating = None
        if self._connection is not None:
            with suppress(*AWAY, asyncpg.PostgresError):
                await self._connection.execute("SELECT bus.leave_group($1, $2)", self._member.group, self._member.id)
            self._drop()
            self._ring()

    async def _enter(self) -> None:
        connection = await self._connect()
        try:
            member = self._member = Member(self._member.group, self._member.topics, self._member.session_s)
            await connection.execute("SELECT pg_advisory_lock($1)", member.alive_key)
            await connection.execute(
                "SELECT bus.join_group($1, $2, $3, $4, $5)",
                member.group, member.id, member.alive_key, list(member.topics), member.session_s,
            )  # fmt: skip
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._ring()
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name=f"bus-beat-{member.group}")

    def _drop(self) -> None:
        """Forget everything; the next fetch joins anew, and what was unacknowledged is delivered again."""
        connection, self._connection = self._connection, None
        self._leases.clear()
        self._settled = False
        if connection is not None:
            connection.terminate()

    async def _beat(self) -> None:
        """Stay alive, notice joins and departures, and notice being declared dead."""
        pause_s = self._member.session_s / _BEAT_PART
        while True:
            await asyncio.sleep(pause_s)
            if self._connection is None:
                continue
            who = self._member
            try:
                generation = await self._pool.fetchval("SELECT bus.beat($1, $2, $3)", who.group, who.id, who.session_s)
            except (*AWAY, asyncpg.PostgresError) as error:
                _log.warning("beat_failed", group=who.group, error=error)
                continue
            if who is not self._member or generation == self._generation:
                continue
            if generation is None:
                _log.warning("declared_dead", group=who.group)
                self._drop()
            self._settled = False
            self._doorbell.ring()

    async def _look_round(self) -> None:
        """While nothing comes in, notice at once who joins and leaves; under load the beat does."""
        now_s = asyncio.get_running_loop().time()
        if self._connection is not None and now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._settled = self._settled and self._generation == await self._current_generation()

    async def _current_generation(self) -> int:
        group = self._member.group
        return await self._connection.fetchval("SELECT generation FROM bus.consumer_group WHERE name = $1", group)

    async def _settle(self) -> None:
        """Let go of what others should own and claim what this member should; unfinished claims are tried again."""
        connection, group = self._connection, self._member.group
        generation = await self._current_generation()
        members = await connection.fetch("SELECT id, topics FROM bus.member WHERE group_name = $1", group)
        heads = await connection.fetch(
            "SELECT topic_id, part FROM bus.head WHERE topic_id = ANY($1)", list(self._member.topics.values())
        )
        topics: dict[str, list[int]] = {}
        for topic, part in heads:
            topics.setdefault(self._names[topic], []).append(part)
        fair = shares({row["id"]: row["topics"] for row in members}, topics).get(self._member.id)
        if fair is None:  # declared dead between two beats
            self._drop()
            return
        wanted = {(self._member.topics[topic], part) for topic, part in fair}
        if generation != self._generation:
            # A lease can have been seized while this member was slow; claiming what is still ours costs nothing.
            self._leases.clear()
        await self._release(wanted)
        await self._claim(wanted, generation)
        self._generation = generation
        self._settled = self._leases.keys() == wanted

    async def _release(self, wanted: set[Spot]) -> None:
        for spot in self._leases.keys() - wanted:
            del self._leases[spot]
        freed = await self._connection.fetch(
            "UPDATE bus.lease l SET member = NULL WHERE l.group_name = $1 AND l.member = $2 AND NOT EXISTS ("
            "SELECT 1 FROM unnest($3::int[], $4::smallint[]) AS w(t, p) WHERE l.topic_id = t AND l.part = p) "
            "RETURNING 1",
            self._member.group, self._member.id, [topic for topic, _ in wanted], [part for _, part in wanted],
        )  # fmt: skip
        if freed:
            self._ring()

    async def _claim(self, wanted: set[Spot], generation: int) -> None:
        missing = sorted(wanted - self._leases.keys())
        if not missing:
            return
        claimed = await self._connection.fetch(
            "SELECT * FROM bus.claim($1, $2, $3, $4, $5, $6)",
            self._member.group, self._member.id, generation,
            [topic for topic, _ in missing], [part for _, part in missing], GRACE_S,
        )  # fmt: skip
        for topic, part, position, lease in claimed:
            self._leases[topic, part] = Lease(lease, position)

    async def _read(self, max_records: int) -> list[Delivered]:
        spots = list(self._leases)
        if not spots:
            return []
        behind = await self._connection.fetch(
            "SELECT t, p, o, h.next_offset FROM unnest($1::int[], $2::smallint[], $3::bigint[]) AS w(t, p, o) "
            "JOIN bus.head h ON h.topic_id = t AND h.part = p AND h.next_offset > o ORDER BY t, p",
            [topic for topic, _ in spots],
            [part for _, part in spots],
            [self._leases[spot].position for spot in spots],
        )
        if not behind:
            return []
        # Every partition gets its share; when there are more of them than records may be fetched, they take turns.
        turn = self._turn % len(behind)
        behind = (behind[turn:] + behind[:turn])[:max_records]
        self._turn += len(behind)
        rows = await self._connection.fetch(
            "SELECT r.* FROM unnest($1::int[], $2::smallint[], $3::bigint[]) AS w(t, p, o) CROSS JOIN LATERAL ("
            "SELECT r.topic_id, r.part, r.off, r.at, r.key, r.headers, r.value FROM bus.record r "
            "WHERE r.topic_id = t AND r.part = p AND r.off >= o ORDER BY r.off LIMIT $4) r",
            [row["t"] for row in behind],
            [row["p"] for row in behind],
            [row["o"] for row in behind],
            max(max_records // len(behind), 1),
        )
        await self._pass_over_swept(behind, rows)
        for row in rows:
            self._leases[row["topic_id"], row["part"]].position = row["off"] + 1
        records = [delivered_from(row, self._names[row["topic_id"]]) for row in rows]
        records.sort(key=_timestamp)  # stable, and time never runs back within a partition
        return records

    async def _pass_over_swept(self, behind: Sequence[Any], rows: Sequence[Any]) -> None:
        """Records that retention took before anyone read them are passed over, or lag would count them for ever."""
        empty = {(row["t"], row["p"]): row["next_offset"] for row in behind}
        for row in rows:
            empty.pop((row["topic_id"], row["part"]), None)
        if empty:
            for spot, position in empty.items():
                self._leases[spot].position = position
            await self._move(empty)

    async def _move(self, nexts: Mapping[Spot, int]) -> int:
        spots = list(nexts)
        return await self._connection.fetchval(
            "SELECT bus.acknowledge($1, $2, $3, $4, $5, $6)",
            self._member.group, self._member.id,
            [topic for topic, _ in spots], [part for _, part in spots],
            [self._leases[spot].generation for spot in spots], [nexts[spot] for spot in spots],
        )  # fmt: skip


def _timestamp(record: Delivered) -> datetime:
    return record.timestamp.astimezone(UTC)
