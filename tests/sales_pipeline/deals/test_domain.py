"""Probability, moving and forecasting, without a database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from crm_sales_pipeline.deals.domain import Deal, ForecastRow, Loss, Probability, dwell_seconds, forecast, moved
from crm_sales_pipeline.pipelines.domain import STANDARD_STAGES, Canonical, Stage
from crm_shared.money import Money

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
percent = st.one_of(st.none(), st.decimals(0, 100, places=2))


def deal(stage: Stage = STANDARD_STAGES[0], probability: Probability | None = None) -> Deal:
    return Deal(
        id=UUID(int=1),
        pipeline_id=UUID(int=2),
        stage=stage.key,
        canonical=stage.canonical,
        name="Boxes",
        customer_id=UUID(int=3),
        contact_id=None,
        owner_id=None,
        partner=None,
        channel=None,
        source=None,
        campaign_id=None,
        lead_id=None,
        amount=Money(Decimal(100), "EUR"),
        expected_close_on=None,
        probability=probability or Probability(stage=stage.probability),
        fields={},
        opened_at=NOW,
        stage_entered_at=NOW,
        closed_at=None,
        lost_reason=None,
        competitor=None,
        orders=0,
        version=1,
    )


@given(manual=percent, model=percent, path=st.lists(st.sampled_from(STANDARD_STAGES), min_size=1, max_size=10))
def test_wherever_a_deal_goes_probability_closing_and_reason_fit_its_stage(
    manual: Decimal | None, model: Decimal | None, path: list[Stage]
) -> None:
    one = deal(probability=Probability(STANDARD_STAGES[0].probability, manual, model))
    for step, stage in enumerate(path, start=1):
        loss = Loss("price", "Acme") if stage.canonical is Canonical.LOST else None
        one = moved(one, stage, loss=loss, now=NOW + timedelta(hours=step))
        assert (one.closed_at is not None) == stage.canonical.is_closed
        assert (one.lost_reason, one.competitor) == ((loss.reason, loss.competitor) if loss else (None, None))
        assert (one.probability.manual, one.probability.model) == (manual, model)
        match stage.canonical:
            case Canonical.WON:
                assert one.effective_probability == 100
            case Canonical.LOST:
                assert one.effective_probability == 0
            case _:
                opinions = [opinion for opinion in (manual, model, stage.probability) if opinion is not None]
                assert one.effective_probability == (opinions[0] if opinions else None)


def test_dwell_counts_from_the_entry_to_the_stage() -> None:
    later = moved(deal(), STANDARD_STAGES[1], loss=None, now=NOW + timedelta(days=30))
    assert dwell_seconds(later, NOW + timedelta(days=30, seconds=5)) == 5


rows = st.lists(
    st.builds(
        ForecastRow,
        currency=st.sampled_from(["EUR", "USD"]),
        canonical=st.sampled_from(Canonical),
        probability=percent,
        deals=st.integers(1, 50),
        amount=st.decimals(0, 10_000, places=2),
    ),
    max_size=12,
)


@given(rows=rows)
def test_lost_rows_change_no_figure_and_weighted_is_never_more_than_open(rows: list[ForecastRow]) -> None:
    outlook = forecast(rows)
    assert outlook == forecast([row for row in rows if row.canonical is not Canonical.LOST])
    for one in outlook:
        assert one.weighted_amount <= one.open_amount + Money(Decimal("0.01"), one.currency)
        kept = [row for row in rows if row.currency == one.currency and row.canonical is Canonical.WON]
        assert one.won_amount.amount == sum((row.amount for row in kept), Decimal(0))
