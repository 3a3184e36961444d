"""The collection of this service's tables."""

from crm_shared.db.metadata import service_metadata

metadata = service_metadata()
