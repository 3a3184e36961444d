"""Whoever copies a request from the documents and fills in ids of their own is understood."""

import re
from typing import Any

import orjson
import pytest
from tests.tenants.document import DOCUMENT, OPERATIONS, Operation
from tests.tenants.world import World

from crm_shared.ids import new_id

pytestmark = pytest.mark.xdist_group("tenants")

_ID = re.compile(r'"([a-z]+)_064gkndciprknf6emc10j6k0as"')


def shown(operation: Operation) -> Any:
    """The example of the operation's body."""
    ((name, _),) = operation.about["requestBody"]["content"]["application/json"]["examples"].items()
    return DOCUMENT["components"]["examples"][name]["value"]


SENT = sorted(
    (operation for operation in OPERATIONS if operation.body is not None and operation.is_tenants),
    key=lambda operation: operation.resource == "price-books",  # a new one without prices would be the one in force
)
OF_THE_COMPANY = {
    "POST /v1/customers/{customer_id}/merge": "same_record",  # here both ids become that of the one customer
    "POST /v1/deals/{deal_id}/move": "stage_unknown",  # stages are called what the company calls them
}
"""Requests that are understood, and name what this company hasn't."""


@pytest.mark.parametrize("operation", SENT, ids=str)
async def test_the_request_in_the_documents_is_taken(company: World, operation: Operation) -> None:
    text = orjson.dumps(shown(operation)).decode()
    body = orjson.loads(_ID.sub(lambda found: f'"{company.ids.get(found[1], found[0][1:-1])}"', text))
    headers = {"idempotency-key": str(new_id()), "if-match": "*"}
    answer = await company.stage.ask(
        operation.method, company.address(operation), key=company.admin, body=body, headers=headers
    )
    if str(operation) in OF_THE_COMPANY:
        assert answer.json()["code"] == OF_THE_COMPANY[str(operation)]
    else:
        assert answer.status not in {400, 413, 422}, f"{answer}: {body}; give the model's fields examples that fit"
    assert answer.status < 500, answer
