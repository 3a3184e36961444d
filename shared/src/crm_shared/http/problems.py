"""Errors as RFC 9457 problem documents; the only place that knows status codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from crm_shared import errors
from crm_shared.db.unit_of_work import database_error
from crm_shared.observability.logs import logger

_log = logger("http")

MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[errors.CrmError], int] = {
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Gone: 410,
    errors.NotFound: 404,
    errors.PreconditionFailed: 412,
    errors.Conflict: 409,
    errors.PreconditionRequired: 428,
    errors.TooMany: 429,
    errors.DeadlineExceeded: 504,
    errors.Unavailable: 503,
}
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    410: "Gone",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid input",
    428: "Precondition required",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    502: "Bad gateway",
    503: "Unavailable",
    504: "Deadline exceeded",
}


class ProblemField(BaseModel):
    """One field at fault."""

    model_config = ConfigDict(title="ProblemField")

    pointer: str = Field(
        description="JSON pointer into the body, or `query:name`, `path:name`, `header:name`.",
        examples=["/lines/0/sku"],
    )
    code: str = Field(description="Stable, for programs.", examples=["missing"])
    message: str = Field(description="How to mend it, for people.", examples=["Field required"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="A page about this kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What went wrong this time, and how to mend it.")
    code: str = Field(description="Stable, for programs.")
    request_id: str = Field(description="Quote it when asking for help; it is in our logs.")
    errors: list[ProblemField]


def status_of(error: errors.CrmError) -> int:
    """The HTTP status of an error."""
    return next(status for kind, status in _STATUS.items() if isinstance(error, kind))


def problem_body(
    status: int, code: str, detail: str, request_id: str, fields: Sequence[errors.FieldError] = ()
) -> bytes:
    """The bytes of a problem document."""
    return orjson.dumps(
        {
            "type": f"/problems/{code}",
            "title": TITLES.get(status, "Error"),
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": request_id,
            "errors": [{"pointer": f.pointer, "code": f.code, "message": f.message} for f in fields],
        }
    )


def problem(request: Request, error: errors.CrmError) -> Response:
    """The response that tells of an error."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    status = status_of(error)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = problem_body(status, error.code, error.detail, _request_id(request), error.errors)
    return Response(body, status, headers, MEDIA_TYPE)


def _request_id(request: Request) -> str:
    return request.scope.get("state", {}).get("request_id", "")


def _pointer(location: Sequence[str | int]) -> str:
    """`("body", "lines", 0, "sku")` → `/lines/0/sku`; `("query", "limit")` → `query:limit`."""
    place, *rest = location
    if place == "body":
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in rest)
    return f"{place}:{'.'.join(str(part) for part in rest)}"


def invalid_of(found: Sequence[Mapping[str, Any]]) -> errors.Invalid:
    """Pydantic's findings in our words."""
    if found and found[0]["type"] == "json_invalid":
        position = found[0]["loc"][-1]
        return errors.Invalid(
            f"The body is not JSON (at character {position}); send a JSON object.",
            code="json_malformed",
            errors=(errors.FieldError("", "json_malformed", str(found[0].get("ctx", {}).get("error", "not JSON"))),),
        )
    fields = tuple(errors.FieldError(_pointer(item["loc"]), str(item["type"]), str(item["msg"])) for item in found)
    named = ", ".join(dict.fromkeys(field.pointer or "the body" for field in fields))
    return errors.Invalid(f"The request is not valid: mend {named}.", code="invalid_request", errors=fields)


def install_problems(app: FastAPI) -> None:
    """Have every error of `app` answered by a problem document."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.CrmError)
        return problem(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem(request, invalid_of(error.errors()))

    async def by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = 422 if error.status_code == 400 else error.status_code
        code = {404: "route_not_found", 405: "method_not_allowed", 422: "request_malformed"}.get(status, "http_error")
        detail = {404: "There is nothing at this address.", 405: "This address doesn't know this method."}
        body = problem_body(status, code, detail.get(status, str(error.detail)), _request_id(request))
        return Response(body, status, dict(error.headers or {}), MEDIA_TYPE)

    async def unexpected(request: Request, error: Exception) -> Response:
        known = database_error(error)
        if known is not None:
            return problem(request, known)
        _log.error("request_failed", route=getattr(request.scope.get("route"), "path", "unmatched"), exc_info=error)
        detail = "Something went wrong on our side; it has been logged under this request's id."
        return Response(problem_body(500, "internal", detail, _request_id(request)), 500, None, MEDIA_TYPE)

    app.add_exception_handler(errors.CrmError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, by_status)
    for kind in (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ResponseValidationError, Exception):
        app.add_exception_handler(kind, unexpected)
