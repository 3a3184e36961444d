"""One campaign of generated requests over the merged document, and what it found."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import unregister

from .acceptance import positive_data_is_accepted
from .house import House
from .world import furnish

TREES = r"^/v1/segments(/preview|/\{segment_id\})?$"
"""A segment's rule is a tree: all its combinations are 32,000 requests each, so that only samples of them are sent."""

REFUSED = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "428", "429"]

schemathesis.check(positive_data_is_accepted)


@schemathesis.serializer("message/rfc822")
def _mail(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what: `seed` None takes another one each time."""

    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful")
    examples: int = 10
    scenarios: int = 10
    steps: int = 8
    seed: int | None = 1


@dataclass(slots=True)
class Findings:
    """What was sent, what came back, and what was wrong with it."""

    requests: int = 0
    operations: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    faults: dict[str, str] = field(default_factory=dict[str, str])
    errors: list[str] = field(default_factory=list[str])

    def take(self, recorder: ScenarioRecorder) -> None:
        """Count a scenario and note its failed checks, one of each kind and operation."""
        for key, exchange in recorder.interactions.items():
            self.requests += 1
            if exchange.response is not None and key in recorder.cases:
                self.operations[recorder.cases[key].value.operation.label][exchange.response.status_code] += 1
        for key, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    operation = recorder.cases[key].value.operation.label
                    failure = check.failure_info.failure
                    response = recorder.interactions[key].response
                    got = f"{response.status_code} {response.text[:500]}" if response is not None else "no answer"
                    told = f"{failure.title}: {failure.message}\n{check.failure_info.code_sample}\n{got}"
                    self.faults.setdefault(f"{check.name} {operation} {failure.title}", told)

    def __str__(self) -> str:
        faults = [f"{name}\n{told}" for name, told in sorted(self.faults.items())]
        return "\n\n".join([f"{len(self.faults)} faults in {self.requests} requests", *self.errors, *faults])


def campaign(house: House, plan: Plan, *, tell: Callable[[str], None] = lambda _: None) -> Findings:
    """Furnish the house, send what the plan says, and hold every answer against the document."""
    furnish(house.url, house.key)
    findings = Findings()
    for event in _events(house, plan):
        match event:
            case events.PhaseStarted():
                tell(f"{event.phase.name.value}: {findings.requests} requests so far")
            case events.ScenarioFinished():
                findings.take(event.recorder)
            case events.NonFatalError():
                findings.errors.append(f"{event.label}: {event.value}")
            case events.FatalError():
                raise event.exception
            case _:
                pass
    return findings


ENDLESS = ["/v1/events/stream"]
"""Answers that a client which waits for their end never gets; their parameters are those of the list beside them."""


def _events(house: House, plan: Plan) -> Iterator[Any]:
    whole: Any = schemathesis.openapi.from_dict(house.document, config=_config(house, plan))
    schema = whole.exclude(path=ENDLESS)
    own = httpx.get(f"{house.url}/v1/me", headers={"authorization": f"Bearer {house.key}"}).text

    def before_call(_: Any, case: schemathesis.Case, **__: Any) -> None:
        """Spare the tenant and the key that we come with: whoever closes them is locked out of all that follows."""
        for name, value in (case.path_parameters or {}).items():
            if case.method != "GET" and isinstance(value, str) and len(value) > 26 and value in own:
                case.path_parameters[name] = f"{value[:-26]}{'0' * 26}"

    schemathesis.hook(before_call)
    try:
        yield from from_schema(schema).execute()
    finally:
        unregister(before_call)


def _config(house: House, plan: Plan) -> SchemathesisConfig:
    on = {phase: {"enabled": phase in plan.phases} for phase in ("examples", "coverage", "fuzzing", "stateful")}
    stateful = {**on["stateful"], "max-steps": plan.steps, "generation": {"max-examples": plan.scenarios}}
    return SchemathesisConfig.from_dict(
        {
            **({} if plan.seed is None else {"seed": plan.seed}),
            "base-url": house.url,
            "continue-on-failure": True,
            "request-timeout": 30,
            "auth": {"openapi": {"token": {"bearer": house.key}}},
            "generation": {
                "max-examples": plan.examples,
                "deterministic": plan.seed is not None,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {**on, "stateful": stateful},
            "checks": {
                "positive_data_acceptance": {"enabled": False},  # `positive_data_is_accepted` does it better
                "negative_data_rejection": {"expected-statuses": REFUSED},
                "missing_required_header": {"expected-statuses": ["401", "403", "422", "428"]},
            },
            "operations": [{"include-path-regex": TREES, "phases": {"coverage": {"enabled": False}}}],
        }
    )
