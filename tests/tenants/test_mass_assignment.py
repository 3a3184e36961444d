"""Fields that nobody declared are refused, at every depth of every body, and named."""

from typing import Any

import pytest
from tests.tenants.crossing import Crossing
from tests.tenants.document import OPERATIONS, Operation, Path, objects_of, put

pytestmark = pytest.mark.xdist_group("tenants")

SMUGGLED = {"tenant_id": "ten", "owner_id": "usr", "version": 7, "role": "admin", "id": "cus"}
WRITING = [operation for operation in OPERATIONS if operation.body and operation.is_tenants]


@pytest.mark.parametrize("resource", sorted({operation.resource for operation in WRITING}))
async def test_what_was_not_asked_for_is_not_taken(crossing: Crossing, resource: str) -> None:
    wrong: list[str] = []
    for operation in (one for one in WRITING if one.resource == resource):
        for place, declared in objects_of(operation.body):
            for name in sorted(SMUGGLED.keys() - declared):
                wrong += await _tried(crossing, operation, (*place, name), SMUGGLED[name])
    assert not wrong, "\n".join(wrong)


async def _tried(crossing: Crossing, operation: Operation, place: Path, value: Any) -> list[str]:
    body = put(crossing.body_of(operation, place[:-1]), place, value)
    answer = await crossing.ask(operation, crossing.beta.address(operation), body)
    pointers = [one["pointer"] for one in answer.json()["errors"]] if answer.status == 422 else []
    whole = "/" + "/".join(map(str, place))  # money is refused as a whole
    named = any(pointer and f"{whole}/".startswith(f"{pointer}/") for pointer in pointers)
    named = named or any(pointer.endswith(f"/{place[-1]}") for pointer in pointers)
    return [] if named else [f"{operation} with {'/'.join(map(str, place))}: {answer}"]
