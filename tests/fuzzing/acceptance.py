"""What the schema allows is accepted, unless a rule that no schema can state is against it: these and no others."""

import re
from http import HTTPStatus
from typing import Any

from schemathesis import Case, CheckContext, Response

LATER = {
    HTTPStatus.UNAUTHORIZED: "POST /v1/sessions: a made-up password",
    HTTPStatus.FORBIDDEN: "nobody approves their own request",
    HTTPStatus.NOT_FOUND: "an id that belongs to nobody",
    HTTPStatus.CONFLICT: "the present state",
    HTTPStatus.GONE: "an erased customer",
    HTTPStatus.PRECONDITION_FAILED: "a made-up If-Match",
}
"""Refusals that depend on what is stored, not on the request alone."""

STORED = {
    "attributes_invalid": "attributes are the tenant's own",
    "invalid": "a filter over the tenant's own attributes",
    "position_unknown": "an order's own lines",
    "prices_invalid": "products and books of the tenant",
    "purpose_reserved": "purposes that the suite keeps for itself",
    "quantity_too_large": "what is left of an order's line",
    "queue_missing": "queues are the tenant's own",
    "rule_circular": "segments that a rule names",
    "translation_missing": "a version's own languages",
    "variables_invalid": "a version's own variables",
    "attribute_unknown": "attributes are the tenant's own",
    "currency_mismatch": "an order is in the currency it was placed in",
    "cursor_invalid": "a cursor is signed by the server",
    "idempotency_key_reused": "a key that was used for another request",
    "lines_invalid": "products and their prices are the tenant's own",
    "link_unknown": "a token is signed by the server",
    "rule_invalid": "a segment's rule names attributes and segments of the tenant",
    "stage_unknown": "stages are the pipeline's own",
    "fields_missing": "required fields are the stage's own",
    "seller_unknown": "a rule names sellers of the tenant",
    "channel_missing": "a version says something on some channels only",
}
"""422 because something that the request names isn't there; beside these, every code that ends in `_not_found`."""

FORMATS = {
    "address_refused": "which addresses are of the public internet",
    "event_type_unknown": "a beginning of some type of event",
    "https_required": "whether plain http is taken is a setting",
    "port_refused": "which ports are, too",
    "url_malformed": "RFC 3986, and only what all parsers read alike",
    "amount_not_in_coins": "smallest coins follow from the currency",
    "amount_out_of_range": "sums have an end, too",
    "columns_unsuitable": "a file's columns",
    "file_empty": "a file's rows",
    "header_malformed": "a file's header",
    "json_too_deep": "32 levels",
    "mail_misdirected": "a mail's own addresses",
    "time_out_of_range": "years 1970 to 2200, as `instant_out_of_range`",
    "body_too_large": "1 MiB",
    "contact_point_invalid": "telephone numbers and addresses are read by their channel's rules",
    "contact_points_invalid": "the same, of several",
    "header_missing": "a file's header",
    "mapping_malformed": "JSON inside a query parameter",
    "instant_out_of_range": "years 1000 to 9000, so that there is room for arithmetic",
    "mail_unreadable": "a mail's own grammar",
    "string_too_short": "texts are trimmed before they are measured",
    "text_has_nul": "PostgreSQL's text holds no NUL",
    "template_invalid": "a template's own grammar and completeness",
    "time_zone_unknown": "the zones of the IANA database",
    "zone_unknown": "the same, of calendars",
}
"""422 because a text has a grammar of its own."""

BETWEEN_FIELDS = {
    "start_not_one": "a replay begins at a time or after a cursor",
    "amount_negative": "money is one schema; only returns may be negative",
    "amount_not_positive": "the same, of payments and expenses",
    "calendar_shut": "windows and holidays as a whole",
    "currency_missing": "in the row or for the file",
    "customer_missing": "who called",
    "discount_too_large": "compared with the lines",
    "in_the_past": "compared with now",
    "lead_unreachable": "a customer or a contact",
    "reason_required": "follows from the stage",
    "reason_unexpected": "the same",
    "resurfacing_circular": "windows that come back as each other",
    "rule_too_large": "leaves and depth of the whole tree",
    "steps_out_of_order": "each later than the one before",
    "target_missing": "a customer or an address",
    "too_many": "of what is there and what comes, together",
    "transfer_target_missing": "a queue or an agent",
    "windows_overlap": "windows of one day",
    "code_missing": "a coupon's code follows from the kind",
    "in_the_future": "compared with now",
    "lead_forgotten": "without a seller it must resurface",
    "names_taken": "each variant has a name of its own",
    "policy_invalid": "an urgent purpose is also free of consent",
    "position_repeated": "each line once",
    "validity_reversed": "end after beginning",
    "choices_misplaced": "only a choice has choices",
    "bucket_malformed": "start < end ≤ of",
    "customer_not_named": "either an id or another system's key",
    "email_malformed": "a sender's address needs a dot in its host",
    "address_malformed": "the same",
    "expense_target": "a campaign or a deal, not both",
    "expires_in_past": "compared with now",
    "expiry_in_past": "the same",
    "key_incomplete": "source and id go together",
    "name_missing": "one of several names",
    "not_nullable": "null means `empty it` in a patch, and not everything may be empty",
    "opt_in_without_grant": "depends on the status",
    "pause_not_pending": "only pending states pause a clock",
    "period_empty": "end after beginning",
    "pipeline_invalid": "stages as a whole: one won, one lost, keys unique",
    "required": "a quote's own customer or its deal's",
    "resurfacing_incomplete": "when and as what go together",
    "rules_contradictory": "thresholds in order",
    "same_record": "two different customers",
    "score_out_of_range": "a score's range follows the survey's kind",
    "seller_repeated": "each seller once",
    "source_missing": "source_ref needs a source",
    "subject_missing": "a ticket's own subject or its interaction's",
    "target_ambiguous": "seconds or working days",
    "targets_missing": "at least one clock",
    "time_empty": "from before to",
    "time_too_long": "92 days at most",
    "window_empty": "opens before closes",
}
"""422 because of a rule between two fields, or between a field and the clock."""

RULES = STORED | FORMATS | BETWEEN_FIELDS


def positive_data_is_accepted(context: CheckContext, response: Response, case: Case) -> None:
    """Stricter than schemathesis' own check: a 422 needs a reason from the table, never the schema's validator."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    if response.status_code in LATER or response.status_code >= 500:
        return
    problem: dict[str, Any] = response.json()
    codes: list[str] = [problem["code"]]
    if problem["code"] == "invalid_request":
        codes = [error["code"] for error in problem["errors"] if not _is_anothers_id(case, error["pointer"])]
    odd = [code for code in codes if code not in RULES and not code.endswith("_not_found")]
    assert not odd, f"The schema allows what is refused as {response.status_code} {odd}: {problem['detail']}"


def _is_anothers_id(case: Case, pointer: str) -> bool:
    """Whether a walk from operation to operation took an id of one thing to the address of another."""
    name = pointer.removeprefix("path:")
    patterns = [
        one["schema"].get("pattern", "") for one in case.operation.definition.raw["parameters"] if one["name"] == name
    ]
    return name != pointer and any(not re.search(pattern, str(case.path_parameters[name])) for pattern in patterns)
