"""The services' databases: can they be reached, are they new enough, does anything wait, what time is it there."""

import asyncio
from collections.abc import Iterator

from crm_shared.db.migrations import Schema
from crm_shared.db.vitals import DatabaseVitals, Unreachable, Waiting, look_at_database
from crm_suite.doctor.clocks import clock
from crm_suite.doctor.finding import Finding, error, fine, note, warning
from crm_suite.doctor.places import Places
from crm_suite.topology import NAMES, load_service

_LEAST_VERSION = 160_000
_LATE_S = 60.0
_CROWDED = 0.9


async def databases(places: Places) -> list[Finding]:
    """Every database that is known, all asked at once."""
    found = await asyncio.gather(*(_database(name, url, places) for name, url in places.databases.items()))
    return [finding for one in found for finding in one]


async def _database(name: str, url: str, places: Places) -> list[Finding]:
    schema = load_service(NAMES[name]).schema
    try:
        vitals = await look_at_database(schema, url)
    except Unreachable as reason:
        return [_unreachable(name, str(reason), embedded=places.embedded)]
    walls = [finding for login in places.logins.get(name, ()) for finding in await _wall(name, schema, login)]
    return [
        fine("database", name, f"answers, {vitals.size_bytes / 1e6:,.0f} MB"),
        *_version(name, vitals),
        *clock(f"{name}'s database", vitals.ahead_s),
        *_sessions(name, vitals),
        *_migrations(name, vitals, embedded=places.embedded),
        *walls,
        *_waiting(name, vitals.waiting),
    ]


def _unreachable(name: str, reason: str, *, embedded: bool) -> Finding:
    start = "Stop the suite and start it again: its server has ended. The end of its log says why: postgres.log"
    other = "Start the server, or correct host, port, name and password in the DATABASE_URL of this service."
    why = f"{name} answers nothing but 503 until its database is back; events for it wait, none is lost."
    return error("database", name, reason, why=why, remedy=start if embedded else other)


def _version(name: str, vitals: DatabaseVitals) -> Iterator[Finding]:
    seen = f"{vitals.version // 10_000}.{vitals.version % 10_000}"
    if vitals.version >= _LEAST_VERSION:
        yield fine("PostgreSQL", name, seen)
        return
    why = "The suite needs what PostgreSQL 16 brought: roles that may be taken on but are not inherited."
    yield error("PostgreSQL", name, seen, why=why, remedy="Move to PostgreSQL 16 or newer (pg_upgrade), then migrate.")


def _sessions(name: str, vitals: DatabaseVitals) -> Iterator[Finding]:
    seen = f"{vitals.sessions} of {vitals.most_sessions}"
    if vitals.sessions >= vitals.most_sessions * _CROWDED:
        why = "The next process that starts gets no connection, and requests answer 503."
        remedy = "Raise max_connections, put a pooler in between, or lower API_POOL_SIZE, WORKER_POOL_SIZE or WORKERS."
        yield warning("connections", name, seen, why=why, remedy=remedy)


def _migrations(name: str, vitals: DatabaseVitals, *, embedded: bool) -> Iterator[Finding]:
    migrate = "crm migrate, with the suite stopped; or start it" if embedded else f"python -m {NAMES[name]} migrate"
    if vitals.newer:
        seen = f"newer than this code: {', '.join(sorted(vitals.newer))}"
        why = "It was migrated by a later release, which this one doesn't know."
        yield warning("migrations", name, seen, why=why, remedy="Install the release that migrated it.")
    if vitals.lacks is None:
        why = "Without the table of versions nobody can tell how old the tables are."
        yield note("migrations", name, "can't be seen by this role", why=why, remedy="Give an OWNER_DATABASE_URL, too.")
    elif vitals.lacks:
        why = "The code asks for tables and columns that aren't there."
        yield error("migrations", name, f"pending: {', '.join(sorted(vitals.lacks))}", why=why, remedy=migrate)
    elif not vitals.newer:
        yield fine("migrations", name, "up to date")


async def _wall(name: str, schema: Schema, login: str) -> list[Finding]:
    """Row-level security holds for nobody who is a superuser or may bypass it."""
    try:
        vitals = await look_at_database(schema, login)
    except Unreachable as reason:
        return [_unreachable(name, str(reason), embedded=False)]
    if not vitals.over_the_wall:
        return []
    why = "This role sees every company's rows; a mistake in one statement would show them to another company."
    remedy = "Name the service's own roles in DATABASE_URL and WORKER_DATABASE_URL; `provision` makes them."
    return [error("tenant wall", name, "its processes log in as a superuser", why=why, remedy=remedy)]


def _waiting(name: str, waiting: Waiting | None) -> Iterator[Finding]:
    if waiting is None:
        why = "Which events wait is seen by the owner and the worker."
        remedy = "Give a WORKER_DATABASE_URL or OWNER_DATABASE_URL, too."
        yield note("events that wait", name, "can't be seen by this role", why=why, remedy=remedy)
        return
    seen = f"{waiting.unpublished:,} unpublished" + (
        f", the oldest {waiting.oldest_s:,.0f} s" * bool(waiting.unpublished)
    )
    if waiting.oldest_s > _LATE_S:
        why = "What happened in this service is not known to the others yet. Nothing is lost."
        remedy = f"See that `python -m {NAMES[name]} worker` runs and reaches the bus (its log says bus_away if not)."
        yield error("outbox", name, seen, why=why, remedy=remedy)
    else:
        yield fine("outbox", name, seen)
    if waiting.parked:
        why = (
            "Events of these customers, orders or tickets are held back, so that their order is kept; all others go on."
        )
        remedy = f"crm events parked list --service {name}, then retry, or skip with a reason"
        yield error("parked keys", name, f"{waiting.parked:,} wait", why=why, remedy=remedy)
    else:
        yield fine("parked keys", name, "none")
