"""Idempotency keys: the first answer to a keyed request is stored in the write's own transaction and given again.

A second request with the same key in flight is refused at once instead of queueing on a connection. Validation
failures aren't stored: nothing happened, so the sender may mend the request and use the key again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, and_, bindparam, delete, func, insert, select

from crm_shared.db.pool import Database, Record, Tx
from crm_shared.db.tables import idempotency_key
from crm_shared.errors import InFlight, Invalid

KEPT_FOR = timedelta(hours=24)

_t = idempotency_key
_lock = select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger())).label("held")).subquery()
_CLAIM = select(_lock.c.held, _t.c.request_hash, _t.c.status, _t.c.headers, _t.c.body).select_from(
    _lock.outerjoin(
        _t,
        and_(_t.c.principal == bindparam("principal"), _t.c.route == bindparam("route"), _t.c.key == bindparam("key")),
    )
)
_STORED = select(_t.c.request_hash, _t.c.status, _t.c.headers, _t.c.body).where(
    _t.c.principal == bindparam("principal"), _t.c.route == bindparam("route"), _t.c.key == bindparam("key")
)
_KEEP = insert(_t).values(
    tenant_id=bindparam("tenant_id"),
    principal=bindparam("principal"),
    route=bindparam("route"),
    key=bindparam("key"),
    request_hash=bindparam("request_hash"),
    status=bindparam("status"),
    headers=bindparam("headers"),
    body=bindparam("body"),
)
_FORGET = delete(_t).where(_t.c.created_at < bindparam("before", type_=_t.c.created_at.type))


class KeyRaced(Exception):  # an event of the race, not an error anybody sees
    """Another request with this key committed between our look and our write; the whole work must run again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told: a status, headers, and the body's bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """One client's name for one request; `request_hash` says whether a repeat is really the same request."""

    principal: str
    route: str
    key: str
    request_hash: bytes

    def lock(self, tx: Tx) -> int:
        """The advisory lock of this key, as a signed 64-bit number."""
        text = "\x1f".join((str(tx.tenant), self.principal, self.route, self.key)).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)


async def claim(tx: Tx, key: IdempotencyKey) -> Answer | None:
    """Hold the key until this transaction ends, or return the answer that was already given.

    Raises:
        InFlight: the same request is running now.
        Invalid: the key was used for a different request.
    """
    # The statement's snapshot is older than the lock, so it may miss an answer stored just now. The command then runs
    # in vain: either `keep` meets the answer, or the command is refused by its own effect, and `recall` finds it.
    names = {"principal": key.principal, "route": key.route, "key": key.key}
    row = await tx.one(_CLAIM, {"lock": key.lock(tx), **names})
    if row is None or not row["held"]:
        raise InFlight("The same request is still running; ask again in a moment.", retry_after_s=1)
    if row["request_hash"] is None:
        return None
    if row["request_hash"] != key.request_hash:
        raise Invalid.field(
            "header:Idempotency-Key",
            "This Idempotency-Key was used for a different request; choose a new key.",
            code="idempotency_key_reused",
        )
    return _again(row)


async def recall(database: Database, tenant: UUID, key: IdempotencyKey) -> Answer | None:
    """The answer to this very request, if it has been given by now."""
    async with database.reading(tenant) as tx:
        row = await tx.one(_STORED, {"principal": key.principal, "route": key.route, "key": key.key})
    return _again(row) if row is not None and row["request_hash"] == key.request_hash else None


def _again(row: Record) -> Answer:
    return Answer(row["status"], {**row["headers"], "Idempotent-Replayed": "true"}, row["body"])


async def keep(tx: Tx, key: IdempotencyKey, answer: Answer) -> None:
    """Store the answer beside the write that it reports.

    Raises:
        KeyRaced: another transaction stored one meanwhile.
    """
    try:
        await tx.run(
            _KEEP,
            {
                "tenant_id": tx.tenant,
                "principal": key.principal,
                "route": key.route,
                "key": key.key,
                "request_hash": key.request_hash,
                "status": answer.status,
                "headers": dict(answer.headers),
                "body": answer.body,
            },
        )
    except asyncpg.UniqueViolationError as error:
        raise KeyRaced from error


async def forget_old_keys(database: Database, *, now: datetime) -> int:
    """Drop keys older than a day; says how many."""
    async with database.across() as tx:
        return await tx.run(_FORGET, {"before": now - KEPT_FOR})
