"""What every benchmark is given."""

from dataclasses import dataclass
from pathlib import Path

from crm_suite.steps import Steps


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one benchmark.

    `short` asks for the least work that still proves the benchmark itself: its figures are held against no bar.
    `folder` is empty, readable by every user, and gone afterwards.
    """

    steps: Steps
    folder: Path
    short: bool = False
