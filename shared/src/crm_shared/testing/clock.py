"""A clock that tests turn."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The instant it shows."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move on."""
        self._now += by
        return self._now

    def set(self, to: datetime) -> None:
        """Show this instant."""
        self._now = to
