"""A part of a text finds everybody whose text holds it, wherever it stands and however it is found."""

import re
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crm_customer.app import SERVICE
from crm_customer.parties.domain import fold
from crm_customer.parties.store import searching
from crm_shared.ids import parse_id
from crm_shared.testing.cluster import Cluster
from crm_shared.testing.kit import ServiceKit

NAMES = [
    f"{given} {family}"
    for given in ("Ada", "Adalbert", "Žofia", "Ann_Kristin")
    for family in ("Löwe", "Löwenstern", "Stern", "Sternberg von Kurz", "50%", "adali")
]
SERVED = re.compile(r"[^\W_]{3}")
People = dict[UUID, tuple[str, str]]
"""Name and mail, folded."""


@pytest.fixture(scope="module")
async def crowd(cluster: Cluster) -> AsyncIterator[tuple[ServiceKit, UUID, People]]:
    """Customers by name and mail; the last of them have no words in common with the others but in their mail."""
    async with ServiceKit.started(SERVICE, cluster) as kit:
        tenant, people = kit.tenant(), People()
        async with kit.client(tenant) as http:
            for nth, name in enumerate([*NAMES, "Bert Bär", "Cleo"]):
                mail = f"{name[:3].lower()}{nth}@sternwarte.example".replace("ž", "z")
                body = {"display_name": name, "contact_points": [{"channel": "email", "value": mail}]}
                answer = await http.post("/v1/customers", json=body)
                assert answer.status_code == 201, answer.text
                people[parse_id("cus", answer.json()["id"])] = (fold(name), mail)
        yield kit, tenant, people


def part_of(word: str) -> st.SearchStrategy[str]:
    """Any stretch of it."""
    ends = st.tuples(st.integers(0, len(word)), st.integers(0, len(word))).map(sorted)
    return ends.map(lambda between: word[slice(*between)])


@given(data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_who_holds_every_part_is_found_and_nobody_else_and_those_first_whose_name_does(
    crowd: tuple[ServiceKit, UUID, People], data: st.DataObject
) -> None:
    kit, tenant, people = crowd
    somebody = data.draw(st.sampled_from(sorted(people.values())))
    words = data.draw(st.lists(st.sampled_from(" ".join(somebody).split()), min_size=1, max_size=6))
    parts = [data.draw(part_of(word)) for word in words]
    assume(any(SERVED.search(part) for part in parts))
    asked = [part for part in parts if SERVED.search(part)]
    by_name = {each for each, (name, _) in people.items() if all(part in name for part in asked)}
    at_all = {each for each, texts in people.items() if all(part in " ".join(texts) for part in asked)}
    limit = data.draw(st.integers(1, 40))
    async with kit.transaction(tenant) as tx:
        found = await searching.matching_ids(tx, " ".join(asked), limit=limit)
    assert len(found) == len(set(found)) == min(limit, len(at_all))
    assert at_all >= set(found)
    begins_a_mail = any(mail.startswith(" ".join(asked)) for _, mail in people.values())
    if len(asked) <= 4 and not begins_a_mail and "@" not in "".join(asked):
        assert len(by_name & set(found)) == min(limit, len(by_name))
