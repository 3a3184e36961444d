from collections.abc import Generator
from types import TracebackType
from typing import Any

from typing_extensions import TypeVar

from asyncpg import Connection, Record
from asyncpg import Pool as Pool

_R = TypeVar("_R", default=Record)

class PoolConnectionProxy(Connection[_R]): ...

class PoolAcquireContext:
    def __await__(self) -> Generator[Any, None, PoolConnectionProxy[Record]]: ...
    async def __aenter__(self) -> PoolConnectionProxy[Record]: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
