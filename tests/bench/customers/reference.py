"""What a careful person would write without a framework of their own: FastAPI, asyncpg, orjson, and nothing else.

It answers get, list, search and create with the same SQL over the same rows and with the same bytes as the customer
service, but knows no caller, no tenant's wall, no idempotency, no metrics and no trace. Run as
`python -m tests.bench.customers.reference`.
"""

import os
from base64 import b32hexdecode, b32hexencode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel
from tests.bench.customers import reference_sql as sql
from uuid_utils.compat import uuid7

TENANT = UUID(os.environ.get("TENANT", "00000000-0000-0000-0000-000000000000"))
JSON = "application/json"
_SHOWN = (
    *("id", "version", "number", "status", "kind", "category", "display_name", "given_name", "family_name", "language"),
    *("time_zone", "country", "birth_date", "owner", "source", "external_source", "external_id", "attributes"),
    *("contact_points", "completeness", "registered_at", "updated_at"),
)


class Point(BaseModel):
    channel: str
    value: str
    preferred: bool = False
    verified: bool = False


class NewCustomer(BaseModel):
    kind: str = "person"
    category: str = "consumer"
    display_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    country: str | None = None
    birth_date: date | None = None
    owner: str | None = None
    source: str | None = None
    contact_points: list[Point] = []


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=6, init=_prepare) as pool:
        app.state.pool = pool
        yield


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=_to_jsonb,
        decoder=_from_jsonb,
    )


def _to_jsonb(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _from_jsonb(raw: bytes) -> Any:
    return orjson.loads(raw[1:])


app = FastAPI(lifespan=_lifespan, openapi_url=None)


@app.get("/v1/customers")
async def list_customers(limit: int = 50, after: str | None = None) -> Response:
    last = parse(after) if after else sql.LAST
    rows = await app.state.pool.fetch(sql.LIST, TENANT, last, limit + 1)
    more = public(rows[limit - 1]["id"]) if len(rows) > limit else None
    return answer({"items": [shown(row) for row in rows[:limit]], "next_cursor": more})


@app.get("/v1/customers/search")
async def search(q: Annotated[str, Query(min_length=2, max_length=200)], limit: int = 20) -> Response:
    async with app.state.pool.acquire() as connection:
        rows = await sql.search(connection, TENANT, q, limit)
    return answer({"items": [shown(row) for row in rows]})


@app.get("/v1/customers/{customer_id}")
async def get(customer_id: str) -> Response:
    row = await app.state.pool.fetchrow(sql.GET, TENANT, parse(customer_id))
    if row is None:
        raise HTTPException(404)
    return answer(shown(row))


@app.post("/v1/customers")
async def create(body: NewCustomer) -> Response:
    made, now = uuid7(), datetime.now(UTC)
    fields: dict[str, Any] = body.model_dump(exclude={"contact_points"})
    fields["display_name"] = body.display_name or f"{body.given_name} {body.family_name}"
    points: list[dict[str, Any]] = [
        point.model_dump() | {"valid_from": None, "valid_until": None} for point in body.contact_points
    ]
    folded: str = fields["display_name"].lower()
    texts: list[str] = [point["value"] for point in points]
    keys = [*((point["channel"], point["value"]) for point in points), *(("name", word) for word in folded.split())]
    event: dict[str, Any] = {**fields, "contact_points": points, "registered_at": now}
    row: list[Any] = [
        *fields.values(),
        {},
        [{**p, "folded": p["value"]} for p in points],
        90,
        folded,
        " ".join((folded, *texts)),
    ]
    async with app.state.pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval(
            sql.CREATE, TENANT, made, *row, now, [key for key, _ in keys], [text for _, text in keys], uuid7(), "usr_1"
        )
        await connection.execute(
            sql.EMIT, TENANT, "customer", made, 1, uuid7(), "crm.customer.registered.v1", 1, public(made), None,
            orjson.dumps(event).decode(),
        )  # fmt: skip
    kept: dict[str, Any] = {"version": 1, "number": number, "status": "active", "attributes": {}, "completeness": 90}
    whole = fields | kept | {"contact_points": points, "external_source": None, "external_id": None}
    whole |= {"id": public(made), "registered_at": now, "updated_at": now}
    return answer({name: whole[name] for name in _SHOWN}, 201)


def shown(row: Any) -> dict[str, Any]:
    fields = {name: row[name] for name in _SHOWN}
    fields["id"] = public(row["id"])
    for point in fields["contact_points"]:
        del point["folded"]
    return fields


def answer(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, media_type=JSON)


def public(value: UUID) -> str:
    return f"cus_{b32hexencode(value.bytes).decode().rstrip('=').lower()}"


def parse(text: str) -> UUID:
    return UUID(bytes=b32hexdecode(text.removeprefix("cus_").upper() + "======"))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_config=None, access_log=False)
