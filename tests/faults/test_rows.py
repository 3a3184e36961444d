"""Each fault of the backbone's table in its short form: nothing lost, nothing applied twice, every key in order."""

import pytest
from tests.bench.faults import ROWS, told
from tests.bench.faults.stage import Stage


@pytest.mark.parametrize("name", ROWS)
async def test_the_ledger_of_effects_is_exact_whatever_happens(name: str, stage: Stage) -> None:
    outcome = await ROWS[name](stage)
    for figure in told(name, outcome):
        print(f"{stage.adapter}: {figure.name}: {figure.value:g} {figure.unit}")
    assert outcome.findings.exact, outcome
    assert outcome.findings.events > 0
    assert outcome.witnessed, "the fault didn't happen, so nothing is proven"
    assert all(figure.held for figure in outcome.more if figure.unit == ""), outcome.more
