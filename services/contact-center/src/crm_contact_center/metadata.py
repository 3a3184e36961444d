"""The tables of the service, declared by its slices."""

from crm_shared.db.metadata import service_metadata

metadata = service_metadata()
