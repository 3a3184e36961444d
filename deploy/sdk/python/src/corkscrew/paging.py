"""Lists come in pages; these follow the cursor."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic

from corkscrew.values import Item, PageKind

LARGEST_PAGE = 200


class Pager(Generic[Item, PageKind]):
    """A list: iterate over it for all items, page after page; each iteration asks anew."""

    def __init__(self, fetch: Callable[[str | None, int | None], PageKind]) -> None:
        self._fetch = fetch

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[PageKind]:
        """The pages; `next_cursor` of one is where another `list(cursor=…)` goes on."""
        page = self._fetch(None, None)
        yield page
        while page.next_cursor is not None:
            page = self._fetch(page.next_cursor, None)
            yield page

    def take(self, count: int) -> list[Item]:
        """The first `count` items at most, with as few requests as can be."""
        taken: list[Item] = []
        cursor: str | None = None
        while count > len(taken):
            page = self._fetch(cursor, min(count - len(taken), LARGEST_PAGE))
            taken += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return taken


class AsyncPager(Generic[Item, PageKind]):
    """A list: iterate over it with `async for` for all items, page after page; each iteration asks anew."""

    def __init__(self, fetch: Callable[[str | None, int | None], Awaitable[PageKind]]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[PageKind]:
        """The pages; `next_cursor` of one is where another `list(cursor=…)` goes on."""
        page = await self._fetch(None, None)
        yield page
        while page.next_cursor is not None:
            page = await self._fetch(page.next_cursor, None)
            yield page

    async def take(self, count: int) -> list[Item]:
        """The first `count` items at most, with as few requests as can be."""
        taken: list[Item] = []
        cursor: str | None = None
        while count > len(taken):
            page = await self._fetch(cursor, min(count - len(taken), LARGEST_PAGE))
            taken += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return taken
