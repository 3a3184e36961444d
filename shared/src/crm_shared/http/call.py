"""One HTTP call as a handler sees it: who asks, what time it is, and the few ways to answer."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from crm_shared.clock import Clock
from crm_shared.db.idempotency import Answer, IdempotencyKey, claim, keep, recall
from crm_shared.db.operations import Operation
from crm_shared.db.pool import NO_TENANT, Database, Tx
from crm_shared.db.unit_of_work import in_transaction
from crm_shared.errors import CrmError, Invalid, NotFound, PreconditionRequired, Unauthenticated
from crm_shared.http.auth import TokenVerifier
from crm_shared.http.operation_model import OperationRead
from crm_shared.http.pagination import Cursors, PageQuery
from crm_shared.observability.tracing import carrying_out
from crm_shared.tenancy import Viewer

T = TypeVar("T")
Shown: TypeAlias = BaseModel | Mapping[str, Any]
"""What a client is shown: a response model, or where each µs counts, the same as a mapping that is JSON already."""
JSON = "application/json"
KEY_LENGTH = 255
KEY_PATTERN = r"[!-~]([ -~]*[!-~])?"
ETAG_PATTERN = r'(\*|(W/)?("[0-9]{1,18}"|[0-9]{1,18}))'
_ETAG = re.compile(ETAG_PATTERN)
_VISIBLE = re.compile(KEY_PATTERN)
_NOBODY = Viewer(tenant=NO_TENANT, subject="public")


@dataclass(slots=True)
class Services:
    """What the app factory gives every call."""

    database: Database
    clock: Clock
    verifier: TokenVerifier
    cursor_secret: str
    operation_prefix: str
    resources: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class Call:
    """One request of one viewer."""

    request: Request
    viewer: Viewer
    now: datetime
    services: Services

    @property
    def route(self) -> Any:
        """The matched route."""
        return self.request.scope["route"]

    async def read(
        self,
        query: Callable[..., Awaitable[T | None]],
        *args: Any,
        answer: Callable[[T], Shown],
        finder: bool = False,
        **kwargs: Any,
    ) -> Response:
        """Answer with what `query(tx, viewer, *args)` returns; None is a 404, an unchanged version a 304."""
        database = self.services.database
        with carrying_out(database.service, query):
            async with database.reading(self.viewer.tenant, as_finder=finder) as tx:
                found = await query(tx, self.viewer, *args, **kwargs)
        if found is None:
            raise NotFound("There is nothing with this id.", code="not_found")
        out = _render(answer(found), 200)
        etag = out.headers.get("ETag")
        if etag is not None and etag in self.request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": etag})
        return _respond(out)

    async def page(
        self,
        query: Callable[..., Awaitable[list[T]]],
        filters: PageQuery,
        *args: Any,
        answer: Callable[[T], Shown],
        key: Callable[[T], tuple[Any, ...]],
        finder: bool = False,
    ) -> Response:
        """Answer with a page of `query(tx, viewer, filters, *args, limit=…, after=…)`; `key` is an item's sort key."""
        chosen = filters.model_dump_json(exclude={"cursor", "limit"})
        tenant = str(self.viewer.tenant)
        cursors = Cursors(self.services.cursor_secret, tenant, self.request.url.path, chosen)
        after = cursors.read(filters.cursor) if filters.cursor else None
        database = self.services.database
        with carrying_out(database.service, query):
            async with database.reading(self.viewer.tenant, as_finder=finder) as tx:
                found = await query(tx, self.viewer, filters, *args, limit=filters.limit + 1, after=after)
        shown = found[: filters.limit]
        more = cursors.write(key(shown[-1])) if len(found) > filters.limit else None
        return Response(_json({"items": [_part(answer(item)) for item in shown], "next_cursor": more}), media_type=JSON)

    async def write(
        self,
        command: Callable[..., Awaitable[T]],
        *args: Any,
        answer: Callable[[T], Shown] | None = None,
        status: int | None = None,
        **kwargs: Any,
    ) -> Response:
        """Run a command in one transaction, commit, and only then answer.

        With an `Idempotency-Key` the answer is stored beside the write and given again to a repeat.
        `answer=None` means an empty body.
        """
        key = await self._idempotency_key()
        code = status or self.route.status_code or 200

        async def work(tx: Tx) -> Answer:
            stored = await claim(tx, key) if key else None
            if stored is not None:
                return stored
            result = await command(tx, self.viewer, *args, now=self.now, **kwargs)
            out = _render(answer(result), code, self.request.url.path) if answer else Answer(code, {}, b"")
            if key:
                await keep(tx, key, out)
            return out

        try:
            with carrying_out(self.services.database.service, command):
                done = await in_transaction(self.services.database, self.viewer, work)
            return _respond(done)
        except CrmError:
            # What refused it may be its own effect: the same request, answered a moment after the claim had looked.
            stored = await recall(self.services.database, self.viewer.tenant, key) if key else None
            if stored is None:
                raise
            return _respond(stored)

    async def start(self, command: Callable[..., Awaitable[Operation]], *args: Any, **kwargs: Any) -> Response:
        """Run a command that queues a long job; answer 202 with where to look."""
        prefix = self.services.operation_prefix
        read: Callable[[Operation], BaseModel] = partial(OperationRead.of, prefix)
        response = await self.write(command, *args, answer=read, status=202, **kwargs)
        response.headers["Location"] = f"/v1/operations/{_id_in(response.body)}"
        return response

    def if_match(self, *, required: bool = False) -> int | None:
        """The version that the sender saw, from `If-Match`.

        Raises:
            PreconditionRequired: there is none, and this route needs one.
            Invalid: it isn't an ETag of ours.
        """
        header = self.request.headers.get("if-match")
        if header is None or header == "*":
            if required and header is None:
                raise PreconditionRequired("Send If-Match with the ETag of the state you saw.")
            return None
        if not _ETAG.fullmatch(header):
            raise Invalid.field(
                "header:If-Match", 'Send one ETag as it was answered, such as "1".', code="etag_malformed"
            )
        return int(header.removeprefix("W/").strip('"'))

    def resource(self, kind: type[T]) -> T:
        """Something the process made at start-up, by its type."""
        return cast("T", self.services.resources[kind.__name__])

    async def _idempotency_key(self) -> IdempotencyKey | None:
        header = self.request.headers.get("idempotency-key")
        if header is None:
            return None
        if not 0 < len(header) <= KEY_LENGTH or not _VISIBLE.fullmatch(header):
            raise Invalid.field("header:Idempotency-Key", f"Use 1 to {KEY_LENGTH} visible ASCII characters.")
        body = await self.request.body() if self.route.body_field is not None else b""
        seen = hashlib.sha256()
        for part in (self.request.url.query.encode(), self.request.headers.get("if-match", "").encode(), body):
            seen.update(len(part).to_bytes(8))
            seen.update(part)
        route = f"{self.request.method} {self.request.url.path}"
        return IdempotencyKey(self.viewer.subject, route, header, seen.digest())


def _render(shown: Shown, status: int, path: str | None = None) -> Answer:
    headers: dict[str, str] = {"Content-Type": JSON}
    is_model = isinstance(shown, BaseModel)
    version: Any = getattr(shown, "version", None) if is_model else shown.get("version")
    if isinstance(version, int):
        headers["ETag"] = f'"{version}"'
    body = _json(_part(shown))
    if status == 201 and path is not None:
        public_id = shown.model_dump(mode="json", include={"id"}).get("id") if is_model else shown.get("id")
        if public_id is not None:
            headers["Location"] = f"{path}/{public_id}"
    return Answer(status, headers, body)


def _part(shown: Shown) -> Any:
    """What a client is shown, as a part of a larger JSON text."""
    return orjson.Fragment(shown.__pydantic_serializer__.to_json(shown)) if isinstance(shown, BaseModel) else shown


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _respond(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _id_in(body: bytes | memoryview) -> str:
    return str(cast("Mapping[str, Any]", orjson.loads(bytes(body)))["id"])


def needs(scope: str) -> Any:
    """The route's dependency that yields its `Call`, for callers who hold `scope` (`<resource>:<verb>`)."""

    def call(request: Request) -> Call:
        services = _services(request)
        header = request.headers.get("authorization", "")
        if not header.startswith("Bearer "):
            raise Unauthenticated("Send an internal token; outside callers go through the gateway.")
        now = services.clock.now()
        viewer = services.verifier.viewer(header[7:], now=now)
        viewer.require(scope)
        return Call(request, viewer, now, services)

    call.crm_scope = scope  # type: ignore[attr-defined]
    return Depends(call)


def public(reason: str) -> Any:
    """The dependency of a route that anybody may call, and why; the handler finds the tenant in a signed value.

    The `Call` it yields has no tenant of its own: use `on_behalf`.
    """

    def call(request: Request) -> Call:
        services = _services(request)
        return Call(request, _NOBODY, services.clock.now(), services)

    call.crm_public = reason  # type: ignore[attr-defined]
    return Depends(call)


def on_behalf(call: Call, viewer: Viewer) -> Call:
    """The same request, now known to concern `viewer`'s tenant."""
    return Call(call.request, viewer, call.now, call.services)


def _services(request: Request) -> Services:
    return request.app.state.services
