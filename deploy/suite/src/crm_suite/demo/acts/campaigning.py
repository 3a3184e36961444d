"""Act three: a segment, a template, a campaign that somebody else approves, mails, and what people do with them."""

from collections import Counter
from importlib.resources import files
from typing import Any

import orjson

from crm_suite.demo.acts.answering import respond
from crm_suite.demo.acts.gathering import PURPOSE
from crm_suite.demo.door import eventually
from crm_suite.demo.purchases import CURRENCY
from crm_suite.demo.stage import Stage

SEGMENT = "Valuable and lapsing"
FIXED_COST = "250.00"
RULE: dict[str, Any] = {
    "type": "and",
    "rules": [
        {"type": "lifecycle", "states": ["lapsed", "lost"]},
        {"type": "value", "dimension": "monetary", "op": "ge", "value": 4},
        {"type": "purchase_sum", "op": "ge", "amount": {"amount": "150.00", "currency": CURRENCY}},
    ],
}


async def campaign(stage: Stage) -> None:
    """From the segment to the last answer."""
    figures = stage.figures
    with stage.steps.step("segment") as note:
        await make_segment(stage)
        note.text = f"“{SEGMENT}”: {figures.segment:,} customers"
    with stage.steps.step("template and campaign") as note:
        await plan(stage)
        note.text = "reviewed and approved by somebody else"
    with stage.steps.step("mails sent", total=figures.segment) as note:
        await send(stage)
        note.text = (
            f"{figures.accepted:,} delivered, {figures.failed} bounced; {figures.excluded} may not be written to"
        )
    with stage.steps.step("clicks and replies", total=figures.accepted) as note:
        await respond(stage, note)
        note.text = f"{figures.clicks} clicks, {figures.replies} replies"


async def make_segment(stage: Stage) -> None:
    marketer = stage.member("marketer").door
    trial = await marketer.post("/v1/segments/preview", {"rule": RULE, "sample": 3})
    segment = await marketer.post("/v1/segments", {"name": SEGMENT, "kind": "dynamic", "rule": RULE})
    await marketer.job(f"/v1/segments/{segment['id']}/materialise", {})
    segment = await marketer.get(f"/v1/segments/{segment['id']}")
    if segment["members"] != trial["count"]:
        raise ValueError(f"The preview found {trial['count']} customers, the segment {segment['members']}.")
    stage.segment_id = segment["id"]
    stage.figures.segment = segment["members"]


async def plan(stage: Stage) -> None:
    """The marketer writes, the approver agrees: nobody approves their own."""
    stage.mails_before = (await stage.mail.get("/api/mails", limit=1))["caught"]
    marketer, approver = stage.member("marketer").door, stage.member("marketing_approver").door
    wording = orjson.loads((files("crm_suite.demo") / "texts" / "spring.json").read_bytes())
    template = await marketer.post("/v1/templates", {"name": "Spring", "purpose": PURPOSE, **wording})
    await approver.post(f"/v1/templates/{template['id']}/versions/1/approve")
    made = await marketer.post(
        "/v1/campaigns",
        {
            "name": "Spring records",
            "purpose": PURPOSE,
            "segment_id": stage.segment_id,
            "variants": [{"name": "A", "template_id": template["id"]}],
            "response_rule": {"click": "lead", "reply": "lead"},
            "fixed_cost": {"amount": FIXED_COST, "currency": CURRENCY},
        },
    )
    path = f"/v1/campaigns/{made['id']}"
    await marketer.post(f"{path}/submit")
    await approver.post(f"{path}/approve")
    await marketer.post(f"{path}/schedule", {})
    stage.campaign_id = made["id"]


async def send(stage: Stage) -> None:
    """Wait until everybody is accounted for."""
    marketer = stage.member("marketer").door

    async def finished() -> Any:
        found = await marketer.get(f"/v1/campaigns/{stage.campaign_id}")
        return found if found["status"] == "finished" else None

    found = await eventually("the campaign to finish", finished, within_s=300)
    ends = Counter[str]()
    async for message in marketer.items("/v1/messages", campaign_id=stage.campaign_id):
        ends[message["status"]] += 1
    audience = await marketer.get(f"/v1/audiences/{found['audience_id']}")
    figures = stage.figures
    figures.targeted = found["targeted"]
    figures.accepted = ends["accepted"] + ends["delivered"]
    figures.failed = ends["bounced"] + ends["failed"]
    figures.unknown = ends["unknown"]
    figures.suppressed = ends["suppressed"]
    excluded: dict[str, int] = audience["excluded"] or {}
    figures.excluded = sum(excluded.values())
