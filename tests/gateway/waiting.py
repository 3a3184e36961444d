"""Waiting for what will be true in a moment."""

import asyncio
from collections.abc import Callable
from typing import Any


async def until(true: Callable[[], Any], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)
