"""One thing that was looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: an error stops something that should work, a warning will; a note only limits what can be done."""

    FINE = "fine"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at (`check`, of whom) and seen; and unless it is fine, why it matters and what to do."""

    check: str
    subject: str
    severity: Severity
    seen: str
    why: str = ""
    remedy: str = ""

    def is_bad(self, *, strict: bool = False) -> bool:
        """Whether it makes the examination fail."""
        return self.severity is Severity.ERROR or (strict and self.severity is Severity.WARNING)


def fine(check: str, subject: str, seen: str) -> Finding:
    """As it should be."""
    return Finding(check, subject, Severity.FINE, seen)


def note(check: str, subject: str, seen: str, *, why: str, remedy: str) -> Finding:
    """Something can't be done here that few want."""
    return Finding(check, subject, Severity.NOTE, seen, why, remedy)


def warning(check: str, subject: str, seen: str, *, why: str, remedy: str) -> Finding:
    """It works today."""
    return Finding(check, subject, Severity.WARNING, seen, why, remedy)


def error(check: str, subject: str, seen: str, *, why: str, remedy: str) -> Finding:
    """It doesn't work."""
    return Finding(check, subject, Severity.ERROR, seen, why, remedy)
