"""What a log may say of an error and of a text: nothing of a person, and no secret.

The words of an exception are anybody's: PostgreSQL repeats the row, pydantic the input, a library the address it was
given. So an error is told by its type, by what only names things of ours (a code, an SQLSTATE, a constraint), and by
where it was raised. Texts are looked through as well, for what has got into them all the same.
"""

import errno
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import PurePath
from types import TracebackType
from typing import Any, cast

from crm_shared.errors import CrmError

_MOST_FRAMES = 20
_PARTS = (
    (re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@]+@"), r"\g<scheme>[secret]@"),
    (re.compile(r"(?P<before>\bhttps?://[^\s?\"']+)\?[^\s\"']+"), r"\g<before>?[query]"),
    (re.compile(r"(?i)\b(?P<kind>bearer|basic)\s+[\w.~+/=-]{6,}"), r"\g<kind> [secret]"),
    (re.compile(r"\b(?:crm_(?:live|sess)_|whsec_)[\w+/=.-]{16,}"), "[secret]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), "[secret]"),
    (re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"\+\d[\d ()/.-]{6,}\d"), "[phone]"),
)  # fmt: skip
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)', re.MULTILINE)
_ERROR = re.compile(r"^(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Refused|Unavailable)\b)", re.MULTILINE)


def told(error: BaseException) -> str:
    """One line about an error, without its words (unless its class vouches for them: `tellable`)."""
    name = type(error).__qualname__
    if isinstance(error, CrmError):
        return f"{name} {error.code}"
    if getattr(error, "tellable", False):
        return scrubbed(f"{name}: {error}")
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} {errno.errorcode.get(error.errno, error.errno)}"
    if getattr(error, "sqlstate", None):
        named = (getattr(error, part, None) for part in ("sqlstate", "table_name", "column_name", "constraint_name"))
        return " ".join([name, *(str(part) for part in named if part)])
    return name


def frames_of(error: BaseException) -> list[str]:
    """Where it was raised, innermost last; files by the ends of their paths."""
    found = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return [_frame(frame.filename, frame.lineno or 0, frame.name) for frame in found]


def scrubbed(text: str) -> str:
    """The text without what looks like an address, a number to call, or a secret."""
    for pattern, instead in _PARTS:
        text = pattern.sub(instead, text)
    return text


def tell_errors(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Puts what may be said in place of exceptions; for structlog."""
    error = _error_in(event.pop("exc_info", None))
    event.pop("stack_info", None)
    if error is not None:
        event["error"] = told(error)
        event["at"] = frames_of(error)
        causes = _causes(error)
        if causes:
            event["because"] = [told(cause) for cause in causes]
    for name, value in event.items():
        if isinstance(value, BaseException):
            event[name] = told(value)
    return event


def scrub(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Looks every text through; for structlog, last before rendering."""
    for name, value in event.items():
        event[name] = _clean(value)
    return event


def shortened(message: str) -> str:
    """What a library logged: its first line, or of a printed traceback the places and types; the rest is data."""
    if message.startswith("Traceback"):
        places = [_frame(found["file"], int(found["line"]), found["function"]) for found in _FRAME.finditer(message)]
        types = [found["type"] for found in _ERROR.finditer(message)]
        return " ".join([*types, "at", *places[-3:]])
    return message.strip().partition("\n")[0]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, Mapping):
        return {key: _clean(part) for key, part in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_clean(part) for part in cast("Sequence[Any]", value)]
    return value if isinstance(value, int | float | None) else scrubbed(str(value))


def _error_in(given: Any) -> BaseException | None:
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, tuple):
        _, error, _ = cast("tuple[Any, BaseException | None, TracebackType | None]", given)
        return error
    return given if isinstance(given, BaseException) else None


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    if isinstance(error, BaseExceptionGroup):
        found.extend(cast("BaseExceptionGroup[BaseException]", error).exceptions)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None and cause not in found and len(found) < _MOST_FRAMES:
        found.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return found


def _frame(file: str, line: int, function: str) -> str:
    return f"{'/'.join(PurePath(file).parts[-3:])}:{line} {function}"
