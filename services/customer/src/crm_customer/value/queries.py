"""Questions about value."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from crm_customer.parties.store import aliases
from crm_customer.value import store
from crm_customer.value.domain import Dimension, ValueGroup
from crm_customer.value.store import Cell, Rated, Run
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

_NO_RUN_YET = 2**31 - 1


async def rating(tx: Tx, viewer: Viewer, customer_id: UUID) -> Rated | None:
    """A customer's rating; None before their first purchase was rated.

    Raises:
        NotFound: there is no such customer.
    """
    return await store.rated(tx, await aliases.answering(tx, customer_id))


async def runs(tx: Tx, viewer: Viewer, *, limit: int, after: tuple[Any, ...] | None) -> list[Run]:
    """A page of runs, the latest first."""
    return await store.runs(tx, limit=limit, before=after[0] if after else _NO_RUN_YET)


async def cross_table(tx: Tx, viewer: Viewer, rows: Dimension, columns: Dimension) -> list[Cell]:
    """How many customers have which pair of scores."""
    return await store.cross_table(tx, rows, columns)


async def groups(tx: Tx, viewer: Viewer) -> list[tuple[ValueGroup, str, int, Decimal]]:
    """How many customers each named group holds."""
    return await store.groups(tx)
