"""What may go wrong.

CrmError
├── ConnectionFailed          no answer: nobody there, or the connection broke, on every try
│   └── TimedOut              no answer in time, on every try
├── OperationFailed           a long job ended without success
└── ApiError                  the API refused; with status, code, detail, errors and request_id
    ├── BadRequest            400 and other refusals without a class of their own
    ├── Unauthenticated       401
    ├── Forbidden             403
    ├── NotFound              404
    ├── Conflict              409
    ├── AlreadyGone           410
    ├── PreconditionFailed    412  it has changed since the state in `if_match`
    ├── TooLarge              413
    ├── ValidationFailed      422  `errors` name the fields
    ├── PreconditionRequired  428  say in `if_match` which state was seen
    ├── RateLimited           429  `retry_after` seconds
    └── ServerFailed          5xx
"""

from collections.abc import Mapping

from pydantic import ValidationError

from corkscrew.models import OperationRead, Problem, ProblemField


class CrmError(Exception):
    """Anything that went wrong."""


class ConnectionFailed(CrmError):
    """No answer came, on any try."""


class TimedOut(ConnectionFailed):
    """No answer came in time, on any try."""


class OperationFailed(CrmError):
    """A long job ended without success."""

    def __init__(self, operation: OperationRead) -> None:
        problem = operation.problem
        super().__init__(f"{operation.kind} {operation.state}{': ' + problem.detail if problem else ''}")
        self.operation = operation


class ApiError(CrmError):
    """The API refused; the problem document says why."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        fields = "".join(f"\n  {each.pointer}: {each.message}" for each in problem.errors)
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}{fields}")
        self.problem = problem
        self.retry_after = retry_after
        """Seconds to wait, where the API named them."""

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        """Stable, for programs."""
        return self.problem.code

    @property
    def detail(self) -> str:
        return self.problem.detail

    @property
    def errors(self) -> list[ProblemField]:
        """The fields that were refused, each with the reason."""
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """Quote it when asking for help."""
        return self.problem.request_id


class BadRequest(ApiError):
    """400, and other refusals without a class of their own."""


class Unauthenticated(ApiError):
    """401: no key, or not a valid one."""


class Forbidden(ApiError):
    """403: the key lacks the scope."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: it clashes with the present state."""


class AlreadyGone(ApiError):
    """410: it was there and has been erased."""


class PreconditionFailed(ApiError):
    """412: it has changed since the state in `if_match`."""


class TooLarge(ApiError):
    """413."""


class ValidationFailed(ApiError):
    """422: `errors` name the fields."""


class PreconditionRequired(ApiError):
    """428: say in `if_match` which state was seen."""


class RateLimited(ApiError):
    """429, on every try: come back after `retry_after` seconds."""


class ServerFailed(ApiError):
    """5xx, on every try."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: AlreadyGone,
    412: PreconditionFailed,
    413: TooLarge,
    422: ValidationFailed,
    428: PreconditionRequired,
    429: RateLimited,
}


def error_of(status: int, content: bytes, *, retry_after: float | None, request_id: str) -> ApiError:
    """The typed error of an answer; a proxy in between may have answered with something else than a problem."""
    try:
        problem = Problem.model_validate_json(content)
    except ValidationError:
        problem = Problem(
            type="about:blank",
            title="Not a problem document",
            status=status,
            detail=content[:500].decode(errors="replace") or "The answer was empty.",
            code="not_a_problem",
            request_id=request_id,
            errors=[],
        )
    otherwise = ServerFailed if status >= 500 else BadRequest
    return _BY_STATUS.get(status, otherwise)(problem, retry_after=retry_after)
