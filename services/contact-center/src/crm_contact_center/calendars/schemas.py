"""Calendars over HTTP: windows are wall-clock times such as `{"opens": "08:30", "closes": "12:00"}`."""

from typing import Annotated, Self

from pydantic import Field

from crm_contact_center.calendars.domain import MINUTES_A_DAY, Calendar, Window
from crm_contact_center.calendars.store import NamedCalendar
from crm_contact_center.references import CalendarId
from crm_shared.fields import Day, Instant, Read, Strict
from crm_shared.http.pagination import Page, PageQuery

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["08:30"])]


class WindowBody(Strict):
    """Open from `opens` to before `closes`; `24:00` is midnight at the day's end."""

    opens: ClockTime
    closes: ClockTime

    def to_domain(self) -> Window:
        return Window(_minutes(self.opens), _minutes(self.closes))


class Weekly(Strict):
    """Windows by weekday; a lunch break is the gap between two of them."""

    monday: list[WindowBody] = Field([], max_length=12)
    tuesday: list[WindowBody] = Field([], max_length=12)
    wednesday: list[WindowBody] = Field([], max_length=12)
    thursday: list[WindowBody] = Field([], max_length=12)
    friday: list[WindowBody] = Field([], max_length=12)
    saturday: list[WindowBody] = Field([], max_length=12)
    sunday: list[WindowBody] = Field([], max_length=12)


class SpecialDay(Strict):
    """A holiday (no windows) or a day with hours of its own."""

    day: Day
    windows: list[WindowBody] = Field([], max_length=12)


class CalendarWrite(Strict):
    """Business hours."""

    name: str = Field(min_length=1, max_length=200, examples=["Berlin office hours"])
    zone: str = Field(max_length=64, examples=["Europe/Zagreb"])
    weekly: Weekly = Field(
        examples=[
            {"monday": [{"opens": "08:30", "closes": "17:00"}], "friday": [{"opens": "08:30", "closes": "15:00"}]}
        ]
    )
    special_days: list[SpecialDay] = Field([], max_length=1_000, examples=[[{"day": "2026-12-25"}]])

    def to_domain(self) -> Calendar:
        weekly = {number: _windows(getattr(self.weekly, name)) for number, name in enumerate(WEEKDAYS)}
        return Calendar(self.zone, weekly, {special.day: _windows(special.windows) for special in self.special_days})


class CalendarRead(Read):
    """A calendar in its current version."""

    id: CalendarId
    name: str = Field(examples=["Berlin office hours"])
    version: int
    zone: str = Field(examples=["Europe/Berlin"])
    weekly: Weekly
    special_days: list[SpecialDay]
    created_at: Instant

    @classmethod
    def of(cls, found: NamedCalendar) -> Self:
        hours = found.hours
        return cls(
            id=found.id,
            name=found.name,
            version=found.version,
            zone=hours.zone,
            weekly=Weekly(**{name: _bodies(hours.weekly.get(number, ())) for number, name in enumerate(WEEKDAYS)}),
            special_days=[
                SpecialDay(day=day, windows=_bodies(windows)) for day, windows in sorted(hours.special_days.items())
            ],
            created_at=found.created_at,
        )


class CalendarPage(Page):
    items: list[CalendarRead]


class CalendarFilter(PageQuery):
    """Calendars have no filters yet."""


class OpeningRead(Read):
    """Whether a calendar is open at a moment, and when it opens next (that moment, if it is)."""

    at: Instant
    open: bool = Field(examples=[True])
    next_opening: Instant | None


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _text(minutes: int) -> str:
    return "24:00" if minutes == MINUTES_A_DAY else f"{minutes // 60:02}:{minutes % 60:02}"


def _windows(bodies: list[WindowBody]) -> tuple[Window, ...]:
    return tuple(sorted(body.to_domain() for body in bodies))


def _bodies(windows: tuple[Window, ...]) -> list[WindowBody]:
    return [WindowBody(opens=_text(window.opens), closes=_text(window.closes)) for window in windows]
