"""How it was: every contact is followed by a question, and many answer."""

from typing import Any

from crm_suite.demo.door import eventually
from crm_suite.demo.stage import Stage, together

ANSWERING = 0.7
SCORES = (5, 5, 5, 5, 4, 4, 4, 3, 2, 1)
SATISFIED = 4
COMMENTS = {5: "Quick and friendly.", 4: "Fine.", 3: "It took a while.", 2: "I had to ask twice.", 1: "No help at all."}


async def make_survey(stage: Stage) -> None:
    survey = await stage.member("supervisor").door.post(
        "/v1/surveys",
        {
            "name": "After a contact",
            "kind": "csat",
            "question": "How satisfied are you with our help?",
            "trigger": "interaction",
            "rest_days": 0,
            "low_at": 2,
        },
    )
    stage.survey_id = survey["id"]


async def ask_all(stage: Stage) -> None:
    """Wait until everybody who was served has been asked, then answer as they would."""
    supervisor = stage.member("supervisor").door
    expected = stage.figures.answered

    async def asked() -> list[Any] | None:
        found = await supervisor.all("/v1/surveys/invitations", survey_id=stage.survey_id)
        return found if len(found) >= expected else None

    invitations = await eventually(f"{expected} customers to be asked", asked)
    numbers = stage.number_of
    invitations.sort(key=lambda one: numbers[one["customer_id"]])
    scores = [score for score in await together(invitations, lambda one: answer(stage, one)) if score]
    stage.figures.answers = len(scores)
    stage.figures.scores = {score: scores.count(score) for score in range(1, 6)}
    stage.figures.satisfied = sum(score >= SATISFIED for score in scores)


async def answer(stage: Stage, invitation: dict[str, Any]) -> int | None:
    """The customer's answer on the public page that the token opens."""
    number = stage.number_of[invitation["customer_id"]]
    if number != stage.star and not stage.chance.happens(ANSWERING, "answers the survey", number):
        return None
    score = 5 if number == stage.star else stage.chance.choose(SCORES, "score", number)
    said = {"score": score, "comment": COMMENTS[score]}
    await stage.browser.post(f"/v1/surveys/public/{invitation['token']}", said)
    return score
