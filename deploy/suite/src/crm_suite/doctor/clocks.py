"""Whether two clocks agree: tokens live 60 s, and timers, due dates and histories compare times of several machines."""

from collections.abc import Iterator

from crm_suite.doctor.finding import Finding, error, fine, warning

_SOON_S = 2.0
_BAD_S = 30.0
_WHY = "Onward tokens live for 60 s, and timers and histories compare times that different machines wrote."
_REMEDY = "Have both machines follow the same time: chronyc tracking, timedatectl set-ntp true"


def clock(whose: str, ahead_s: float, *, precision_s: float = 0.0) -> Iterator[Finding]:
    """A clock that is so much later than ours; `precision_s` is what can't be told from its answer."""
    off_s = max(abs(ahead_s) - precision_s, 0.0)
    seen = f"{abs(ahead_s):,.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if off_s >= _BAD_S:
        yield error("clock", whose, seen, why=_WHY, remedy=_REMEDY)
    elif off_s >= _SOON_S:
        yield warning("clock", whose, seen, why=_WHY, remedy=_REMEDY)
    else:
        yield fine("clock", whose, "agrees with this machine's")
