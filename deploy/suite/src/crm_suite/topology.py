"""Which services the suite has, and where each keeps its data. The gateway is one more service behind its own door."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:  # a second that only commands which run services should spend
    from crm_shared.runtime import Service

NAMES = {
    "gateway": "crm_gateway",
    "customer": "crm_customer",
    "sales-pipeline": "crm_sales_pipeline",
    "communication-dispatch": "crm_communication_dispatch",
    "contact-center": "crm_contact_center",
}
"""Service name to import package; also the order in which things are started."""
GATEWAY = "gateway"
BUS_DATABASE = "bus"


@dataclass(frozen=True, slots=True)
class Suite:
    """The services of this installation by name."""

    services: "dict[str, Service]"

    @property
    def gateway(self) -> "Service":
        return self.services[GATEWAY]

    @property
    def behind(self) -> "list[Service]":
        """The services behind the gateway."""
        return [service for name, service in self.services.items() if name != GATEWAY]


def load_suite() -> Suite:
    """Import all services: half a second that only commands which run them should spend."""
    return Suite({name: load_service(package) for name, package in NAMES.items()})


def load_service(package: str) -> "Service":
    return cast("Service", importlib.import_module(f"{package}.app").SERVICE)


def database_of(service: str) -> str:
    return "crm_" + service.replace("-", "_")
