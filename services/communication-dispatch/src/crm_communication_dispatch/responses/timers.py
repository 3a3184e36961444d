"""Due work of this slice: judging clicks a moment after they came."""

from datetime import datetime
from uuid import UUID

from crm_communication_dispatch.messages.domain import Message
from crm_communication_dispatch.messages.store import ledger
from crm_communication_dispatch.responses import store
from crm_communication_dispatch.responses.commands import JUDGE, Answer, capture
from crm_communication_dispatch.responses.domain import (
    Hit,
    ResponseKind,
    Verdict,
    judge_hits,
    window_in_url,
)
from crm_communication_dispatch.responses.events import MessageClicked
from crm_communication_dispatch.templates import store as templates
from crm_communication_dispatch.templates.rendering import compiled
from crm_shared.db.due import Due, Timers
from crm_shared.db.pool import Tx
from crm_shared.tenancy import Viewer

TIMERS = Timers()


@TIMERS.on(JUDGE)
async def judge_clicks(tx: Tx, due: Due, *, now: datetime) -> None:
    """Say of each click whether a person made it; a person's click is an answer."""
    message = await ledger.lock(tx, UUID(due.key))
    if message is None:
        return
    hits = await store.hits_of(tx, message.id)
    version = await templates.get_version(tx, message.template_id, message.template_number)
    links = 0
    if version is not None:
        made = compiled(version)
        links = len(made.email(made.language_for("email", message.language)).link_sources)
    verdicts = judge_hits(hits, links, message.sent_at)
    await store.save_verdicts(tx, verdicts)
    people = [hit for hit in hits if verdicts[hit.id][0] is Verdict.HUMAN]
    if people and message.customer_id is not None:
        await _clicked(tx, message, hits, people, now=now)


async def _clicked(tx: Tx, message: Message, hits: list[Hit], people: list[Hit], *, now: datetime) -> None:
    if not any(hit.verdict is Verdict.HUMAN for hit in hits):  # no earlier judgement found a person
        tx.emit(MessageClicked.about(message, reason=people[0].url, at=people[0].at), aggregate_id=message.id)
    assert message.customer_id is not None
    windows = {window_in_url(hit.url): hit for hit in reversed(people)}
    for window, hit in windows.items():
        if window is None and len(windows) > 1:
            continue  # a click that says when outranks one that doesn't
        answer = Answer(
            customer_id=message.customer_id,
            kind=ResponseKind.CLICK,
            source_key=f"click:{message.id}:{window.value if window else ''}",
            campaign_id=message.campaign_id,
            message_id=message.id,
            window=window,
            text=hit.url,
        )
        await capture(tx, Viewer.system(tx.tenant), answer, now=now)
