"""When a failed attempt may be tried once more, and how many such retries the whole door may spend."""

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods whose repetition has no further effect (RFC 9110 §9.2.2)."""


def may_repeat(method: str, *, keyed: bool) -> bool:
    """Whether sending the request twice does no harm: by its method, or because it carries an Idempotency-Key."""
    return keyed or method in IDEMPOTENT_METHODS


class RetryBudget:
    """Retries may be at most a share of live requests, so that they can't multiply an outage.

    Every request earns `ratio` of a retry; at most `most` are saved up. The first `initial` are free, so that a quiet
    installation can retry too.
    """

    def __init__(self, ratio: float = 0.2, *, initial: float = 3.0, most: float = 20.0) -> None:
        self._ratio = ratio
        self._most = most
        self._saved = initial

    def earn(self) -> None:
        """Counts one first attempt."""
        self._saved = min(self._most, self._saved + self._ratio)

    def spend(self) -> bool:
        """Takes one retry if there is one."""
        # A sum of five fifths is a hair under one in binary.
        if self._saved < 1 - 1e-9:
            return False
        self._saved -= 1
        return True
