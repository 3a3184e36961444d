"""Operations on their way out: said in the document and in every answer (RFC 9745 and RFC 8594).

```python
@router.get("/{ticket_id}/clock", response_model=ClockRead)
@deprecated(since=date(2027, 1, 15), sunset=date(2027, 9, 1), instead="GET /v1/tickets/{ticket_id}")
async def clock(…): …
```
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])
SUNSET = "x-sunset"
"""Where the document says from which day on an operation may be gone."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when an operation is not to be used any more, from when on it may be gone, and what to use instead."""

    since: date
    sunset: date
    instead: str

    @property
    def headers(self) -> dict[str, str]:
        """What every answer of the operation says about it."""
        since, sunset = (datetime.combine(day, time(), UTC) for day in (self.since, self.sunset))
        return {"Deprecation": f"@{since.timestamp():.0f}", "Sunset": format_datetime(sunset, usegmt=True)}

    @property
    def sentence(self) -> str:
        """The same in the document."""
        return f"Deprecated since {self.since}, gone after {self.sunset}; use {self.instead}."


def deprecated(*, since: date, sunset: date, instead: str) -> Callable[[Handler], Handler]:
    """Mark a handler, below its route's own decorator."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__["crm_deprecation"] = Deprecation(since, sunset, instead)
        return handler

    return mark
