"""Before the curtain: a company moves in. People get accounts, the sales floor its rules, the shop its products."""

import secrets
from dataclasses import dataclass
from typing import Any

from crm_suite.demo.door import Door, eventually
from crm_suite.demo.purchases import CURRENCY
from crm_suite.demo.stage import Member, Stage, together

STAFF = {
    "marketer": ("Mona Market",),
    "marketing_approver": ("Alma Approve",),
    "sales_manager": ("Sam Steer",),
    "seller": ("Selma Sell", "Stan Sell", "Suri Sell"),
    "supervisor": ("Super Vera",),
    "agent": ("Ada Answer", "Aziz Answer", "Anke Answer", "Amélie Answer"),
}
SKILLS: dict[str, dict[str, int]] = {
    "Ada Answer": {"en": 9, "music": 7},
    "Aziz Answer": {"en": 8, "fr": 6, "music": 4},
    "Anke Answer": {"de": 9, "en": 7, "music": 6},
    "Amélie Answer": {"fr": 9, "en": 6, "de": 5, "music": 8},
}


@dataclass(frozen=True, slots=True)
class Record:
    """Something the shop sells."""

    sku: str
    name: str
    price: str


RECORDS = (
    Record("LP-001", "First pressing, blue vinyl", "38.00"),
    Record("LP-002", "Live at the harbour, double album", "44.50"),
    Record("BOX-10", "Ten years, the box", "129.00"),
    Record("BOX-25", "Complete recordings, 25 discs", "249.00"),
    Record("CD-100", "Early songs", "14.90"),
    Record("CD-101", "Late songs", "14.90"),
    Record("TKT-01", "Record fair, one day", "25.00"),
    Record("SUB-12", "A record a month, one year", "299.00"),
)
PIPELINE: dict[str, Any] = {
    "name": "Records",
    "is_default": True,
    "stages": [
        {"key": "talking", "name": "Talking", "canonical": "open", "probability": "20"},
        {"key": "offered", "name": "Offered", "canonical": "ongoing", "probability": "50"},
        {"key": "agreed", "name": "Agreed", "canonical": "won", "probability": "100"},
        {"key": "declined", "name": "Declined", "canonical": "lost", "probability": "0"},
    ],
}


async def move_in(stage: Stage) -> None:
    """Set the company up, each by the person whose work it is."""
    with stage.steps.step("staff", total=sum(map(len, STAFF.values()))) as note:
        for role, names in STAFF.items():
            stage.staff[role] = await together(names, lambda name, role=role: hire(stage, role, name), note=note)
        note.text = f"{sum(map(len, STAFF.values()))} people with sessions of their own"
    with stage.steps.step("sales floor and shelves"):
        await open_shop(stage)
    with stage.steps.step("contact policy"):
        await stage.admin.put("/v1/governance/policy", policy())


async def hire(stage: Stage, role: str, name: str) -> Member:
    email = f"{name.split(maxsplit=1)[0].lower()}@{stage.tenant}.example.com"
    password = secrets.token_urlsafe(12)
    user = await stage.admin.post("/v1/users", {"email": email, "name": name, "roles": [role], "password": password})
    session = await stage.admin.post("/v1/sessions", {"tenant": stage.tenant, "email": email, "password": password})
    door = await stage.doors.enter_async_context(Door.opened(stage.url, session["token"]))
    return Member(user["id"], name, door)


async def open_shop(stage: Stage) -> None:
    """Sellers with a rule that shares leads out, a pipeline, products with prices."""
    manager = stage.member("sales_manager").door
    sellers = {seller.id for seller in stage.staff["seller"]}

    async def known() -> bool:  # users with the role become sellers by themselves
        return sellers <= {seller["id"] for seller in await manager.all("/v1/sellers")}

    await eventually("users to become sellers", known)
    rule = {"name": "Take turns", "strategy": "round_robin", "seller_ids": sorted(sellers)}
    await manager.post("/v1/assignment-rules", rule)
    stage.pipeline_id = (await stage.admin.post("/v1/pipelines", PIPELINE))["id"]
    today = stage.now.date().isoformat()
    book = await manager.post(
        "/v1/price-books",
        {"name": "Shop", "currency": CURRENCY, "rounding": "half_up", "tax_rounding": "per_line", "valid_from": today},
    )
    prices: list[dict[str, str]] = []
    for record in RECORDS:
        product = {"sku": record.sku, "name": record.name, "category": "records", "tax_rate": "0.08"}
        stage.products[record.sku] = (await manager.post("/v1/products", product))["id"]
        prices.append({"product_id": stage.products[record.sku], "unit_price": record.price, "valid_from": today})
    await manager.put(f"/v1/price-books/{book['id']}/prices", {"prices": prices})


def policy() -> dict[str, Any]:
    """At most two marketing mails a week; quiet hours are left out, or the story would depend on the time of day."""
    return {
        "caps": [{"limit": 2, "window": "week", "channel": "email", "purposes": ["marketing"]}],
        "quiet_hours": {},
        "consent_free": ["transactional"],
        "urgent": ["transactional"],
        "time_zone": "America/New_York",
        "retry_unknown": [],
    }


async def known_agents(stage: Stage) -> list[tuple[str, Member]]:
    """Users with the role become agents by themselves; then they get their skills. Gives their ids as agents."""
    supervisor = stage.member("supervisor").door

    async def all_there() -> list[Any] | None:
        agents = await supervisor.all("/v1/agents")
        return agents if len(agents) >= len(STAFF["agent"]) else None

    agent_ids: dict[str, str] = {}
    for agent in await eventually("users to become agents", all_there):
        await stage.admin.patch(f"/v1/agents/{agent['id']}", {"skills": SKILLS[agent["name"]]})
        agent_ids[agent["user_id"]] = agent["id"]
    return [(agent_ids[member.id], member) for member in stage.staff["agent"]]
