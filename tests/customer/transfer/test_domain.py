import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_customer.transfer.domain import Format, ImportKind, Settings, columns, whole_records
from crm_shared.errors import Invalid

CELLS = st.text(st.sampled_from('ab,"\n\r;'), max_size=6)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=12)


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


@given(ROWS, st.integers(1, 40))
def test_cutting_between_records_loses_and_splits_nothing(rows: list[list[str]], size: int) -> None:
    body, pieces, buffer = written(rows), list[bytes](), b""
    for start in range(0, len(body), size):
        buffer += body[start : start + size]
        end = whole_records(buffer, quoted=True)
        pieces.append(buffer[:end])
        buffer = buffer[end:]
    pieces.append(buffer)
    assert b"".join(pieces) == body
    assert [row for piece in pieces for row in read(piece)] == read(body)


CUSTOMERS = Settings(ImportKind.CUSTOMERS, Format.CSV, "erp", "erp", mapping={"Mail": "email", "Note": ""})


def test_columns_are_mapped_and_may_be_left_out() -> None:
    assert columns(["external_id", "Mail", "Note"], CUSTOMERS) == ("external_id", "email", None)


@pytest.mark.parametrize("header", [["shoe"], ["Mail", "email"]])
def test_columns_that_mean_nothing_or_the_same_are_refused(header: list[str]) -> None:
    with pytest.raises(Invalid):
        columns(header, CUSTOMERS)
