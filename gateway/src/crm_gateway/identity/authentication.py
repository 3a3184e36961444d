"""Recognising a caller by what they show: a directory look-up, then a check inside the tenant, then a short memory.

A positive answer is remembered for five seconds in this process and forgotten at once when the credential is revoked
here; in other processes the five seconds (and the onward token's sixty) are how long a revoked caller may go on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from crm_gateway.identity import store
from crm_gateway.identity.domain.accounts import Holder
from crm_gateway.identity.domain.credentials import Credential, CredentialKind, parse_credential
from crm_gateway.identity.domain.principals import Principal
from crm_gateway.identity.domain.roles import scopes_of
from crm_shared.clock import Clock
from crm_shared.db.pool import NO_TENANT, Database
from crm_shared.errors import Unauthenticated
from crm_shared.tenancy import Viewer

_REMEMBERED_S = 5.0
_UNKNOWN_REMEMBERED_S = 1.0
_MOST_REMEMBERED = 20_000


@dataclass(slots=True)
class _Memory:
    """What was found about one credential, good until a monotonic time."""

    principal: Principal | None
    until: float


class Recognition:
    """Callers by their credentials; implements the door's `Authenticator`."""

    def __init__(self, clock: Clock, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ticks = ticks
        self._database: Database | None = None
        self._scopes: frozenset[str] = frozenset()
        self._known: dict[bytes, _Memory] = {}
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}

    def use(self, database: Database, scopes: Iterable[str]) -> None:
        """Begins to work: where to look, and which scopes there are."""
        self._database = database
        self._scopes = frozenset(scopes)

    async def authenticate(self, authorization: bytes) -> Principal:
        """The caller behind an `Authorization` value.

        Raises:
            Unauthenticated: nobody we know, or not any more.
        """
        digest = sha256(authorization).digest()  # so that no secret lies in memory longer than its request
        memory = self._known.get(digest)
        if memory is None or memory.until <= self._ticks():
            memory = await self._ask(digest, authorization)
        principal = memory.principal
        over = principal is not None and principal.expires_at is not None and principal.expires_at <= self._clock.now()
        if principal is None or over:
            raise Unauthenticated("This credential is unknown, revoked or over.", code="credential_invalid")
        return principal

    def forget(self, credential: UUID | None = None, *, subject: str | None = None) -> None:
        """Forgets what is remembered about a credential, or about all credentials of a subject."""
        stale = [
            digest
            for digest, memory in self._known.items()
            if memory.principal is None
            or memory.principal.credential == credential
            or memory.principal.viewer.subject == subject
        ]
        for digest in stale:
            del self._known[digest]

    def forget_tenant(self, tenant: UUID) -> None:
        """Forgets everybody of a tenant, and who was nobody: it may have been one of a tenant that was kept out."""
        for digest, memory in list(self._known.items()):
            if memory.principal is None or memory.principal.viewer.tenant == tenant:
                del self._known[digest]

    async def _ask(self, digest: bytes, authorization: bytes) -> _Memory:
        credential = _shown(authorization)
        asking = self._asking.get(digest)
        if asking is None:
            # A burst of a key's first requests asks the database once.
            asking = asyncio.create_task(self._recognise(credential))
            self._asking[digest] = asking
            asking.add_done_callback(lambda _: self._asking.pop(digest, None))
        principal = await asyncio.shield(asking)
        lasts_s = _REMEMBERED_S if principal is not None else _UNKNOWN_REMEMBERED_S
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        before = self._known.get(digest)
        if before is not None and before.principal == principal:
            principal = before.principal  # the very same: whoever keeps something by it compares no scopes
        memory = self._known[digest] = _Memory(principal, self._ticks() + lasts_s)
        return memory

    async def _recognise(self, credential: Credential) -> Principal | None:
        assert self._database is not None, "used before `use`"
        async with self._database.reading(NO_TENANT) as tx:
            tenant = await store.tenant_of(tx, credential.kind.value, credential.handle)
        if tenant is None:
            return None
        is_key = credential.kind is CredentialKind.API_KEY
        async with self._database.reading(tenant) as tx:
            find = store.key_holder if is_key else store.session_holder
            holder = await find(tx, credential.id)
        if holder is None or not holder.admits(credential, self._clock.now()):
            return None
        return self._principal(tenant, holder, credential)

    def _principal(self, tenant: UUID, holder: Holder, credential: Credential) -> Principal:
        viewer = Viewer(
            tenant=tenant,
            subject=holder.subject,
            scopes=scopes_of(holder.roles, self._scopes),
            teams=frozenset(holder.teams),
            partner=holder.partner,
        )
        ends = holder.expires_at
        if not credential.matches(holder.secret_hash):  # the secret before the last rotation ends with its overlap
            ends = min(holder.previous_until, ends) if ends and holder.previous_until else holder.previous_until
        return Principal(viewer, credential.id, credential.kind, ends)


def _shown(authorization: bytes) -> Credential:
    scheme, _, text = authorization.partition(b" ")
    credential = parse_credential(text.strip().decode("latin-1")) if scheme.lower() == b"bearer" else None
    if credential is None:
        detail = "Send Authorization: Bearer with an API key (crm_live_…) or a session's token (crm_sess_…)."
        raise Unauthenticated(detail, code="credential_malformed")
    return credential
