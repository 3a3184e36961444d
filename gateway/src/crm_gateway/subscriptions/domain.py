"""Which events a reader may have, and where a reader stands."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm_shared.errors import FieldError, Forbidden, Gone, Invalid
from crm_shared.tenancy import Viewer

ERASED = ".erased.v1"
_NARROWED = "records:own"
_CURSOR_VERSION = b"\x01"
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of event: what a reader must hold to be told of it, who publishes it where, and what it means."""

    type: str
    topic: str
    service: str
    scope: str
    title: str


Catalogue = Mapping[str, Kind]
"""All types of events by name."""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """One event at its position; `text` is the CloudEvent in its JSON form."""

    position: int
    kept_at: datetime
    event_id: UUID
    type: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far a tenant's kept events reach: the last position given, and the last one that age has removed."""

    latest: int = 0
    pruned_to: int = 0


def cursor_of(position: int) -> str:
    """A position as readers carry it."""
    return urlsafe_b64encode(_CURSOR_VERSION + position.to_bytes(8, "big")).decode("ascii")


def position_of(cursor: str, head: Head, *, at: str = "/cursor") -> int:
    """The position in a reader's cursor, which stands `at` this place of the request.

    Raises:
        Invalid: it never came from here.
        Gone: what follows it is not kept any more, or it is of a history that a restored backup has ended.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
    except (NotBase64, ValueError):
        raw = b""
    if len(raw) != 9 or raw[:1] != _CURSOR_VERSION:
        raise Invalid.field(at, "This cursor was not made here.", code="cursor_invalid")
    position = int.from_bytes(raw[1:], "big")
    if position < head.pruned_to:
        raise _begin_anew("Events after this cursor are so old that they are gone.", "cursor_too_old", at)
    if position > head.latest:
        raise _begin_anew("This cursor is ahead of all events; a backup was restored.", "cursor_unknown", at)
    return position


def _begin_anew(what: str, code: str, at: str) -> Gone:
    way = "Read what you follow anew from its list (GET /v1/customers …), then go on without a cursor."
    return Gone(f"{what} {way}", code=code, errors=(FieldError(at, code, what),))


def refuse_narrowed(viewer: Viewer) -> None:
    """Refuse a viewer who sees only part of the company's records: events tell of all of them.

    Raises:
        Forbidden: this is a partner, or somebody who sees their own records only.
    """
    if viewer.partner is not None or _NARROWED in viewer.scopes:
        detail = "Events tell of the whole company; who sees only some records doesn't get them."
        raise Forbidden(detail, code="events_not_for_narrowed")


def visible_types(
    viewer: Viewer, patterns: Collection[str], catalogue: Catalogue, *, at: str = "/types"
) -> frozenset[str]:
    """The types that a viewer gets of those asked for; without patterns, all that it may see.

    Raises:
        Invalid: a pattern names no type there is.
        Forbidden: none of what is asked for may be seen.
    """
    allowed = frozenset(kind.type for kind in catalogue.values() if viewer.may(kind.scope))
    if not patterns:
        return allowed
    asked = types_of(patterns, catalogue, at=at)
    if not asked & allowed:
        needed = ", ".join(sorted({catalogue[name].scope for name in asked}))
        raise Forbidden(f"These events need the scope {needed}.", code="scope_missing")
    return asked & allowed


def types_of(patterns: Iterable[str], catalogue: Catalogue, *, at: str = "/types") -> frozenset[str]:
    """The types that patterns mean: a name, or the beginning of names followed by `*`; they stand `at` this place.

    Raises:
        Invalid: a pattern means none.
    """
    found: set[str] = set()
    for pattern in patterns:
        meant = {name for name in catalogue if _means(pattern, name)}
        if not meant:
            raise Invalid.field(at, f"No type of event is called {pattern}.", code="event_type_unknown")
        found |= meant
    return frozenset(found)


def _means(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
