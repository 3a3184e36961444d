"""Every way in which a request may be refused, as shared responses of the OpenAPI document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crm_shared.http.problems import MEDIA_TYPE, TITLES
from crm_shared.http.router import StrictRoute

_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait.", "required": False, "schema": {"type": "integer", "minimum": 1}}
}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}, "description": "Always `Bearer`."}}
_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a status means here, and one case of it."""

    meaning: str
    code: str
    detail: str
    field: tuple[str, str, str] | None = None


_REFUSALS = {
    400: _Refusal("The request's head is malformed.", "request_malformed", "This is no well-formed HTTP/1.1 request."),
    401: _Refusal("We don't know who asks.", "credential_missing", "Send an API key or a session's token."),
    403: _Refusal("The caller lacks the scope.", "scope_missing", "This needs the scope customers:write."),
    404: _Refusal("It isn't there, or isn't the caller's.", "not_found", "There is nothing with this id."),
    408: _Refusal("The body came too slowly.", "body_too_slow", "The request's body came too slowly."),
    409: _Refusal(
        "It clashes with the present state.", "ticket_solved", "The ticket is already solved; reopen it first."
    ),
    410: _Refusal("It was there and has been erased.", "gone", "The customer has been erased."),
    412: _Refusal(
        "It has changed since the state in If-Match.", "version_changed", "It has changed meanwhile; read it again."
    ),
    413: _Refusal("The body is longer than is taken here.", "body_too_large", "At most 1048576 bytes are taken here."),
    422: _Refusal(
        "The input is not valid.",
        "invalid_request",
        "The request is not valid: mend /lines/0/quantity.",
        ("/lines/0/quantity", "decimal_malformed", 'expected a decimal as text, such as "1"'),
    ),
    428: _Refusal(
        "Say in If-Match which state was seen.", "if_match_required", "Send If-Match with the version that you saw."
    ),
    429: _Refusal("Slow down.", "too_many_requests", "Too many requests; wait for as long as Retry-After says."),
    431: _Refusal(
        "The headers are longer than is taken.",
        "headers_too_large",
        "At most 100 headers and 32 KiB of them are taken.",
    ),
    500: _Refusal(
        "A fault of ours; it has been logged.",
        "internal",
        "Something went wrong on our side; it has been logged under this request's id.",
    ),
    502: _Refusal(
        "The service broke off before it answered.", "upstream_dropped", "customer broke off before it answered."
    ),
    503: _Refusal("Not now; try again.", "unavailable", "The database is not there just now; try again."),
    504: _Refusal("The service gave no answer in time.", "upstream_timeout", "customer gave no answer in time."),
}
_ANYWHERE = (400, 401, 403, 404, 409, 410, 422, 429, 431, 500, 502, 503, 504)


def shared_responses(paths: dict[str, Any]) -> dict[str, Any]:
    """The responses that these paths refer to, by name."""
    used = {status for item in paths.values() for operation in item.values() for status in operation["responses"]}
    return {_name(status): _response(status, told) for status, told in _REFUSALS.items() if str(status) in used}


def refusals_of(route: StrictRoute) -> dict[str, Any]:
    """A route's refusals by status."""
    return {
        str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(set(_statuses(route)))
    }


def _statuses(route: StrictRoute) -> Iterator[int]:
    yield from _ANYWHERE
    if not (route.methods or set()) <= {"GET", "HEAD"}:
        yield from (408, 413)
    if route.takes_if_match:
        yield 412
    if route.requires_if_match:
        yield 428


def _response(status: int, refusal: _Refusal) -> dict[str, Any]:
    shown = {
        "type": f"/problems/{refusal.code}",
        "title": TITLES[status],
        "status": status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": "req_5f0c2d9a7be14a0c93d1",
        "errors": [dict(zip(("pointer", "code", "message"), refusal.field, strict=True))] if refusal.field else [],
    }
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": shown}}
    return {"description": refusal.meaning, **headers, "content": content}


def _name(status: int) -> str:
    """`NotFound` for 404."""
    return "".join(word.capitalize() for word in TITLES[status].split())
