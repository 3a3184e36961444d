"""Transactions that end badly: nobody's connection is lost, and who was told to go goes."""

import asyncio
import os
import signal

from sqlalchemy import text

from crm_shared.testing.kit import ServiceKit


class Amiss(Exception):
    """What makes a transaction roll back."""


async def test_who_is_told_to_go_while_the_database_hangs_in_a_rollback_goes(kit: ServiceKit) -> None:
    tenant, hanging = kit.tenant(), list[int]()

    async def fail() -> None:
        async with kit.database.transaction(tenant) as tx:
            hanging.append(await tx.scalar(text("SELECT pg_backend_pid()")))
            os.kill(hanging[0], signal.SIGSTOP)
            raise Amiss

    failing = asyncio.create_task(fail())
    try:
        await asyncio.wait([failing], timeout=0.1)
        assert not failing.done()
        failing.cancel()
        await asyncio.wait([failing], timeout=2)
    finally:
        os.kill(hanging[0], signal.SIGCONT)
    assert failing.cancelled()
    async with kit.transaction(tenant) as tx:
        assert await tx.scalar(text("SELECT 1")) == 1
