"""A request's coroutine, carried on by what it waits for in that very turn of the event loop.

A task costs a turn of the loop to begin, and a future and one more turn for each wait. Most requests wait only once,
for their upstream's answer, and what brings the answer can as well carry them on itself. Whoever waits for anything
else, as any coroutine may, is a task from there on.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from types import coroutine
from typing import Any


class Errand:
    """One coroutine on its way. The code that it runs finds it by `current`."""

    __slots__ = ("_begun", "_context", "_coroutine", "_ended", "_error", "_over", "_task")

    def __init__(self, run: Coroutine[Any, Any, None], ended: "Callable[[Errand], object] | None" = None) -> None:
        self._coroutine = run
        self._ended = ended
        self._context = copy_context()
        self._task: asyncio.Task[Any] | None = None
        self._error: BaseException | None = None
        self._begun = False
        self._over = False

    @property
    def is_task(self) -> bool:
        """Whether it needs a task by now."""
        return self._task is not None

    def go_on(self) -> None:
        """Begins, or goes on after `pause`."""
        self._carry(self._coroutine.send, None)

    async def here(self) -> None:
        """All of it within the current task."""
        self._task, self._begun = asyncio.current_task(), True
        await self._steps(self._coroutine.send)

    def interrupt(self, error: BaseException) -> None:
        """Ends what it waits for with `error`."""
        if self._over:
            return
        if self._task is None:
            self._carry(self._coroutine.throw, error)
        elif not self._begun:  # a task that is cancelled before its first turn runs nothing at all
            asyncio.get_running_loop().call_soon(self.interrupt, error)
        else:
            self._error = error
            self._task.cancel()

    def cancel(self, msg: object = None) -> None:
        """What a server calls that stops."""
        asyncio.get_running_loop().call_soon(self.interrupt, asyncio.CancelledError(msg))

    def _carry(self, how: Callable[[Any], Any], what: object) -> None:
        loop = asyncio.get_running_loop()
        try:
            awaited = self._context.run(self._step, how, what)
        except StopIteration:
            self._end()
        except asyncio.CancelledError:
            self._end()
        except Exception as error:  # noqa: BLE001 # nobody waits for it: it would end in whatever has carried it on
            self._end()
            loop.call_exception_handler({"message": "a request has failed", "exception": error})
        else:
            if awaited is not self:
                self._task = loop.create_task(self._rest(awaited), context=self._context)

    def _step(self, how: Callable[[Any], Any], what: object) -> Any:
        global _current  # noqa: PLW0603 # one thread, and a context variable costs each request more
        before, _current = _current, self
        try:
            return how(what)
        finally:
            _current = before

    async def _rest(self, awaited: object) -> None:
        self._begun = True
        try:
            await self._steps(lambda _: awaited)
        finally:
            self._end()

    @coroutine
    def _steps(self, how: Callable[[Any], Any]) -> Generator[Any, Any]:
        what: object = None
        while True:
            try:
                awaited = self._step(how, what)
            except StopIteration:
                return
            how, what = self._coroutine.send, None
            try:
                yield awaited
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001 # the coroutine's to handle
                how, what = self._coroutine.throw, self._meant(error)

    def _meant(self, error: BaseException) -> BaseException:
        """What ended the wait: the task's cancellation may be an interruption."""
        meant, self._error = self._error, None
        if meant is None or self._task is None:
            return error
        self._task.uncancel()
        return meant

    def _end(self) -> None:
        self._over = True
        if self._ended is not None:
            self._ended(self)


_current: Errand | None = None


def current() -> Errand | None:
    """The errand whose code is running."""
    return _current


async def as_task() -> None:
    """From here on in a task: for what asks for the current one."""
    if _current is not None and not _current.is_task:
        await _yielded(None)


class News:
    """What one waits for that somebody else will tell of."""

    __slots__ = ("_tell",)

    def __init__(self) -> None:
        self._tell: Callable[[], object] | None = None

    async def wait(self) -> None:
        """Until `tell`. One at a time."""
        errand = _current
        try:
            if errand is not None and not errand.is_task:
                self._tell = errand.go_on
                await _yielded(errand)
            else:
                told = asyncio.get_running_loop().create_future()
                self._tell = lambda: told.done() or told.set_result(None)
                await told
        finally:
            self._tell = None

    def tell(self) -> None:
        """There is something new. An errand goes on before this returns."""
        if self._tell is not None:
            self._tell()


@coroutine
def _yielded(what: object) -> Generator[Any, Any]:
    yield what
