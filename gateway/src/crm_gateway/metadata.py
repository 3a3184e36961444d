"""All tables of the gateway."""

from crm_shared.db.metadata import service_metadata

metadata = service_metadata()
