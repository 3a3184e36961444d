"""Rows of a file as registrations and reports; runs in a process of its own, since it would hold the event loop."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import orjson

from crm_customer.behaviour.domain import FactKind
from crm_customer.parties.domain import Category, ContactChannel, Kind, Profile, Registration, TypedPoint, named
from crm_customer.parties.normalising import contact_points
from crm_customer.transfer.domain import CONSENT, CUSTOMER_FIELDS, Format, RowErrors, Settings, columns
from crm_shared.errors import FieldError, Invalid
from crm_shared.money import Money

MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A row that names a customer, and the consents it carries by purpose and channel."""

    row: int
    registration: Registration
    consents: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    """A row that names a purchase; the customer by our id's text or another system's id."""

    row: int
    customer_id: str | None
    customer_external_id: str | None
    kind: FactKind
    external_id: str
    occurred_at: datetime
    amount: Money
    quantity: Decimal | None
    order_ref: str | None


Fields = Mapping[str, Any]


def read_customers(
    body: bytes, header: Sequence[str], settings: Settings, first_row: int
) -> list[CustomerRow | RowErrors]:
    """The customers of a piece of a file."""
    return [_guarded(row, fields, settings, _customer) for row, fields in _records(body, header, settings, first_row)]


def read_purchases(
    body: bytes, header: Sequence[str], settings: Settings, first_row: int
) -> list[PurchaseRow | RowErrors]:
    """The purchases of a piece of a file."""
    return [_guarded(row, fields, settings, _purchase) for row, fields in _records(body, header, settings, first_row)]


def header_of(line: bytes, delimiter: str) -> list[str]:
    """The column names in a CSV file's first line.

    Raises:
        Invalid: it isn't UTF-8, or has no columns.
    """
    try:
        names = next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")], delimiter=delimiter), list[str]())
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid("The first line is no CSV header in UTF-8.", code="header_malformed") from error
    if not names:
        raise Invalid("The file has no header.", code="header_missing")
    return [name.strip() for name in names]


def _records(
    body: bytes, header: Sequence[str], settings: Settings, first_row: int
) -> Iterator[tuple[int, Fields | FieldError]]:
    if settings.format is Format.NDJSON:
        yield from _json_records(body, settings, first_row)
        return
    meant = columns(header, settings)
    lines = io.StringIO(body.decode("utf-8", errors="surrogateescape"), newline="")
    for number, row in enumerate(_csv_rows(lines, settings.delimiter), first_row):
        if isinstance(row, FieldError):
            yield number, row
        elif len(row) != len(meant):
            yield number, FieldError("", "columns_differ", f"Expected {len(meant)} columns, found {len(row)}.")
        else:
            cells = zip(meant, row, strict=True)
            yield number, {name: cell.strip() for name, cell in cells if name is not None and cell.strip()}


def _csv_rows(lines: io.StringIO, delimiter: str) -> Iterator[list[str] | FieldError]:
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:  # a cell over 128 KiB, say; the next line is read again
            yield FieldError("", "csv_malformed", str(error))
            continue
        if row:
            yield row


def _json_records(body: bytes, settings: Settings, first_row: int) -> Iterator[tuple[int, Fields | FieldError]]:
    lines = [line for line in body.splitlines() if line.strip()]
    for number, line in enumerate(lines, first_row):
        try:
            record: Any = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield number, FieldError("", "json_malformed", str(error))
            continue
        if not isinstance(record, dict):
            yield number, FieldError("", "json_malformed", "Expected an object.")
            continue
        given = cast("dict[str, Any]", record)
        renamed = {settings.mapping.get(name, name): value for name, value in given.items()}
        try:
            columns(list(renamed), replace(settings, mapping=dict[str, str]()))
        except Invalid as error:
            yield number, error.errors[0]
            continue
        yield number, {name: value for name, value in renamed.items() if name and value is not None}


def _guarded(row: int, fields: Fields | FieldError, settings: Settings, read: Any) -> Any:
    if isinstance(fields, FieldError):
        return RowErrors(row, (fields,))
    try:
        return read(row, fields, settings)
    except Invalid as error:
        return RowErrors(row, error.errors or (FieldError("", error.code, error.detail),))


def _customer(row: int, fields: Fields, settings: Settings) -> CustomerRow:
    name = named(_text(fields, "display_name"), _text(fields, "given_name"), _text(fields, "family_name"))
    if name is None:
        raise Invalid.field("/display_name", "Give a display name, or a person's names.", code="name_missing")
    country = (_text(fields, "country") or settings.country or "").upper() or None
    external_id = _text(fields, "external_id")
    profile = Profile(
        kind=_one_of(fields, "kind", Kind, Kind.PERSON),
        category=_one_of(fields, "category", Category, Category.CONSUMER),
        display_name=name,
        given_name=_text(fields, "given_name"),
        family_name=_text(fields, "family_name"),
        language=_text(fields, "language"),
        time_zone=_text(fields, "time_zone"),
        country=country,
        birth_date=_day(fields, "birth_date"),
        owner=_text(fields, "owner"),
        source=_text(fields, "source") or settings.source,
        external_source=None if external_id is None else settings.source,
        external_id=external_id,
        attributes={key.removeprefix("attributes."): fields[key] for key in fields if key.startswith("attributes.")},
        contact_points=contact_points(_points(fields), country=country),
    )
    return CustomerRow(row, Registration(profile, _moment(fields, "registered_at")), _consents(fields))


def _points(fields: Fields) -> list[TypedPoint]:
    return [
        TypedPoint(channel, value, preferred=True)
        for channel in ContactChannel
        if channel.value in CUSTOMER_FIELDS and (value := _text(fields, channel.value)) is not None
    ]


def _consents(fields: Fields) -> tuple[tuple[str, str, str], ...]:
    found: list[tuple[str, str, str]] = []
    for key in fields:
        if not key.startswith(CONSENT):
            continue
        purpose, _, channel = key.removeprefix(CONSENT).partition(".")
        status = str(fields[key])
        if not purpose or not channel or status not in ("granted", "revoked"):
            raise Invalid.field(f"/{key}", "Name it consent.<purpose>.<channel>; say granted or revoked.")
        found.append((purpose, channel, status))
    return tuple(found)


def _purchase(row: int, fields: Fields, settings: Settings) -> PurchaseRow:
    currency = _text(fields, "currency") or settings.currency
    if currency is None:
        raise Invalid.field("/currency", "Give a currency in the row or for the whole file.", code="currency_missing")
    external_id = _text(fields, "external_id") or (str(row) if settings.rows_as_ids else None)
    occurred_at = _moment(fields, "occurred_at")
    if external_id is None or occurred_at is None:
        missing = "/external_id" if external_id is None else "/occurred_at"
        raise Invalid.field(missing, "This is needed.", code="missing")
    quantity = _text(fields, "quantity")
    return PurchaseRow(
        row=row,
        customer_id=_text(fields, "customer_id"),
        customer_external_id=_text(fields, "customer_external_id"),
        kind=_one_of(fields, "kind", FactKind, FactKind.PURCHASE),
        external_id=external_id,
        occurred_at=occurred_at,
        amount=Money(_decimal(_text(fields, "amount"), "/amount"), currency),
        quantity=None if quantity is None else _decimal(quantity, "/quantity"),
        order_ref=_text(fields, "order_ref"),
    )


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if len(text) > MAX_TEXT or "\x00" in text or not _is_unicode(text):
        raise Invalid.field(f"/{name}", f"Expected UTF-8 text of at most {MAX_TEXT} characters.", code="text_malformed")
    return text or None


def _is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8; bytes that couldn't be read stand in it as lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _one_of(fields: Fields, name: str, kinds: Any, default: Any) -> Any:
    text = _text(fields, name)
    try:
        return default if text is None else kinds(text)
    except ValueError:
        raise Invalid.field(f"/{name}", f"Expected one of {', '.join(kinds)}.", code="choice_unknown") from None


def _day(fields: Fields, name: str) -> date | None:
    moment = _moment(fields, name)
    return None if moment is None else moment.date()


def _moment(fields: Fields, name: str) -> datetime | None:
    """A day (`1997-01-31` or `19970131`, midnight UTC) or an instant with its offset."""
    text = _text(fields, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid.field(f"/{name}", "Expected a date such as 1997-01-31.", code="date_malformed") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _decimal(text: str | None, pointer: str) -> Decimal:
    try:
        value = Decimal(text or "")
    except InvalidOperation:
        raise Invalid.field(pointer, "Expected a number such as 12.50.", code="number_malformed") from None
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -6:
        raise Invalid.field(pointer, "Expected a number with at most six decimals.", code="number_malformed")
    return value
