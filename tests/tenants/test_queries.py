"""Lists, searches, filters and cursors: never a row of another tenant."""

import pytest
from tests.tenants.crossing import Crossing
from tests.tenants.document import OPERATIONS, RESOURCES, Operation, id_prefix

pytestmark = pytest.mark.xdist_group("tenants")

READING = [operation for operation in OPERATIONS if operation.method == "GET" and operation.is_tenants]
POSITIONS = {"/v1/events", "/v1/events/stream"}
"""Where a cursor is a place in whosever list is read: taken anywhere, it says nothing of where it comes from."""
LISTS = [one for one in READING if "cursor" in one.parameters("query") and one.path not in POSITIONS]


def with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


@pytest.mark.parametrize("resource", RESOURCES)
async def test_what_one_reads_holds_nothing_of_the_other(crossing: Crossing, resource: str) -> None:
    wrong: list[str] = []
    for operation in (one for one in READING if one.resource == resource):
        own = crossing.beta.address(operation)
        questions = [own, *(with_query(own, f"{name}={value}") for name, value in filters(crossing, operation))]
        for question in questions:
            answer = await crossing.ask(operation, question)
            if answer.status >= 500 or (question == own and answer.status != 200):
                wrong.append(f"{question}: {answer}")
            if leak := crossing.leak(answer, question.encode()):
                wrong.append(f"{question} {leak}")
            ids = [name for name, schema in operation.parameters("query").items() if id_prefix(schema)]
            named = question != own and any(f"{name}=" in question for name in ids)
            if named and answer.status == 200 and answer.json().get("items"):
                wrong.append(f"{question} finds something: {answer}")
    assert not wrong, "\n".join(wrong)


def filters(crossing: Crossing, operation: Operation) -> list[tuple[str, str]]:
    """Every filter that can name something of alpha's, with what it would find there."""
    found: list[tuple[str, str]] = []
    for name, schema in operation.parameters("query").items():
        kind = id_prefix(schema)
        if kind:
            found.append((name, crossing.alpha.ids[kind]))
        elif schema.get("type") == "string" and not {"enum", "format"} & schema.keys() and name != "cursor":
            found += [(name, crossing.alpha.mark), (name, f"{crossing.alpha.mark}%25")]
    return found


async def test_a_cursor_of_theirs_opens_nothing(crossing: Crossing) -> None:
    wrong: list[str] = []
    without: list[str] = []
    for operation in LISTS:
        question = with_query(crossing.alpha.address(operation), "limit=1")
        first = await crossing.alpha.stage.ask("GET", question, key=crossing.alpha.admin)
        assert first.status == 200, f"{operation}: {first}"
        cursor = first.json()["next_cursor"]
        if cursor is None:
            without.append(str(operation))
            continue
        answer = await crossing.ask(operation, with_query(crossing.beta.address(operation), f"limit=1&cursor={cursor}"))
        if answer.status != 422 or answer.json()["code"] != "cursor_invalid":
            wrong.append(f"{operation}: {answer}")
    assert not wrong, "\n".join(wrong)
    parts = [one for one in without if "{" in one]  # lists within one thing may have one item only
    assert (parts, len(LISTS) - len(parts) > 30) == (without, True)
