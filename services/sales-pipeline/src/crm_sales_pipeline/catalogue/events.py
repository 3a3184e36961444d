"""What the catalogue publishes."""

from typing import Any, ClassVar

from crm_shared.events import EventPayload


class ProductPublished(EventPayload):
    """A product is for sale, or its description changed (full state both times)."""

    TYPE: ClassVar[str] = "crm.product.published.v1"
    ID_PREFIX: ClassVar[str] = "prod"
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "sku": "CD-1001",
        "name": "Kind of Blue",
        "category": "music",
        "unit": "piece",
        "active": True,
    }

    sku: str
    name: str
    category: str | None
    unit: str
    active: bool
