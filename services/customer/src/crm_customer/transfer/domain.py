"""Files of customers and purchases: how they are cut, what their columns mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from crm_shared.errors import FieldError, Invalid

MAX_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_ERRORS_KEPT = 10_000
CONSENT = "consent."

CUSTOMER_FIELDS = frozenset(
    {
        "external_id",
        "kind",
        "category",
        "display_name",
        "given_name",
        "family_name",
        "language",
        "time_zone",
        "country",
        "birth_date",
        "owner",
        "source",
        "registered_at",
        "email",
        "phone",
        "postal",
        "fax",
        "social",
        "device",
    }
)
PURCHASE_FIELDS = frozenset(
    {
        "external_id",
        "customer_external_id",
        "customer_id",
        "kind",
        "occurred_at",
        "amount",
        "currency",
        "quantity",
        "order_ref",
    }
)


class ImportKind(StrEnum):
    """What a file holds."""

    CUSTOMERS = "customers"
    PURCHASES = "purchases"


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a file is to be read; `mapping` gives our field's name for a column's, where they differ."""

    kind: ImportKind
    format: Format
    source: str
    customer_source: str
    dry_run: bool = False
    delimiter: str = ","
    country: str | None = None
    currency: str | None = None
    rows_as_ids: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class RowErrors:
    """A row that was refused, and why."""

    row: int
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows so far."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.rows + other.rows,
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.failed + other.failed,
        )


def whole_records(buffer: bytes, *, quoted: bool) -> int:
    """How many bytes of `buffer` are whole records; in CSV a line's end inside quotes ends nothing (RFC 4180)."""
    end = buffer.rfind(b"\n")
    if not quoted:
        return end + 1
    while end >= 0:
        if buffer.count(b'"', 0, end) % 2 == 0:
            return end + 1
        end = buffer.rfind(b"\n", 0, end)
    return 0


def columns(header: Sequence[str], settings: Settings) -> tuple[str | None, ...]:
    """Our field for each column of a file's header, None for those left out by mapping them to nothing.

    Raises:
        Invalid: a column means nothing to us, two mean the same, or one that is needed is missing.
    """
    known = CUSTOMER_FIELDS if settings.kind is ImportKind.CUSTOMERS else PURCHASE_FIELDS
    fields = [settings.mapping.get(name, name) or None for name in header]
    errors = [
        FieldError(f"column:{name}", "column_unknown", "Map it to a field of ours, or to nothing to leave it out.")
        for name, meant in zip(header, fields, strict=True)
        if meant is not None and meant not in known and not meant.startswith(("attributes.", CONSENT))
    ]
    named = [meant for meant in fields if meant is not None]
    errors += [
        FieldError(f"column:{meant}", "column_twice", "Two columns mean this field.")
        for meant in sorted({meant for meant in named if named.count(meant) > 1})
    ]
    if settings.kind is ImportKind.PURCHASES:
        needed = {"amount", "occurred_at"} - set(named)
        if not {"customer_id", "customer_external_id"} & set(named):
            needed.add("customer_external_id")
        if not settings.rows_as_ids and "external_id" not in named:
            needed.add("external_id")
        errors += [FieldError(f"column:{name}", "column_missing", "The file needs it.") for name in sorted(needed)]
    if errors:
        raise Invalid("The file's columns don't fit.", code="columns_unsuitable", errors=errors)
    return tuple(fields)
