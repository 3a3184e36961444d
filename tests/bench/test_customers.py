"""The benchmark of customers at its shortest: it runs, and both sides answer alike."""

from tests.bench.__main__ import measure


def test_it_measures_every_kind_of_request_on_both_sides() -> None:
    sheet = measure("customers", short=True)
    names = [figure.name for figure in sheet.figures]
    kinds = ("get", "list, first page", "list, deep page", "search by name", "search with a slip", "create")
    assert all(any(name.startswith(f"{kind} at 500 ÷ reference") for name in names) for kind in kinds), names
    assert all(figure.value > 0 for figure in sheet.figures if not figure.name.endswith("PostgreSQL"))
    assert names[-1] == "filtered list of 1,000, p95"
