"""The Python client of the Corkscrew CRM suite: `Crm`, and `AsyncCrm` with the same methods to be awaited."""

from corkscrew import models, params
from corkscrew.client import AsyncCrm, Crm
from corkscrew.errors import (
    AlreadyGone,
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    CrmError,
    Forbidden,
    NotFound,
    OperationFailed,
    PreconditionFailed,
    PreconditionRequired,
    RateLimited,
    ServerFailed,
    TimedOut,
    TooLarge,
    Unauthenticated,
    ValidationFailed,
)
from corkscrew.events import Event
from corkscrew.operations import AsyncPending, Pending
from corkscrew.paging import AsyncPager, Pager
from corkscrew.retries import Retries
from corkscrew.values import OMIT, Omit, Page

__all__ = [
    "OMIT",
    "AlreadyGone",
    "ApiError",
    "AsyncCrm",
    "AsyncPager",
    "AsyncPending",
    "BadRequest",
    "Conflict",
    "ConnectionFailed",
    "Crm",
    "CrmError",
    "Event",
    "Forbidden",
    "NotFound",
    "Omit",
    "OperationFailed",
    "Page",
    "Pager",
    "Pending",
    "PreconditionFailed",
    "PreconditionRequired",
    "RateLimited",
    "Retries",
    "ServerFailed",
    "TimedOut",
    "TooLarge",
    "Unauthenticated",
    "ValidationFailed",
    "models",
    "params",
]
