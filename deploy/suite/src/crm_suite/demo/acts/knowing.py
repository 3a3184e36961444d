"""Act two: what the purchases say. Lifecycle states, scores, and the segment that the campaign is for."""

from crm_suite.demo.stage import Stage


async def know(stage: Stage) -> None:
    """Evaluate lifecycles and value."""
    with stage.steps.step("lifecycle states") as note:
        await stage.admin.job("/v1/lifecycle/evaluations", {})
        stage.figures.states_before = await states(stage)
        note.text = ", ".join(f"{name} {count:,}" for name, count in stage.figures.states_before.items() if count)
    with stage.steps.step("recency, frequency and monetary value") as note:
        await stage.admin.job("/v1/values/ratings", {})
        groups = (await stage.member("marketer").door.get("/v1/values/groups"))["items"]
        stage.figures.groups = {group["group"]: group["customers"] for group in groups}
        note.text = f"{stage.figures.groups.get('valuable_lapsing', 0):,} are valuable and lapsing"


async def states(stage: Stage) -> dict[str, int]:
    counts = (await stage.admin.get("/v1/lifecycle/states"))["items"]
    return {count["state"]: count["customers"] for count in counts}
