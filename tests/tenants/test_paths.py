"""Another tenant's ids in the path: the same answer as for an id of nothing."""

import pytest
from tests.tenants.crossing import Crossing, same
from tests.tenants.document import OPERATIONS, RESOURCES, id_prefix, nobody

pytestmark = pytest.mark.xdist_group("tenants")

NAMED = {
    "PUT /v1/customers/attributes/{name}": "every tenant names its own attributes",
    "DELETE /v1/customers/attributes/{name}": "the attribute that the line before has made",
    "GET /v1/customers/by-external-id/{source}/{external_id}": "the customer that the line below has made",
    "PUT /v1/customers/by-external-id/{source}/{external_id}": "every tenant has its own other systems",
    "PUT /v1/leads/window-policies/{window}": "every tenant has a policy for each window",
    "PUT /v1/skills/{name}": "every tenant names its own skills",
    "GET /v1/parked-events/{service}": "the services are everybody's; the list is the tenant's own",
    "GET /v1/parked-events/{service}/audit": "the services are everybody's; the list is the tenant's own",
}
"""Addresses that hold a name and no id: the same name means another thing in each tenant."""
AIMED = [operation for operation in OPERATIONS if operation.parameters("path") and operation.is_tenants]


def test_the_world_has_an_id_for_every_parameter_of_every_path(crossing: Crossing) -> None:
    for operation in OPERATIONS:
        for world in (crossing.alpha, crossing.beta):
            assert "{" not in world.address(operation), operation
    kinds = {id_prefix(schema) for operation in OPERATIONS for schema in operation.parameters("path").values()}
    assert all(crossing.alpha.ids[kind] != crossing.beta.ids[kind] for kind in kinds if kind)


async def test_the_ids_of_the_world_are_of_things_that_are_there(crossing: Crossing) -> None:
    wrong: list[str] = []
    for operation in AIMED:
        if operation.method == "GET":
            address = crossing.alpha.address(operation)
            answer = await crossing.alpha.stage.ask("GET", address, key=crossing.alpha.admin)
            if answer.status != 200:
                wrong.append(f"{operation}: {answer}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("resource", RESOURCES)
async def test_it_is_as_if_there_were_nothing(crossing: Crossing, resource: str) -> None:
    wrong: list[str] = []
    stranger = nobody()
    for operation in (one for one in AIMED if one.resource == resource):
        body = crossing.body_of(operation)
        theirs, nothing = crossing.alpha.address(operation), stranger.address(operation)
        expected = await crossing.ask(operation, nothing, body)
        answer = await crossing.ask(operation, theirs, body)
        said = [
            (crossing.alpha.value(operation, name), stranger.value(operation, name))
            for name in operation.parameters("path")
        ]
        if not same(answer, expected, *said):
            wrong.append(f"{operation}: {answer} instead of {expected}")
        elif answer.status != 404 and str(operation) not in NAMED:
            wrong.append(f"{operation}: {answer}")
        if leak := crossing.leak(answer, theirs, body):
            wrong.append(f"{operation} {leak}")
    assert not wrong, "\n".join(wrong)


async def test_a_part_of_theirs_below_a_thing_of_ours_is_not_there_either(crossing: Crossing) -> None:
    confirm = next(one for one in AIMED if one.path.endswith("/consents/{consent_id}/confirm"))
    path = crossing.beta.address(confirm).replace(crossing.beta.ids["cst"], crossing.alpha.ids["cst"])
    answer = await crossing.ask(confirm, path)
    assert (answer.status, crossing.leak(answer, path.encode())) == (404, None)


async def test_the_operations_of_all_services_are_theirs_alone(crossing: Crossing) -> None:
    """A service that starts long jobs by itself shows them by the same address."""
    shown = 0
    for name, operation_id in await crossing.alpha.operations():
        answer = await crossing.beta.stage.ask("GET", f"/v1/operations/{operation_id}", key=crossing.beta.admin)
        assert answer.status == 404, f"{name}: {answer}"
        own = await crossing.alpha.stage.ask("GET", f"/v1/operations/{operation_id}", key=crossing.alpha.admin)
        shown += own.status == 200
    assert shown >= 2
