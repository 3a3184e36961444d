"""No list of any service reads its table from end to end, whatever it is filtered by; a new route is covered at once.

Routes come from the merged document; each is asked as it is, by each of its parameters, and for its second page.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from tests.plans.conftest import Crowd
from tests.plans.plan import Plan, watched
from tests.tenants.document import OPERATIONS, Operation, id_prefix, missing, resolved, sample

pytestmark = pytest.mark.xdist_group("plans")

# What the gateway and the platform's operators list is theirs to test.
_ELSEWHERE = ("api-keys", "audit-entries", "users", "tenants", "parked-events")
LISTS = [
    one
    for one in OPERATIONS
    if one.method == "GET" and "limit" in one.parameters("query") and one.resource not in _ELSEWHERE
]
FEW = frozenset({"provider", "assignment_rule", "webhook_endpoint"})
"""Tables of which a tenant has a handful by their nature: set up by hand, read whole by what uses them."""
NOT_BY_ITSELF = {"attribute": "an attribute has to be defined first; tests/customer/test_plans.py does"}
NAMED = {"types": ["crm.customer.*", "crm.tenant.created.v1"]}
"""Parameters that know which texts there are."""
RESOURCES = sorted({one.resource for one in LISTS})


@pytest.mark.parametrize("resource", RESOURCES)
async def test_no_list_reads_its_table_from_end_to_end(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, resource: str
) -> None:
    plans = watched(monkeypatch)
    wrong: dict[str, str] = {}
    blind: list[str] = []
    for operation in (one for one in LISTS if one.resource == resource):
        tables: set[str] = set()
        async for question in asked(crowd, operation, plans):
            wrong |= {
                f"{question} {fault}": plan.statement for plan in plans for fault in plan.faults(crowd.large - FEW)
            }
            tables.update(table for plan in plans for table in plan.tables())
        if tables.isdisjoint(crowd.large):
            blind.append(f"{operation} reads only {sorted(tables)}")
    assert not wrong, "\n".join(f"{what}: {statement}" for what, statement in wrong.items())
    assert not blind, blind


async def asked(crowd: Crowd, operation: Operation, plans: list[Plan]) -> AsyncIterator[str]:
    """Ask each question; its plans are there until the next one is taken."""
    world = crowd.world
    address = world.address(operation)
    more = "&" if "?" in address else "?"
    questions = [f"{address}{more}limit=2", *(f"{address}{more}{one}" for one in parameters(crowd, operation))]
    for question in questions:
        plans.clear()
        answer = await world.stage.ask("GET", question, key=world.admin)
        # Copies refer to nothing that is there; where an answer can't be made of them, its plans were taken before.
        assert answer.status in (200, 404) or (answer.status == 500 and plans), f"{question}: {answer}"
        if answer.status == 500:
            yield question
            continue
        yield question
        cursor = orjson.loads(answer.body).get("next_cursor")
        if question == questions[0] and cursor:
            plans.clear()
            answer = await world.stage.ask("GET", f"{question}&cursor={cursor}", key=world.admin)
            assert answer.status == 200, f"{question}, second page: {answer}"
            yield f"{question}, second page"


def parameters(crowd: Crowd, operation: Operation) -> Iterator[str]:
    """Each parameter by itself, with each value that it can have where these are few."""
    for name, schema in operation.parameters("query").items():
        if name not in ("limit", "cursor", *NOT_BY_ITSELF) and f"{name}=" not in operation.query:
            chosen = NAMED.get(name) or values(crowd, schema)
            yield from (f"{name}={quote(str(value))}" for value in chosen)


def values(crowd: Crowd, schema: Any) -> list[Any]:
    schema = resolved(schema)
    prefix = id_prefix(schema)
    if prefix:
        return [crowd.world.ids.get(prefix, missing(prefix))]
    match schema.get("type"):
        case "boolean":
            return ["true", "false"]
        case "array":
            return values(crowd, schema["items"])
        case _:
            return list(schema.get("enum", ())) or [sample(schema, crowd.world.ids)]
