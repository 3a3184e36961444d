"""Importing customers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from crm_customer.attributes import store as attributes
from crm_customer.attributes.domain import AttributeType, Definition
from crm_customer.consent import commands as consent
from crm_customer.consent.commands import Recording
from crm_customer.consent.domain import ConsentStatus
from crm_customer.parties.commands import batches
from crm_customer.parties.commands.records import Outcome, Upserted
from crm_customer.parties.domain import Registration
from crm_customer.transfer.domain import ImportKind, RowErrors, Tally
from crm_customer.transfer.jobs.walking import Applied, Walk, finished, imported
from crm_customer.transfer.reading import CustomerRow, read_customers
from crm_customer.transfer.store import Import
from crm_shared.db.operations import Job
from crm_shared.db.pool import Tx
from crm_shared.errors import CrmError, FieldError
from crm_shared.tenancy import Viewer


async def import_customers(job: Job) -> dict[str, Any]:
    """Register or update each customer of the file by the other system's id."""
    item = await imported(job, ImportKind.CUSTOMERS)
    walk: Walk[CustomerRow] = Walk(job, item, read_customers, partial(_apply, job))
    return await finished(job, item, await walk.to_the_end())


async def _apply(job: Job, tx: Tx, item: Import, rows: Sequence[CustomerRow]) -> Applied:
    viewer = replace(Viewer.system(tx.tenant), subject=job.subject)
    now = job.clock.now()
    definitions = await _definitions(tx, rows)
    registrations = [_typed(row.registration, definitions) for row in rows]
    results = await batches.upsert_many(tx, viewer, registrations, now=now)
    errors = [
        refused(row.row, result) for row, result in zip(rows, results, strict=True) if isinstance(result, CrmError)
    ]
    pairs = [(row, result) for row, result in zip(rows, results, strict=True) if isinstance(result, Upserted)]
    recordings = [recording for row, result in pairs for recording in _consents(item, row, result)]
    if recordings:
        await consent.record_many(tx, viewer, recordings, now=now)
    outcomes = [result.outcome for _, result in pairs]
    tally = Tally(
        created=outcomes.count(Outcome.CREATED),
        updated=outcomes.count(Outcome.UPDATED),
        unchanged=outcomes.count(Outcome.UNCHANGED),
    )
    return Applied(tally, errors)


async def _definitions(tx: Tx, rows: Sequence[CustomerRow]) -> Mapping[str, Definition]:
    carried = any(row.registration.profile.attributes for row in rows)
    return await attributes.definitions(tx) if carried else {}


def _typed(registration: Registration, definitions: Mapping[str, Definition]) -> Registration:
    """The registration with its attributes' texts as values of their types; what doesn't fit is refused later."""
    given = registration.profile.attributes
    if not given:
        return registration
    typed = {name: _value(definitions.get(name), value) for name, value in given.items()}
    return replace(registration, profile=replace(registration.profile, attributes=typed))


def _value(definition: Definition | None, value: Any) -> Any:
    if definition is None or not isinstance(value, str):
        return value
    if definition.type is AttributeType.BOOLEAN:
        return {"true": True, "false": False}.get(value.lower(), value)
    if definition.type is AttributeType.NUMBER:
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if number.is_integer() else number
    return value


def _consents(item: Import, row: CustomerRow, result: Upserted) -> list[Recording]:
    """The consents of a row. A file imported again says nothing new: it must not undo what came since."""
    profile = result.customer.profile
    return [
        Recording(
            customer_id=result.customer.id,
            purpose=purpose,
            channel=channel,
            status=ConsentStatus(status),
            effective_at=row.registration.registered_at or item.started_at,
            evidence="imported file",
            source=f"import:{item.settings.source}"[:64],
            source_ref=f"{profile.external_id or result.customer.id}:{purpose}:{channel}:{status}",
        )
        for purpose, channel, status in row.consents
    ]


def refused(row: int, error: CrmError) -> RowErrors:
    """A row that a command refused."""
    return RowErrors(row, error.errors or (FieldError("", error.code, error.detail),))
