"""Every unique rule of every database, held against writers who come at once: one wins, the others are told which
field; or all are told of the same thing; or each gets a value of its own. Never a fault."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import pytest
from tests.tenants.catalogue import Catalogue
from tests.tenants.stage import Answer
from tests.tenants.world import AT, DAY, World

from crm_shared.ids import new_id

pytestmark = pytest.mark.xdist_group("tenants")

WRITERS = 6
SERVICES = ["gateway", "customer", "sales-pipeline", "communication-dispatch", "contact-center"]
ENQUEUE = "/v1/interactions/{interaction_id}/enqueue"
STAGES = [
    {"key": key, "name": key, "canonical": canonical} for key, canonical in (("a", "open"), ("b", "won"), ("c", "lost"))
]
POLICY = {
    "caps": [], "quiet_hours": {}, "consent_free": [], "urgent": [], "time_zone": "Europe/Berlin", "retry_unknown": [],
}  # fmt: skip
WORDING = {"languages": ["en"], "content": {"email": {"en": {"subject": "Hello", "text": "Dear you"}}}}
MONEY = {"amount": "1.00", "currency": "EUR"}


class Outcome(Enum):
    """What parallel writers of the same values get."""

    ONE = auto()
    """One is taken; the others get 409 and the names of the fields."""
    SAME = auto()
    """All are told of one and the same thing."""
    OWN = auto()
    """Each gets a value of its own, which nobody chooses."""
    ONCE = auto()
    """One is taken; the others are refused by a rule of the business that says more than the database could."""
    SOME = auto()
    """One or more are taken, one after the other; who came at the same time gets 409 and the names of the fields."""
    FREE = auto()
    """All are taken, one after the other: the last one holds."""


Make = Callable[[World], tuple[str, Any]]


@dataclass(frozen=True)
class Case:
    """How a rule is put to the test: path and body that each writer sends, what comes of it, and the fields named."""

    make: Make
    outcome: Outcome
    fields: frozenset[str] = frozenset()
    method: str = "POST"
    values: str = ""


def one(path: str, *fields: str, **body: Any) -> Case:
    return Case(lambda w: (path, body), Outcome.ONE, frozenset(f"/{name}" for name in fields))


def quote(world: World) -> dict[str, Any]:
    return {"customer_id": world.ids["cus"], "lines": [{"product_id": world.ids["prod"], "quantity": "1"}]}


CASES: dict[str, Case] = {
    "gateway.user_email_taken": one("/v1/users", "email", email="twice@example.com", name="Twice", roles=["viewer"]),
    "customer.uq_customer_number": Case(
        lambda w: ("/v1/customers", {"display_name": "Numbered"}), Outcome.OWN, values="number"
    ),
    "customer.uq_customer_external_key": one(
        "/v1/customers", "external_source", "external_id", display_name="Twice", external_source="s", external_id="x"
    ),
    "customer.uq_money_fact_external_id": Case(
        lambda w: (
            "/v1/purchases",
            {"customer_id": w.ids["cus"], "source": "s", "external_id": "x", "occurred_at": AT, "amount": MONEY},
        ),
        Outcome.SAME,
    ),
    "customer.uq_segment_name": one(
        "/v1/segments", "name", name="Twice", rule={"type": "purchase_count", "op": "eq", "value": 1}
    ),
    "customer.uq_consent_entry_source_ref": Case(
        lambda w: (
            f"/v1/customers/{w.ids['cus']}/consents",
            {"purpose": "news", "channel": "email", "status": "granted", "source": "s", "source_ref": "x"},
        ),
        Outcome.SAME,
    ),
    "customer.uq_customer_merge_merged_id": Case(
        lambda w: (f"/v1/customers/{w.ids['cus']}/merge", {"merged_id": w.names["spare"], "reason": "twice"}),
        Outcome.ONCE,
    ),
    "sales-pipeline.pk_seller": Case(
        lambda w: ("/v1/sellers", {"name": "Twice", "id": w.names["new user"]}), Outcome.ONE, frozenset({"/id"})
    ),
    "sales-pipeline.uq_product_tenant_id_sku": one("/v1/products", "sku", sku="twice", name="Twice", tax_rate="0.1"),
    "sales-pipeline.uq_lead_tenant_id_source_source_key": Case(
        lambda w: ("/v1/leads", {"source": "web", "source_key": "x", "contact": {"email": "x@example.com"}}),
        Outcome.SAME,
    ),
    "sales-pipeline.uq_lead_open_identity": Case(
        lambda w: ("/v1/leads", {"source": "web", "contact": {"email": "y@example.com"}}), Outcome.SAME
    ),
    "sales-pipeline.uq_quote_tenant_id_number_revision": Case(
        lambda w: ("/v1/quotes", quote(w)), Outcome.OWN, values="number"
    ),
    "sales-pipeline.uq_sales_order_tenant_id_number": Case(
        lambda w: ("/v1/orders", quote(w)), Outcome.OWN, values="number"
    ),
    "sales-pipeline.uq_sales_order_tenant_id_external_key": Case(
        lambda w: ("/v1/orders", quote(w) | {"external_key": "x"}), Outcome.SAME
    ),
    "sales-pipeline.uq_sales_order_tenant_id_quote_id": Case(
        lambda w: (f"/v1/quotes/{w.names['sent quote']}/accept", None), Outcome.SAME
    ),
    "sales-pipeline.uq_quote_accepted": Case(
        lambda w: (f"/v1/quotes/{w.names['other sent quote']}/accept", None), Outcome.SAME
    ),
    "sales-pipeline.uq_payment_tenant_id_reference": Case(
        lambda w: ("/v1/payments", {"order_id": w.ids["ord"], "amount": MONEY, "reference": "x"}),
        Outcome.SAME,
    ),
    "customer.pk_attribute_definition": Case(
        lambda w: ("/v1/customers/attributes/twice", {"label": "Twice", "type": "text"}), Outcome.FREE, method="PUT"
    ),
    "customer.pk_lifecycle_rules": Case(lambda w: ("/v1/lifecycle/rules", {}), Outcome.FREE, method="PUT"),
    "sales-pipeline.pk_window_policy": Case(
        lambda w: ("/v1/leads/window-policies/now", {"approach": "seller_at_once", "prior_rate": "0.1"}),
        Outcome.FREE,
        method="PUT",
    ),
    "sales-pipeline.pk_price": Case(
        lambda w: (
            f"/v1/price-books/{w.ids['pbk']}/prices",
            {"prices": [{"product_id": w.ids["prod"], "unit_price": "2", "valid_from": DAY}]},
        ),
        Outcome.FREE,
        method="PUT",
    ),
    "communication-dispatch.pk_policy": Case(lambda w: ("/v1/governance/policy", POLICY), Outcome.FREE, method="PUT"),
    "communication-dispatch.pk_template_version": Case(
        lambda w: (f"/v1/templates/{w.ids['tpl']}/versions", WORDING), Outcome.OWN, values="number"
    ),
    "contact-center.pk_skill": Case(lambda w: ("/v1/skills/twice", {}), Outcome.FREE, method="PUT"),
    "contact-center.pk_calendar_version": Case(
        lambda w: (f"/v1/calendars/{w.ids['cal']}", {"name": "Twice again", "zone": "UTC", "weekly": {}}),
        Outcome.OWN,
        method="PUT",
        values="version",
    ),
    "sales-pipeline.uq_pipeline_default": Case(
        lambda w: ("/v1/pipelines", {"name": str(new_id()), "is_default": True, "stages": STAGES}),
        Outcome.SOME,
        frozenset({"/is_default"}),
    ),
    "communication-dispatch.uq_response_source": Case(
        lambda w: ("/v1/responses", {"kind": "call", "customer_id": w.ids["cus"]}), Outcome.OWN, values="id"
    ),
    "contact-center.ix_agent_user_id": Case(
        lambda w: ("/v1/agents", {"name": "Twice", "user_id": w.names["new user"]}),
        Outcome.ONE,
        frozenset({"/user_id"}),
    ),
    "contact-center.calendar_name_taken": one("/v1/calendars", "name", name="Twice", zone="UTC", weekly={}),
    "contact-center.queue_name_taken": one("/v1/queues", "name", name="Twice"),
    "contact-center.survey_name_taken": one("/v1/surveys", "name", name="Twice", kind="csat", question="?"),
    "contact-center.ticket_number_taken": Case(
        lambda w: ("/v1/tickets", {"kind": "query", "subject": "Numbered"}), Outcome.OWN, values="number"
    ),
    "contact-center.ix_sla_policy_current": Case(
        lambda w: (f"/v1/sla-policies/{w.ids['sla']}", {"name": str(new_id())}),
        Outcome.OWN,
        method="PATCH",
        values="version",
    ),
    "contact-center.survey_asked_already": Case(
        lambda w: (
            f"/v1/surveys/{w.ids['srv']}/invitations",
            {"customer_id": w.names["spare"], "interaction_id": w.ids["int"]},
        ),
        Outcome.ONE,
        frozenset({"/interaction_id"}),
    ),
    "contact-center.uq_queue_visit_live": Case(
        lambda w: (f"/v1/interactions/{w.fitting[ENQUEUE]}/enqueue", {"queue_id": w.ids["que"]}), Outcome.ONCE
    ),
}
_KERNEL = "the kernel's own, held by its locks and its ON CONFLICT; tests/shared tries them"
_COPY = "a copy of somebody else's facts, or a figure derived from them: written by upsert, in the order of its key"
_PART = "a part of a thing, numbered or named under the lock of the whole"
_BEGUN = "counted or begun by the first to come, by upsert; nobody chooses it"
_JOB = "written by the one worker who holds the job, the lease or the mail"
_NOBODY = "made by operators only, when a company moves in"
REASONS = {
    f"{service}.{rule}": reason
    for reason, rules in {
        _NOBODY: {"gateway": "handle_taken pk_directory pk_tenant"},
        _COPY: {
            "customer": "pk_behaviour_amount pk_behaviour_total pk_consent_state pk_contact_key pk_customer_alias "
            "pk_customer_card pk_lifecycle pk_lifecycle_target pk_name_word pk_open_item pk_segment_member "
            "pk_segment_use pk_value_rating",
            "sales-pipeline": "pk_customer_alias uq_expense_business_key",
            "communication-dispatch": "pk_consent pk_segment_member",
            "contact-center": "pk_contact_point pk_customer_alias pk_customer_deal pk_customer_order pk_metric_agent "
            "pk_metric_closed pk_metric_interval",
        },
        _PART: {
            "gateway": "pk_kept_event pk_webhook_attempt pk_webhook_lane",
            "sales-pipeline": "pk_stage pk_deal_lead pk_quote_line pk_order_line",
            "communication-dispatch": "pk_attempt",
            "contact-center": "pk_agent_skill pk_interaction_event pk_interaction_participant uq_interaction_leg_open "
            "pk_sla_notice pk_sla_policy pk_ticket_event",
        },
        _BEGUN: {
            "gateway": "pk_event_head",
            "sales-pipeline": "pk_number_series",
            "contact-center": "pk_channel_cost pk_routing_shard pk_survey_key pk_ticket_counter",
        },
        _JOB: {
            "gateway": "webhook_delivery_made",
            "customer": "pk_import_error pk_import_touched pk_upload_chunk pk_value_draft pk_value_run",
            "communication-dispatch": "pk_lane uq_inbound_mail_digest uq_message_recipient uq_message_coupon "
            "pk_audience_member uq_audience_member_reached",
            "contact-center": "uq_reservation_live_interaction uq_reservation_live_voice",
        },
    }.items()
    for service, names in rules.items()
    for rule in names.split()
}
KERNEL = {
    "pk_idempotency_key", "pk_due", "pk_event_sequence", "pk_inbox", "pk_consumer_key", "pk_parked", "pk_erased",
    "pk_departed",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
async def prepared(company: World) -> None:
    """What some rules need: a customer to be merged, quotes that are sent, a user who is no agent yet."""
    made = await company.ask("POST", "/v1/customers", {"display_name": "Spare"})
    company.names["spare"] = made["id"]
    for name in ("sent quote", "other sent quote"):
        made = await company.ask("POST", "/v1/quotes", quote(company))
        await company.ask("POST", f"/v1/quotes/{made['id']}/send")
        company.names[name] = made["id"]
    user = {"email": "new@example.com", "name": "New", "roles": ["viewer"]}
    company.names["new user"] = (await company.ask("POST", "/v1/users", user))["id"]
    await company.stage.settle()


@pytest.mark.parametrize("service", SERVICES)
async def test_every_unique_rule_has_a_case_or_a_reason(company: World, service: str) -> None:
    catalogue = await Catalogue.read(company.stage.databases[service].admin, service)
    ours = [key for key in catalogue.unique if key["name"] not in KERNEL and not _is_made_by_us(key)]
    rules = {f"{service}.{key['name']}" for key in ours if key["table"] in catalogue.walled}
    here = {name for name in (*CASES, *REASONS) if name.startswith(f"{service}.")}
    assert rules - here == set(), "say what two writers at once get"
    assert here - rules == set(), "these rules are gone"


def _is_made_by_us(key: Any) -> bool:
    """Whether it is of ids, which nobody chooses but us; a seller's is the user's."""
    return key["primary"] and key["fields"] == ["tenant_id", "id"] and key["name"] != "pk_seller"


@pytest.mark.parametrize("rule", CASES)
async def test_writers_at_once_get_what_the_rule_promises(company: World, rule: str) -> None:
    case = CASES[rule]

    async def write() -> Answer:
        path, body = case.make(company)
        headers = {"idempotency-key": str(new_id())}
        return await company.stage.ask(case.method, path, key=company.admin, body=body, headers=headers)

    answers = await asyncio.gather(*(write() for _ in range(WRITERS)))
    told = [str(answer) for answer in answers]
    good = [answer.json() if answer.body else {} for answer in answers if answer.status < 300]
    refused = [answer for answer in answers if answer.status >= 300]
    match case.outcome:
        case Outcome.ONE | Outcome.SOME:
            assert len(good) == 1 if case.outcome is Outcome.ONE else good, told
            assert {answer.status for answer in refused} <= {409}, told
            for answer in refused:
                assert answer.headers["content-type"] == "application/problem+json"
                assert {error["pointer"] for error in answer.json()["errors"]} == case.fields, told
        case Outcome.SAME:
            assert (len(good), len({body["id"] for body in good})) == (WRITERS, 1), told
        case Outcome.OWN:
            assert (len(good), Counter(body[case.values] for body in good).most_common(1)[0][1]) == (WRITERS, 1), told
        case Outcome.FREE:
            assert not refused, told
        case Outcome.ONCE:
            assert (len(good), {answer.status for answer in refused}) == (1, {409}), told
