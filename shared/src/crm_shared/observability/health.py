"""Whether this process should be given work, part by part.

Alive and ready are two questions. A process whose database is away is alive: starting it anew would mend nothing. It
isn't ready, and says which part isn't.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from crm_shared.observability.redaction import told
from crm_shared.observability.vitals import VITALS

Check = Callable[[], Awaitable[None]]
"""Returns when its part is well, and raises when not."""
OK = "ok"
ANSWER_WITHIN_S = 2.0
MOST_LAG_S = 2.0
"""An event loop that runs later than this answers nobody in time."""


class NotReady(Exception):
    """A part isn't well; the text says why, naming only things of ours."""

    tellable = True


class Draining:
    """Set once, when the process has been asked to end: it finishes what it has, and gets nothing new."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        """From now on this process isn't ready."""
        self.begun = True


DRAINING = Draining()


async def examined(checks: Mapping[str, Check]) -> dict[str, str]:
    """Each part with `ok` or what is wrong with it; asked side by side, none for longer than two seconds."""
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    parts = dict(zip(checks, answers, strict=True))
    parts["event_loop"] = OK if VITALS.lag_s < MOST_LAG_S else f"{VITALS.lag_s:.1f} s late"
    if DRAINING.begun:
        parts["process"] = "is ending"
    return parts


def is_well(parts: Mapping[str, str]) -> bool:
    """Whether all of them are."""
    return all(answer == OK for answer in parts.values())


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await check()
    except TimeoutError:
        return "no answer"
    except Exception as error:  # noqa: BLE001 # whatever is wrong, this part isn't ready
        return told(error)
    return OK
