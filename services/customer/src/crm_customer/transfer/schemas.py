"""Imports as clients see them."""

from typing import Annotated, Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from crm_customer.fields import Country, Currency, ImportId, SourceName
from crm_customer.transfer.domain import Format, ImportKind, Settings
from crm_customer.transfer.store import Import, KeptError
from crm_shared.fields import Instant, Read, extensible
from crm_shared.http.pagination import Page

Mapping = Annotated[
    str | None,
    Field(
        max_length=8_000, description='A JSON object: column name to our field\'s, `{"Mail": "email"}`; "" leaves out.'
    ),
]


class _Options(BaseModel):
    """How a file is to be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    KIND: ClassVar[ImportKind]

    source: SourceName = Field(description="The system the file comes from; its ids are unique within it.")
    dry_run: bool = Field(False, description="Find all errors and count all outcomes, and change nothing.")
    delimiter: str = Field(",", pattern=r"^[,;|\t]$", description="What stands between the columns of a CSV file.")
    mapping: Mapping = None

    @field_validator("mapping")
    @classmethod
    def _an_object_of_texts(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parsed: Any = orjson.loads(value)
            except orjson.JSONDecodeError:
                parsed = None
            if not isinstance(parsed, dict) or not all(isinstance(each, str) for each in parsed.values()):  # pyright: ignore[reportUnknownVariableType]
                raise PydanticCustomError("mapping_malformed", "expected a JSON object of texts")
        return value

    def mapped(self) -> dict[str, str]:
        """The mapping, parsed."""
        return orjson.loads(self.mapping) if self.mapping else {}


class CustomerImportOptions(_Options):
    """How a file of customers is to be read. Columns are named for our fields: external_id, display_name, email, …"""

    country: Country | None = Field(None, description="Where no country is given; phone numbers are read as its.")

    def to_settings(self, written: Format) -> Settings:
        """The domain's terms."""
        return Settings(
            kind=ImportKind.CUSTOMERS,
            format=written,
            source=self.source,
            customer_source=self.source,
            dry_run=self.dry_run,
            delimiter=self.delimiter,
            country=self.country,
            mapping=self.mapped(),
        )


class PurchaseImportOptions(_Options):
    """How a file of purchases is to be read. Columns: external_id, customer_external_id, occurred_at, amount, …"""

    customer_source: SourceName | None = Field(None, description="Whose ids name the customers; else `source`.")
    currency: Currency | None = Field(None, description="Where a row names none.")
    rows_as_ids: bool = Field(False, description="The row's number is its id, for files that have none.")

    def to_settings(self, written: Format) -> Settings:
        """The domain's terms."""
        return Settings(
            kind=ImportKind.PURCHASES,
            format=written,
            source=self.source,
            customer_source=self.customer_source or self.source,
            dry_run=self.dry_run,
            delimiter=self.delimiter,
            currency=self.currency,
            rows_as_ids=self.rows_as_ids,
            mapping=self.mapped(),
        )


class ImportRead(Read):
    """One file on its way in."""

    id: ImportId
    kind: Annotated[str, extensible(ImportKind)]
    source: str = Field(examples=["web-shop"])
    dry_run: bool
    bytes: int
    rows: int = Field(examples=[5000])
    created: int = Field(examples=[4200])
    updated: int = Field(examples=[780])
    unchanged: int = Field(examples=[15])
    failed: int = Field(examples=[5])
    started_at: Instant
    finished_at: Instant | None

    @classmethod
    def of(cls, item: Import) -> "ImportRead":
        """The client's view."""
        return cls(
            id=item.id,
            kind=item.settings.kind,
            source=item.settings.source,
            dry_run=item.settings.dry_run,
            bytes=item.bytes,
            rows=item.tally.rows,
            created=item.tally.created,
            updated=item.tally.updated,
            unchanged=item.tally.unchanged,
            failed=item.tally.failed,
            started_at=item.started_at,
            finished_at=item.finished_at,
        )


class ImportPage(Page):
    """A page of imports."""

    items: list[ImportRead]


class ImportErrorRead(Read):
    """One thing that is wrong with one row; rows are counted from 1, without a header."""

    row: int
    pointer: str = Field(examples=["/display_name"])
    code: str = Field(examples=["required"])
    message: str = Field(examples=["A customer needs a name."])

    @classmethod
    def of(cls, error: KeptError) -> "ImportErrorRead":
        """The client's view."""
        return cls(row=error.row, pointer=error.pointer, code=error.code, message=error.message)


class ImportErrorPage(Page):
    """A page of what was wrong."""

    items: list[ImportErrorRead]
