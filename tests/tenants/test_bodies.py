"""Another tenant's ids in bodies: never more than an id of nothing would get."""

import pytest
from tests.tenants.crossing import Crossing, same, statuses
from tests.tenants.document import OPERATIONS, Operation, missing, places_of

pytestmark = pytest.mark.xdist_group("tenants")

_ELSEWHERE = "another service owns it: kept as given, and nothing is shown of what isn't the tenant's own"
_DRAFT = "a draft is looked at as a whole when it is submitted"
_SELLER = "409: the tenant has no such seller"
_NOBODY = "a rule that names nobody is true of nobody"
HARMLESS = {
    "POST /v1/agents user_id": _ELSEWHERE,
    "POST /v1/audiences segment_id": _ELSEWHERE,
    "POST /v1/campaigns segment_id": _ELSEWHERE,
    "PATCH /v1/campaigns/{campaign_id} segment_id": _ELSEWHERE,
    "POST /v1/campaigns variants/0/template_id": _DRAFT,
    "PATCH /v1/campaigns/{campaign_id} variants/0/template_id": _DRAFT,
    "POST /v1/deals campaign_id": _ELSEWHERE,
    "POST /v1/deals contact_id": _ELSEWHERE,
    "POST /v1/deals customer_id": _ELSEWHERE,
    "POST /v1/deals owner_id": _ELSEWHERE,
    "PATCH /v1/deals/{deal_id} contact_id": _ELSEWHERE,
    "PATCH /v1/deals/{deal_id} owner_id": _ELSEWHERE,
    "POST /v1/expenses campaign_id": _ELSEWHERE,
    "POST /v1/interactions customer_id": _ELSEWHERE,
    "PATCH /v1/interactions/{interaction_id} customer_id": _ELSEWHERE,
    "POST /v1/leads customer_id": _ELSEWHERE,
    "POST /v1/leads/{lead_id}/assign owner_id": _SELLER,
    "POST /v1/leads/{lead_id}/convert customer_id": "409: the lead is somebody else's",
    "POST /v1/messages customer_id": _ELSEWHERE,
    "POST /v1/orders campaign_id": _ELSEWHERE,
    "POST /v1/orders customer_id": _ELSEWHERE,
    "POST /v1/quotes customer_id": _ELSEWHERE,
    "POST /v1/segments rule/customer_ids/0": _NOBODY,
    "POST /v1/segments rule/rule/customer_ids/0": _NOBODY,
    "POST /v1/segments/preview rule/customer_ids/0": _NOBODY,
    "POST /v1/segments/preview rule/rule/customer_ids/0": _NOBODY,
    "PATCH /v1/segments/{segment_id} rule/customer_ids/0": _NOBODY,
    "PATCH /v1/segments/{segment_id} rule/rule/customer_ids/0": _NOBODY,
    "POST /v1/sellers id": _ELSEWHERE,
    "POST /v1/suppressions customer_id": _ELSEWHERE,
    "POST /v1/surveys/{survey_id}/invitations customer_id": _ELSEWHERE,
}
"""Where an id of nothing is taken too, and why that tells and changes nothing of somebody else's."""
NAMING = [operation for operation in OPERATIONS if places_of(operation)]


@pytest.mark.parametrize("resource", sorted({operation.resource for operation in NAMING}))
async def test_they_name_nothing(crossing: Crossing, resource: str) -> None:
    wrong: list[str] = []
    for operation in (one for one in NAMING if one.resource == resource):
        for place, kind in places_of(operation):
            wrong += await _tried(crossing, operation, place, kind)
    assert not wrong, "\n".join(wrong)


async def _tried(crossing: Crossing, operation: Operation, place: tuple[str | int, ...], kind: str) -> list[str]:
    path, where = crossing.beta.address(operation), f"{operation} {'/'.join(map(str, place))}"
    expected = await crossing.ask(operation, path, crossing.body_of(operation, place, missing(kind)))
    body = crossing.body_of(operation, place, crossing.alpha.ids[kind])
    answer = await crossing.ask(operation, path, body)
    wrong: list[str] = []
    if not same(answer, expected):
        wrong.append(f"{where}: {answer} instead of {expected}")
    elif not statuses(answer) <= {404, 422} and where not in HARMLESS:
        wrong.append(f"{where}: {answer}")
    # What was taken before may be told again: it is what beta itself has said.
    if leak := crossing.leak(answer, body, " ".join(crossing.alpha.ids.values())):
        wrong.append(f"{where} {leak}")
    return wrong


async def test_what_was_kept_as_given_shows_nothing_when_it_is_read_again(crossing: Crossing) -> None:
    """The lists, timelines and projections of whoever named another tenant's ids, after all events have arrived."""
    await crossing.beta.stage.settle()
    wrong: list[str] = []
    sent = " ".join(crossing.alpha.ids.values()).encode()
    for operation in OPERATIONS:
        if operation.method == "GET" and operation.is_tenants:
            answer = await crossing.ask(operation, crossing.beta.address(operation))
            if leak := crossing.leak(answer, sent):
                wrong.append(f"{operation} {leak}")
    assert not wrong, "\n".join(wrong)


def test_what_is_harmless_is_still_in_the_document() -> None:
    places = {f"{one} {'/'.join(map(str, place))}" for one in NAMING for place, _ in places_of(one)}
    assert set(HARMLESS) <= places
