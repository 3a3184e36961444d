"""Sending in waves: one commit says what is about to be tried and stores what became of the wave before.

No transaction is open while the network is used. A process that dies leaves at most one wave `attempting`; whoever
takes the lane after its lease has lapsed settles it by policy. One sender at a time works for a tenant and channel.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter as Metric

from crm_communication_dispatch.governance import commands as governance
from crm_communication_dispatch.governance import store as policies
from crm_communication_dispatch.governance.commands import Silence
from crm_communication_dispatch.governance.domain import Policy, Ruling, SuppressionReason
from crm_communication_dispatch.links import Links
from crm_communication_dispatch.messages.composing import Composed, Composer, Uncomposable
from crm_communication_dispatch.messages.domain import Settled, Status, settle
from crm_communication_dispatch.messages.events import tell
from crm_communication_dispatch.messages.judging import Judge, Judged, explanation, status_of
from crm_communication_dispatch.messages.scheduling import SEND, lease_key, next_key
from crm_communication_dispatch.messages.store import waves
from crm_communication_dispatch.messages.store.waves import Decided
from crm_communication_dispatch.providers import store as providers
from crm_communication_dispatch.providers.configuration import Route, route_of
from crm_communication_dispatch.providers.domain import Answer, Fault, TokenBucket
from crm_communication_dispatch.providers.port import MailProvider
from crm_communication_dispatch.settings import MailSettings
from crm_communication_dispatch.templates import store as templates
from crm_shared.clock import Clock
from crm_shared.db.departures import has_left
from crm_shared.db.due import schedule, unschedule
from crm_shared.db.pool import Database, Tx
from crm_shared.ids import new_id
from crm_shared.observability.logs import logger
from crm_shared.tenancy import Viewer

_log = logger("sender")
_CLAIM = 500
SENT = Metric("crm_messages_settled", "Messages that were tried, by what became of them.", ["channel", "outcome"])
_ROOM_PAUSE_S = 0.2


@dataclass(slots=True)
class Outbound:
    """What senders of one process share: settings, signed links, and one pool of sessions per relay."""

    settings: MailSettings
    connect: Callable[[Route], MailProvider]
    links: Links
    owner: UUID = field(default_factory=new_id)
    providers: dict[object, MailProvider] = field(default_factory=dict[object, MailProvider])
    buckets: dict[object, TokenBucket] = field(default_factory=dict[object, TokenBucket])

    def provider(self, route: Route) -> MailProvider:
        """The pool of a route's relay."""
        known = self.providers.get(route.relay)
        if known is None:
            known = self.providers[route.relay] = self.connect(route)
        return known

    def bucket(self, route: Route) -> TokenBucket:
        """The rate of a route's relay, whoever sends through it."""
        return self.buckets.setdefault(route.relay, TokenBucket(float(route.relay.rate_per_s)))

    async def close(self) -> None:
        """Hang up everywhere."""
        await asyncio.gather(*(provider.close() for provider in self.providers.values()))


class LaneLost(Exception):  # an event, not an error: another sender has taken over
    """This sender's lease ran out and somebody else works on."""


@dataclass(slots=True)
class Lane:
    """One run of the only sender of a tenant's channel."""

    database: Database
    clock: Clock
    outbound: Outbound
    tenant: UUID
    channel: str = "email"
    has_room: Callable[[], Awaitable[bool]] | None = None
    stopping: bool = False
    sent: int = 0
    _buffer: deque[Judged] = field(default_factory=deque[Judged])
    _answers: list[Answer] = field(default_factory=list[Answer])
    _flying: dict[UUID, Composed] = field(default_factory=dict[UUID, Composed])
    _composer: Composer | None = None
    _route: Route | None = None
    _policy: Policy = field(default_factory=Policy)

    async def run(self) -> int:
        """Send until nothing is due; says how many mails were tried."""
        try:
            await self._begin()
            while True:
                while not self._buffer and not self.stopping and await self._claim():
                    pass
                if not await self._wave():
                    break
        except LaneLost:
            _log.warning("lane_lost", tenant=str(self.tenant), channel=self.channel)
        return self.sent

    async def _begin(self) -> None:
        """Take the lane, and settle what a dead predecessor left in the air."""
        async with self.database.transaction(self.tenant) as tx:
            now = self.clock.now()
            until = now + self._lease
            taken = await waves.take_lane(tx, self.channel, self.outbound.owner, now=now, until=until)
            if not taken:
                raise LaneLost
            self._route = route_of(await providers.active(tx, self.channel), self.outbound.settings)
            self._policy = await policies.get_policy(tx)
            crashed = await waves.settle_crashed(tx, self.channel, self._policy.retry_unknown, now=now)
            await schedule(tx, SEND, key=lease_key(self.channel), due_at=until)
        if crashed:
            _log.warning("wave_recovered", tenant=str(self.tenant), messages=len(crashed))

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.outbound.settings.sender_lease_s)

    async def _claim(self) -> bool:
        """Fill the buffer with judged messages, writing down at once what may not go now; says whether any were due."""
        route = self._routed
        wave = route.relay.connections
        at_most = min(_CLAIM, max(wave, 2 * route.relay.rate_per_s)) if route.relay.rate_per_s else _CLAIM
        bulk = self.has_room is None or await self.has_room()
        async with self.database.transaction(self.tenant) as tx:
            if await has_left(tx):
                return False  # what is still due rests with all else of this tenant
            now = self.clock.now()
            found = await waves.claim(tx, self.channel, at_most=at_most, bulk=bulk, now=now)
            customers = {message.customer_id for message in found if message.customer_id is not None}
            judge = await Judge.of(tx, self.channel, list(customers), now=now)
            self._policy = judge.policy
            judged = [judge.judge(message, now) for message in found]
            await self._write_refusals(tx, [one for one in judged if one.verdict.ruling is not Ruling.SEND])
            wanted = {(message.template_id, message.template_number) for message in found}
            versions = await templates.get_versions(tx, wanted)
        self._composer = Composer(self.tenant, route, self.outbound.links, versions)
        self._buffer.extend(one for one in judged if one.verdict.ruling is Ruling.SEND)
        if not bulk and not found:
            await asyncio.sleep(_ROOM_PAUSE_S)
        return bool(found)

    async def _write_refusals(self, tx: Tx, refused: Sequence[Judged]) -> None:
        if not refused:
            return
        now = self.clock.now()
        decisions = [
            Decided(
                message_id=one.message.id,
                status=status_of(one.verdict),
                reason=one.verdict.reason,
                due_at=one.verdict.until,
                consent_id=one.verdict.consent_id,
                explanation=explanation(one.verdict, now),
            )
            for one in refused
        ]
        changed = await waves.save_decisions(tx, decisions, now=now)
        for one in refused:
            if one.message.id in changed:
                tell(tx, one.message, status_of(one.verdict), reason=one.verdict.reason, at=now)

    async def _wave(self) -> bool:
        """One wave; says whether there may be more to do."""
        composed, failed = self._next_wave()
        async with self.database.transaction(self.tenant) as tx:
            now = self.clock.now()
            if not await waves.renew_lane(tx, self.channel, self.outbound.owner, until=now + self._lease):
                raise LaneLost
            await self._store_answers(tx)
            await self._store_failures(tx, failed)
            marked = await waves.mark_attempting(tx, [one.ready for one in composed]) if composed else set[UUID]()
            over = not composed and not failed and not self._buffer
            if over:
                await self._end(tx)
        self._answers, self._flying = (
            [],
            {one.mail.message_id: one for one in composed if one.mail.message_id in marked},
        )
        if self._flying:
            mails = [one.mail for one in self._flying.values()]
            self._answers = await self.outbound.provider(self._routed).send_wave(mails)
            self.sent += len(mails)
        elif self._buffer and not composed and not failed:
            await asyncio.sleep(self.outbound.bucket(self._routed).wait_s())
        return not over

    def _next_wave(self) -> tuple[list[Composed], list[Uncomposable]]:
        """Write as many mails as one wave takes and the rate allows."""
        wave = min(len(self._buffer), self._routed.relay.connections)
        granted = self.outbound.bucket(self._routed).take(wave, now_s=time.monotonic())
        composed: list[Composed] = []
        failed: list[Uncomposable] = []
        now = self.clock.now()
        while granted and self._buffer and not self.stopping:
            judged = self._buffer.popleft()
            granted -= 1
            assert self._composer is not None
            made = self._composer.compose(judged, urgent=judged.message.purpose in self._policy.urgent, now=now)
            (composed if isinstance(made, Composed) else failed).append(made)  # type: ignore[arg-type]
        if self.stopping:
            self._buffer.clear()
        return composed, failed

    async def _store_answers(self, tx: Tx) -> None:
        """Write what the last wave came to, and stop writing to dead addresses."""
        if not self._answers:
            return
        now = self.clock.now()
        settled: dict[UUID, Settled] = {}
        for answer in self._answers:
            composed = self._flying[answer.message_id]
            message = composed.judged.message
            retried = message.purpose in self._policy.retry_unknown
            settled[message.id] = outcome = settle(answer, message.attempts + 1, now, retry_unknown=retried)
            tell(tx, message, outcome.status, reason=outcome.reason, at=now, subject=composed.ready.subject)
            if outcome.status is Status.BOUNCED and answer.fault is Fault.ADDRESS:
                await governance.suppress(tx, Viewer.system(tx.tenant), _dead(composed), now=now)
        for status, count in Counter(outcome.status for outcome in settled.values()).items():
            SENT.labels(self.channel, status.value).inc(count)
        await waves.add_attempts(tx, self._answers, now=now)
        await waves.settle(tx, settled, now=now)

    async def _store_failures(self, tx: Tx, failed: Sequence[Uncomposable]) -> None:
        if not failed:
            return
        now = self.clock.now()
        await waves.settle(
            tx, {one.judged.message.id: Settled(Status.FAILED, one.reason, None) for one in failed}, now=now
        )
        SENT.labels(self.channel, Status.FAILED.value).inc(len(failed))
        for one in failed:
            tell(tx, one.judged.message, Status.FAILED, reason=one.reason, at=now)

    async def _end(self, tx: Tx) -> None:
        """Leave the lane, and a note of when it is needed next."""
        following = await waves.next_due(tx, self.channel)
        if following is not None:
            await schedule(tx, SEND, key=next_key(self.channel), due_at=following)
        await unschedule(tx, SEND, key=lease_key(self.channel))
        await waves.free_lane(tx, self.channel, self.outbound.owner)

    @property
    def _routed(self) -> Route:
        assert self._route is not None
        return self._route


def _dead(composed: Composed) -> Silence:
    return Silence(
        channel=composed.judged.message.channel,
        customer_id=None,
        address=composed.mail.recipient,
        purpose=None,
        reason=SuppressionReason.BOUNCED,
        note="The address doesn't exist (5.1.x).",
        message_id=composed.mail.message_id,
    )
