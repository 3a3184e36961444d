"""What an answer to a survey makes us say."""

from datetime import datetime

from crm_customer.parties.store import aliases, reading
from crm_customer.timeline.events import AnswerRecorded
from crm_customer.timeline.projections.facts import AnswerLine
from crm_shared.bus.handlers import Reactions, Received
from crm_shared.db.pool import Tx

REACTIONS = Reactions()


@REACTIONS.on("crm.survey.answered.v1", AnswerLine)
async def record_answer(tx: Tx, event: Received[AnswerLine], *, now: datetime) -> None:
    """An answer of a known customer is a fact about the customer."""
    answer = event.data
    if answer.customer_id is None:
        return
    customer_id = (await aliases.canonical(tx, [answer.customer_id]))[answer.customer_id]
    if await reading.existing(tx, [customer_id]):
        recorded = AnswerRecorded(
            survey=answer.kind,
            score=answer.score,
            scale_max=answer.scale_max,
            touchpoint=answer.where(),
            comment=answer.comment,
            at=answer.when(event),
        )
        tx.emit(recorded, aggregate_id=customer_id)
