"""Business hours: when a calendar is open, how much open time lies between two instants, and what lies that far ahead.

Windows are wall-clock times of the calendar's zone; amounts are elapsed time. A wall-clock time that a clock change
skips is never open, one that it repeats is open twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from crm_shared.errors import Invalid

MINUTES_A_DAY = 24 * 60
HORIZON = timedelta(days=3 * 366)
"""How far ahead open time is looked for: a calendar shut for longer is taken to be shut for good."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Open from `opens` to before `closes`, in minutes since local midnight (0…1440)."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version of business hours: windows per weekday (0 = Monday) and per special day; a holiday has none."""

    zone: str
    weekly: Mapping[int, tuple[Window, ...]]
    special_days: Mapping[date, tuple[Window, ...]] = field(default_factory=dict[date, tuple[Window, ...]])

    def windows(self, day: date) -> tuple[Window, ...]:
        """The windows of one local day."""
        special = self.special_days.get(day)
        return self.weekly.get(day.weekday(), ()) if special is None else special


ALWAYS_OPEN = Calendar("UTC", {weekday: (Window(0, MINUTES_A_DAY),) for weekday in range(7)})
OFFICE_HOURS = Calendar("UTC", {weekday: (Window(8 * 60, 12 * 60), Window(13 * 60, 17 * 60)) for weekday in range(5)})
"""What a tenant without a calendar of its own is taken to work."""


def validate(calendar: Calendar) -> None:
    """Refuses an unknown zone and windows that are empty, out of the day or overlap.

    Raises:
        Invalid: with the offending field's pointer.
    """
    if calendar.zone not in available_timezones():
        raise Invalid.field("/zone", "Name an IANA time zone, such as Europe/Zagreb.", code="zone_unknown")
    for weekday, windows in calendar.weekly.items():
        _validate_windows(f"/weekly/{weekday}", windows)
    for day, windows in calendar.special_days.items():
        _validate_windows(f"/special_days/{day.isoformat()}", windows)


def _validate_windows(pointer: str, windows: tuple[Window, ...]) -> None:
    for window in windows:
        if not 0 <= window.opens < window.closes <= MINUTES_A_DAY:
            raise Invalid.field(pointer, "A window opens before it closes, within one day.", code="window_empty")
    for before, after in pairwise(sorted(windows)):
        if after.opens < before.closes:
            raise Invalid.field(pointer, "Windows of one day must not overlap.", code="windows_overlap")


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether `at` lies in a window."""
    local = at.astimezone(_zone(calendar.zone))
    minute = local.hour * 60 + local.minute
    return any(window.opens <= minute < window.closes for window in calendar.windows(local.date()))


def business_time_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Open time from `start` to `end`; zero if `end` isn't later."""
    total = timedelta()
    for opens, closes in open_intervals(calendar, start, end):
        total += closes - opens
    return total


def add_business_time(calendar: Calendar, start: datetime, amount: timedelta) -> datetime:
    """The first instant with `amount` of open time since `start`; `start` itself for nothing.

    Raises:
        Invalid: the calendar doesn't open for that long within three years.
    """
    if amount <= timedelta():
        return start
    left = amount
    for opens, closes in open_intervals(calendar, start, start + HORIZON):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    raise Invalid("The calendar has too little open time in the next three years.", code="calendar_shut")


def next_opening(calendar: Calendar, at: datetime) -> datetime | None:
    """`at` if open, else when it opens next; None if it doesn't."""
    return next((opens for opens, _ in open_intervals(calendar, at, at + HORIZON)), None)


def working_day(calendar: Calendar) -> timedelta:
    """How long an ordinary working day is: the mean open time of the weekdays that open at all."""
    days = [sum(window.closes - window.opens for window in windows) for windows in calendar.weekly.values() if windows]
    return timedelta(minutes=sum(days) / len(days)) if days else timedelta(days=1)


def open_intervals(calendar: Calendar, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open intervals between two instants, in order, cut to them."""
    if end <= start:
        return
    zone = _zone(calendar.zone)
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        for opens, closes in _day_intervals(calendar.zone, day, calendar.windows(day)):
            if closes > start and opens < end:
                yield max(opens, start), min(closes, end)
        day += timedelta(days=1)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=8192)
def _day_intervals(zone: str, day: date, windows: tuple[Window, ...]) -> tuple[tuple[datetime, datetime], ...]:
    """A local day's windows as instants: each stretch of constant offset maps its own part of the wall clock."""
    intervals: list[tuple[datetime, datetime]] = []
    for begins, ends, offset in _offsets(_zone(zone), day):
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - offset
        for window in sorted(windows):
            opens = max(midnight + timedelta(minutes=window.opens), begins)
            closes = min(midnight + timedelta(minutes=window.closes), ends)
            if opens < closes:
                intervals.append((opens, closes))
    return tuple(intervals)


def _offsets(zone: ZoneInfo, day: date) -> list[tuple[datetime, datetime, timedelta]]:
    """The stretches of constant offset that a local day is made of: one, or two when the clocks change."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    begins, ends = midnight - timedelta(hours=26), midnight + timedelta(hours=50)
    first, last = _offset(zone, begins), _offset(zone, ends)
    if first == last and _offset(zone, midnight) == first:
        return [(begins, ends, first)]
    changes = [begins, *_changes(zone, begins, ends), ends]
    return [(since, until, _offset(zone, since)) for since, until in pairwise(changes)]


def _changes(zone: ZoneInfo, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """The instants, to the second, at which the zone's offset changes."""
    step = timedelta(hours=2)
    while begins < ends:
        until = min(begins + step, ends)
        if _offset(zone, begins) != _offset(zone, until):
            before, after = begins, until
            while after - before > timedelta(seconds=1):
                middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
                before, after = (middle, after) if _offset(zone, middle) == _offset(zone, begins) else (before, middle)
            yield after
        begins = until


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
