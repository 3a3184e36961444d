"""What people do with a mail: click, answer, unsubscribe, or nothing."""

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from crm_suite.demo.door import eventually
from crm_suite.demo.stage import Stage, together
from crm_suite.steps import Note

REPLYING = 0.12
CLICKING = 0.42
LEAVING = 0.985
"""Shares of all readers, from the bottom: answers, clicks, nothing, and from here on unsubscribes."""
WINDOWS = (0.45, 0.80)
"""Shares of those who click: now, in the next months, just looking."""
ANSWERS = ("Yes, please call me right away.", "Yes please, next month.", "Maybe next year.")
_PAGE = 500


async def respond(stage: Stage, note: Note) -> None:
    """Read the caught mails as their recipients, and do what each of them would."""
    number_of = {person.email: number for number, person in stage.people.items()}
    mails = {
        number_of[mail["recipients"][0]]: mail for mail in await caught(stage) if mail["recipients"][0] in number_of
    }

    async def read(number: int) -> str:
        return await react(stage, number, mails[number])

    done = await together(sorted(mails), read, note=note)
    stage.clicked = {number for number, what in zip(sorted(mails), done, strict=True) if what == "click"}
    figures = stage.figures
    figures.clicks, figures.replies = done.count("click"), done.count("reply")
    figures.unsubscribed = done.count("unsubscribe")
    figures.leads = figures.clicks + figures.replies
    marketer = stage.member("marketer").door

    async def all_in() -> bool:
        report = await marketer.get(f"/v1/campaigns/{stage.campaign_id}/report")
        return sum(report["responses"].values()) >= figures.leads

    await eventually("the clicks to be judged", all_in)


async def caught(stage: Stage) -> list[dict[str, Any]]:
    """The mails since the campaign began, from the sink's list."""
    mails: list[dict[str, Any]] = []
    after = stage.mails_before
    while True:
        page = await stage.mail.get("/api/mails", after=after, limit=_PAGE)
        mails += page["items"]
        if not page["items"]:
            return mails
        after = page["last"]


async def react(stage: Stage, number: int, mail: dict[str, Any]) -> str:
    """What this person does with this mail."""
    share = stage.chance.share("reads", number)
    links: Sequence[str] = mail["links"]
    if share < REPLYING:
        answer = stage.chance.choose(ANSWERS, "answers", number)
        await stage.admin.post_raw("/v1/responses/inbound-mail", reply(mail, answer), "message/rfc822")
        return "reply"
    if share < CLICKING:
        mood = stage.chance.share("wants", number)
        choice = sum(mood >= border for border in WINDOWS)
        await stage.browser.get([link for link in links if "/click/" in link][choice])
        return "click"
    if share >= LEAVING:
        await stage.browser.post(next(link for link in links if "/unsubscribe/" in link))
        return "unsubscribe"
    return "nothing"


def reply(mail: dict[str, Any], text: str) -> bytes:
    """An answer as a mail program sends it."""
    message = EmailMessage()
    message["From"] = mail["recipients"][0]
    message["To"] = mail["reply_to"]
    message["Subject"] = f"Re: {mail['subject']}"
    message["In-Reply-To"] = message["References"] = mail["message_id"]
    message.set_content(f"{text}\n\n> {mail['subject']}\n")
    return message.as_bytes(policy=SMTP)
