"""HTTP: the conventions that every service keeps, so that handlers stay dull."""

from crm_shared.http.call import Call, needs, public
from crm_shared.http.pagination import Page, PageQuery
from crm_shared.http.router import Router

__all__ = ["Call", "Page", "PageQuery", "Router", "needs", "public"]
