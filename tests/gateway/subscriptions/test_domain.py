"""Which events a reader may have, and where it stands."""

from uuid import UUID

import pytest

from crm_gateway.subscriptions.domain import (
    Head,
    Kind,
    cursor_of,
    position_of,
    refuse_narrowed,
    types_of,
    visible_types,
)
from crm_shared.errors import Forbidden, Gone, Invalid
from crm_shared.tenancy import Viewer

CATALOGUE = {
    kind: Kind(kind, "crm.x", "x", scope, "")
    for kind, scope in {
        "crm.customer.updated.v1": "customers:read",
        "crm.customer.erased.v1": "customers:read",
        "crm.deal.won.v1": "deals:read",
    }.items()
}
SELLER = Viewer(UUID(int=1), "usr_x", frozenset({"deals:read"}))


def test_without_patterns_a_reader_gets_all_it_may_see() -> None:
    assert visible_types(SELLER, [], CATALOGUE) == {"crm.deal.won.v1"}


def test_of_what_is_asked_for_a_reader_gets_what_it_may_see() -> None:
    assert visible_types(SELLER, ["crm.*"], CATALOGUE) == {"crm.deal.won.v1"}
    with pytest.raises(Forbidden, match="customers:read"):
        visible_types(SELLER, ["crm.customer.*"], CATALOGUE)


def test_a_star_stands_for_any_ending_and_nothing_else_is_guessed() -> None:
    assert types_of(["crm.customer.*", "crm.deal.won.v1"], CATALOGUE) == CATALOGUE.keys()
    for pattern in ("crm.deal.won", "deal.*", "", "crm.deal.won.v1.*"):
        with pytest.raises(Invalid):
            types_of([pattern], CATALOGUE)


@pytest.mark.parametrize(
    "viewer",
    [
        Viewer(UUID(int=1), "usr_x", frozenset({"events:read"}), partner="dealer"),
        Viewer(UUID(int=1), "usr_x", frozenset({"events:read", "records:own"})),
    ],
)
def test_who_sees_part_of_the_records_gets_no_events(viewer: Viewer) -> None:
    with pytest.raises(Forbidden):
        refuse_narrowed(viewer)


@pytest.mark.parametrize("position", [0, 1, 2**40])
def test_a_cursor_comes_back_as_it_went(position: int) -> None:
    assert position_of(cursor_of(position), Head(latest=2**41)) == position


@pytest.mark.parametrize(
    ("cursor", "error"),
    [
        (cursor_of(4), Gone),
        (cursor_of(11), Gone),
        ("", Invalid),
        ("AQ", Invalid),
        ("AgAAAAAAAAAF", Invalid),
        ("no cursor at all", Invalid),
        ("ä", Invalid),
    ],
)
def test_a_cursor_that_leads_nowhere_is_refused(cursor: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        position_of(cursor, Head(latest=10, pruned_to=5))
