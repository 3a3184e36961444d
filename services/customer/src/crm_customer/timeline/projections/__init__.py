"""How all services' events become timelines and cards."""

from crm_customer.timeline.projections.following import PROJECTIONS

__all__ = ["PROJECTIONS"]
