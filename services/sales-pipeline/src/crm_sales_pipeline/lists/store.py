"""Conditions that every list statement draws on."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, bindparam, or_, tuple_

from crm_sales_pipeline.lists.domain import restricted_to_own, user_of
from crm_shared.tenancy import Viewer


def visible(table: Table, viewer: Viewer) -> Iterator[ColumnElement[bool]]:
    """Only what the viewer sees of a table with the columns `partner` and `owner_id`."""
    if viewer.partner is not None:
        yield table.c.partner == viewer.partner
    if restricted_to_own(viewer):
        yield or_(table.c.owner_id == user_of(viewer), table.c.owner_id.is_(None))


def beyond(columns: Sequence[Column[Any]], last: Sequence[Any], *, descending: bool = False) -> ColumnElement[bool]:
    """The rows that come after `last` when ordered by all `columns` in that direction."""
    here = tuple_(*columns)
    # Typed by the columns: a bare datetime would be sent as one without a zone.
    typed = (
        bindparam(None, value, type_=column.type, unique=True) for column, value in zip(columns, last, strict=True)
    )
    there = tuple_(*typed)
    return here < there if descending else here > there
