"""What can go wrong, in words of the domain; only `http/problems.py` knows status codes.

CrmError
├── Invalid               the input breaks a rule that the sender can mend
│   └── TooLarge          … by sending less
├── Unauthenticated       we don't know who asks
├── Forbidden             we know, and the answer is no
├── NotFound              it isn't there, or isn't theirs
│   └── Gone              it was there and has been erased
├── Conflict              it clashes with the present state
│   ├── PreconditionFailed    … that the sender hadn't seen (If-Match)
│   └── InFlight          … with the same request, still running
├── PreconditionRequired  the sender must say which state it saw
├── TooMany               slow down
└── Unavailable           not now; trying again is right
    └── DeadlineExceeded  it took too long
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong: a JSON pointer (RFC 6901) into the input, a stable code, and how to mend it."""

    pointer: str
    code: str
    message: str


class CrmError(Exception):
    """A refusal with a stable `code`, a sentence for people, and the fields at fault."""

    default_code = "error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s


class Invalid(CrmError):
    """The input breaks a rule that the sender can mend."""

    default_code = "invalid"

    @classmethod
    def field(cls, pointer: str, message: str, *, code: str = "invalid") -> Self:
        """One wrong field, named by its JSON pointer."""
        return cls(message, code=code, errors=(FieldError(pointer, code, message),))


class TooLarge(Invalid):
    """The input is bigger than we take."""

    default_code = "too_large"


class Unauthenticated(CrmError):
    """We don't know who asks."""

    default_code = "unauthenticated"


class Forbidden(CrmError):
    """We know who asks, and the answer is no."""

    default_code = "forbidden"


class NotFound(CrmError):
    """It isn't there, or it belongs to someone else; the two look the same."""

    default_code = "not_found"

    @classmethod
    def of(cls, kind: str, reference: str) -> Self:
        """The usual sentence for a missing thing."""
        return cls(f"There is no {kind} {reference}.", code=f"{kind.replace(' ', '_').replace('-', '_')}_not_found")


class Gone(NotFound):
    """It was there and has been erased for good."""

    default_code = "gone"


class Conflict(CrmError):
    """It clashes with the present state."""

    default_code = "conflict"


class PreconditionFailed(Conflict):
    """The sender acted on a state that has since changed."""

    default_code = "version_changed"


class InFlight(Conflict):
    """The same request, by its idempotency key, is still running; trying again shortly is right."""

    default_code = "request_in_flight"


class PreconditionRequired(CrmError):
    """The sender must say which state it saw."""

    default_code = "if_match_required"


class TooMany(CrmError):
    """More than the sender's share; `retry_after_s` says when to come back."""

    default_code = "too_many_requests"


class Unavailable(CrmError):
    """Not now; trying again is right."""

    default_code = "unavailable"


class DeadlineExceeded(Unavailable):
    """It took longer than the caller gave."""

    default_code = "deadline_exceeded"
