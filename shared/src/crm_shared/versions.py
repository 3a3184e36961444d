"""Acting only on the state that the sender saw."""

from crm_shared.errors import PreconditionFailed


def expect_version(actual: int, expected: int | None) -> None:
    """Refuse when the record has changed since the sender read it; None means that it doesn't care.

    Raises:
        PreconditionFailed: it has.
    """
    if expected is not None and actual != expected:
        raise PreconditionFailed("It has been changed meanwhile; read it again and repeat your change.")
