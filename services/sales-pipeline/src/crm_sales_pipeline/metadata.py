"""The tables of this service, in one collection."""

from crm_shared.db.metadata import service_metadata

METADATA = service_metadata()
