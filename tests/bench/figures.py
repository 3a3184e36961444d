"""What a benchmark finds: figures, the bars they are held against, and the sheet they are shown on."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit and its side."""

    limit: float
    is_floor: bool

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.is_floor else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.is_floor else '≤'} {self.limit:,g}"


def at_least(limit: float) -> Bar:
    return Bar(limit, is_floor=True)


def at_most(limit: float) -> Bar:
    return Bar(limit, is_floor=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. Without a bar it is told for its own sake and always holds."""

    name: str
    value: float
    unit: str
    bar: Bar | None = None

    @property
    def held(self) -> bool:
        return self.bar is None or self.bar.holds(self.value)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "bar": None if self.bar is None else str(self.bar),
            "held": self.held,
        }


@dataclass(frozen=True, slots=True)
class Sheet:
    """All figures of one benchmark, and the machine they were taken on."""

    bench: str
    machine: str
    figures: list[Figure]

    @property
    def held(self) -> bool:
        return all(figure.held for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        return {
            "bench": self.bench,
            "machine": self.machine,
            "figures": [figure.as_json() for figure in self.figures],
        }
