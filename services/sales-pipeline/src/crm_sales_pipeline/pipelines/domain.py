"""Pipelines and stages: each company names its own, each maps to one of five canonical types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from crm_shared.errors import FieldError, Invalid

HUNDRED = Decimal(100)
ZERO = Decimal(0)


class Canonical(StrEnum):
    """What a stage means, whatever it is called."""

    OPEN = "open"
    ONGOING = "ongoing"
    ON_HOLD = "on_hold"
    WON = "won"
    LOST = "lost"

    @property
    def is_closed(self) -> bool:
        return self in (Canonical.WON, Canonical.LOST)


# What a stage's guard may ask of a deal; a name that starts with `field:` asks for one of the deal's own fields.
GUARDABLE_FIELDS = ("customer_id", "owner_id", "amount", "expected_close_on", "contact_id", "probability")
OWN_FIELD_PREFIX = "field:"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `probability` is in percent; None says that nobody has an opinion, which is not zero."""

    key: str
    name: str
    position: int
    canonical: Canonical
    probability: Decimal | None
    required_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """An ordered list of stages."""

    id: UUID
    name: str
    is_default: bool
    active: bool
    stages: tuple[Stage, ...]
    version: int

    def stage(self, key: str) -> Stage | None:
        """The stage of that key, if there is one."""
        return next((stage for stage in self.stages if stage.key == key), None)

    def first(self, canonical: Canonical) -> Stage | None:
        """The first stage of that type."""
        return next((stage for stage in self.stages if stage.canonical is canonical), None)

    @property
    def entry(self) -> Stage:
        """Where a new deal begins; a checked pipeline has an open stage."""
        return next(stage for stage in self.stages if stage.canonical is Canonical.OPEN)


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What one guard found when a deal asked to enter a stage."""

    guard: str
    passed: bool


def check_stages(stages: Sequence[Stage]) -> None:
    """Refuse a pipeline in which a deal could not begin, be won or be lost.

    Raises:
        Invalid: with one entry for each fault, pointing at the stage.
    """
    faults = [fault for index, stage in enumerate(stages) for fault in _faults(index, stage)]
    keys = [stage.key for stage in stages]
    faults += [
        FieldError(f"/stages/{index}/key", "stage_repeated", f"There are two stages {key}; keys are unique.")
        for index, key in enumerate(keys)
        if key in keys[:index]
    ]
    present = {stage.canonical for stage in stages}
    faults += [
        FieldError("/stages", f"no_{kind}_stage", f"A pipeline needs at least one {kind} stage.")
        for kind in (Canonical.OPEN, Canonical.WON, Canonical.LOST)
        if kind not in present
    ]
    if faults:
        raise Invalid("These stages make no pipeline.", code="pipeline_invalid", errors=faults)


def guard_results(stage: Stage, values: Mapping[str, object]) -> tuple[GuardResult, ...]:
    """What each guard of the stage finds in a deal's values; zero counts as given, None and empty text don't."""
    return tuple(
        GuardResult(guard=f"required:{name}", passed=values.get(name) not in (None, ""))
        for name in stage.required_fields
    )


def _faults(index: int, stage: Stage) -> list[FieldError]:
    faults: list[FieldError] = []
    for name in stage.required_fields:
        if name not in GUARDABLE_FIELDS and not name.startswith(OWN_FIELD_PREFIX):
            allowed = ", ".join(GUARDABLE_FIELDS)
            message = f"{name} is no field a guard can ask for; use one of {allowed} or {OWN_FIELD_PREFIX}<name>."
            faults.append(FieldError(f"/stages/{index}/required_fields", "field_unknown", message))
    fixed = {Canonical.WON: HUNDRED, Canonical.LOST: ZERO}.get(stage.canonical)
    if fixed is not None and stage.probability not in (None, fixed):
        message = f"A {stage.canonical} stage is {fixed} % by definition; leave its probability out."
        faults.append(FieldError(f"/stages/{index}/probability", "probability_fixed", message))
    return faults


def _standard() -> tuple[Stage, ...]:
    rows: list[tuple[str, str, Canonical, str | None, tuple[str, ...]]] = [
        ("discovery", "Discovery", Canonical.OPEN, "10", ()),
        ("needs", "Needs analysed", Canonical.ONGOING, "30", ()),
        ("proposal", "Proposal made", Canonical.ONGOING, "50", ("amount",)),
        ("negotiation", "Negotiation", Canonical.ONGOING, "75", ("amount", "expected_close_on")),
        ("on_hold", "On hold", Canonical.ON_HOLD, None, ()),
        ("won", "Won", Canonical.WON, None, ("amount",)),
        ("lost", "Lost", Canonical.LOST, None, ()),
    ]
    return tuple(
        Stage(
            key=key,
            name=name,
            position=position,
            canonical=canonical,
            probability=Decimal(probability) if probability is not None else None,
            required_fields=required,
        )
        for position, (key, name, canonical, probability, required) in enumerate(rows)
    )


STANDARD_STAGES = _standard()
STANDARD_NAME = "Standard"
