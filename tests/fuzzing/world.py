"""One of everything, made through the door: generated requests then find ids that lead somewhere."""

from collections.abc import Callable
from typing import Any

import httpx

MONEY = {"amount": "12.50", "currency": "EUR"}
STAGES = [
    {"key": "talking", "name": "Talking", "canonical": "open", "probability": "20"},
    {"key": "agreed", "name": "Agreed", "canonical": "won", "probability": "100"},
    {"key": "declined", "name": "Declined", "canonical": "lost", "probability": "0"},
]
WEEKLY = {
    day: [{"opens": "08:30", "closes": "17:00"}]
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}
WORDING = {
    "languages": ["en"],
    "content": {"email": {"en": {"subject": "Good day", "text": "Hello. {{ links.unsubscribe }}"}}},
}

Made = dict[str, Any]


def furnish(url: str, key: str) -> None:
    """Fill the tenant that `key` belongs to; a refused request is an error."""
    made: Made = {}
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:

        def post(path: str, body: Any = None) -> Any:
            answer = client.post(path, json=body) if body is not None else client.post(path)
            assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"
            return answer.json()

        def put(path: str, body: Any) -> None:
            answer = client.put(path, json=body)
            assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"

        _customers(made, post)
        _selling(made, post, put)
        _writing(made, post)
        _serving(made, post)


def _customers(made: Made, post: Callable[..., Any]) -> None:
    for name in ("Ada Answer", "Ben Bell"):
        made["customer"] = post(
            "/v1/customers",
            {"display_name": name, "contact_points": [{"channel": "email", "value": f"{name[:3]}@example.com"}]},
        )["id"]
    customer = made["customer"]
    post(f"/v1/customers/{customer}/consents", {"purpose": "marketing", "channel": "email", "status": "granted"})
    purchase = {"customer_id": customer, "source": "shop", "external_id": "1", "amount": MONEY}
    post("/v1/purchases", {**purchase, "occurred_at": "2026-01-01T00:00:00Z"})
    rule = {"type": "purchase_count", "op": "ge", "value": 0}
    made["segment"] = post("/v1/segments", {"name": "All", "kind": "dynamic", "rule": rule})["id"]


def _selling(made: Made, post: Callable[..., Any], put: Callable[[str, Any], None]) -> None:
    customer = made["customer"]
    user = post("/v1/users", {"email": "sam@example.com", "name": "Sam", "roles": ["seller"]})["id"]
    post("/v1/sellers", {"id": user, "name": "Sam"})
    post("/v1/assignment-rules", {"name": "Turns", "strategy": "round_robin", "seller_ids": [user]})
    pipeline = post("/v1/pipelines", {"name": "Records", "is_default": True, "stages": STAGES})["id"]
    book = {"currency": "EUR", "rounding": "half_up", "tax_rounding": "per_line", "valid_from": "2026-01-01"}
    book_id = post("/v1/price-books", {"name": "Shop", **book})["id"]
    product = post("/v1/products", {"sku": "LP-1", "name": "Record", "tax_rate": "0.08"})["id"]
    price = {"product_id": product, "unit_price": "38.00", "valid_from": "2026-01-01"}
    put(f"/v1/price-books/{book_id}/prices", {"prices": [price]})
    for _ in range(2):
        post("/v1/leads", {"customer_id": customer, "source": "web", "buying_window": "now"})
        deal = post("/v1/deals", {"customer_id": customer, "name": "Records", "pipeline_id": pipeline})["id"]
        quote = post("/v1/quotes", {"deal_id": deal, "lines": [{"product_id": product, "quantity": "2"}]})["id"]
    post(f"/v1/quotes/{quote}/send")
    order = post(f"/v1/quotes/{quote}/accept")
    post("/v1/payments", {"order_id": order["id"], "reference": "bank-1", "amount": MONEY})
    post("/v1/expenses", {"deal_id": deal, "amount": MONEY, "description": "Travel"})


def _writing(made: Made, post: Callable[..., Any]) -> None:
    template_id = post("/v1/templates", {"name": "Spring", "purpose": "marketing", **WORDING})["id"]
    post(f"/v1/templates/{template_id}/versions", WORDING)
    campaign = {"name": "Spring", "purpose": "marketing", "segment_id": made["segment"]}
    post("/v1/campaigns", {**campaign, "variants": [{"name": "A", "template_id": template_id}]})


def _serving(made: Made, post: Callable[..., Any]) -> None:
    customer = made["customer"]
    post("/v1/calendars", {"name": "Hours", "zone": "Europe/Zagreb", "weekly": WEEKLY})
    queue = post("/v1/queues", {"name": "Hotline", "channels": ["voice", "chat"]})["id"]
    call = {"channel": "chat", "customer_id": customer, "subject": "A scratch"}
    for _ in range(2):
        interaction = post("/v1/interactions", {**call, "queue_id": queue})["id"]
        post("/v1/tickets", {"kind": "fault", "customer_id": customer, "subject": "A scratch"})
    post("/v1/tickets", {"kind": "fault", "interaction_id": interaction})
    survey = {"name": "How was it?", "kind": "csat", "question": "How was it?", "trigger": "interaction"}
    post("/v1/surveys", {**survey, "channels": ["email"]})
