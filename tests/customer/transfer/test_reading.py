"""Bytes from outside: each row is taken or named, whatever it holds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crm_customer.transfer.domain import Format, ImportKind, RowErrors, Settings
from crm_customer.transfer.reading import header_of, read_customers, read_purchases
from crm_shared.errors import Invalid

HEADER = ["external_id", "display_name", "birth_date", "email", "phone", "consent.news.email", "registered_at"]
PURCHASE = ["external_id", "customer_external_id", "occurred_at", "amount", "currency", "quantity", "kind"]
PIECES = [
    *("1", "Ann", "2020-01-31", "2020-13-45", "ann@example.org", "+4930123456", "granted", "2020-01-01T00:00:00Z"),
    *(
        ",",
        "\n",
        "\r\n",
        "\r",
        '"',
        '""',
        ";",
        "\x00",
        " ",
        "\ufeff",
        "NaN",
        "Infinity",
        "1e999",
        "-0.0",
        "9" * 40,
        "EUR",
    ),
    *(
        '{"external_id": "1", ',
        '"display_name": "Ann"}',
        "{",
        "}",
        "[",
        "]",
        ":",
        "null",
        "true",
        '"attributes": ',
        "\ud800",
    ),
]
bodies = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(PIECES), max_size=40).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass")),
)
formats = st.sampled_from([Format.CSV, Format.NDJSON])


def how(kind: ImportKind, form: Format) -> Settings:
    return Settings(kind, form, "shop", "shop", country="DE", currency="EUR")


@given(bodies, formats)
@settings(max_examples=300)
def test_any_bytes_are_rows_or_named_errors(body: bytes, form: Format) -> None:
    customers = read_customers(body, HEADER, how(ImportKind.CUSTOMERS, form), 1)
    purchases = read_purchases(body, PURCHASE, how(ImportKind.PURCHASES, form), 1)
    for rows in (customers, purchases):
        assert [row.row for row in rows] == list(range(1, len(rows) + 1))


@given(st.binary(max_size=120), st.sampled_from(",;|\t"))
def test_any_first_line_is_a_header_or_refused(line: bytes, delimiter: str) -> None:
    try:
        names = header_of(line, delimiter)
    except Invalid:
        return
    assert names


def test_a_cell_that_is_too_long_names_its_row_and_spoils_no_other() -> None:
    body = b"1,Ann\n2," + b"x" * 200_000 + b"\n3,Ben\n"
    rows = read_customers(body, HEADER[:2], how(ImportKind.CUSTOMERS, Format.CSV), 1)
    assert [isinstance(row, RowErrors) for row in rows] == [False, True, False]
    assert isinstance(rows[1], RowErrors)
    assert rows[1].errors[0].code == "csv_malformed"
