"""The parameters of the OpenAPI document: headers that routes heed without naming them, and words for what is plain."""

from typing import Any

from crm_shared.http.call import ETAG_PATTERN, KEY_LENGTH, KEY_PATTERN
from crm_shared.http.router import StrictRoute

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this request: a repeat with the same key and body gets the first answer again for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": f"^{KEY_PATTERN}$"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the state that was seen; 412 if it has changed since.",
    "schema": {"type": "string", "pattern": f"^{ETAG_PATTERN}$", "examples": ['"1"', "*"]},
}


def parameters_of(route: StrictRoute, declared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All parameters of a route: those it declares, described, and the headers it heeds."""
    names = {parameter["name"] for parameter in declared}
    told = [_described(parameter, is_list="cursor" in names) for parameter in declared]
    if route.takes_idempotency_key:
        told.append(_IDEMPOTENCY_KEY)
    if route.takes_if_match:
        told.append({**_IF_MATCH, "required": route.requires_if_match})
    return told


def _described(parameter: dict[str, Any], *, is_list: bool) -> dict[str, Any]:
    """With the plain sentence where none is written: what an id is of, and what a list's filter keeps."""
    name: str = parameter["name"]
    what = name.removesuffix("_id").replace("_", " ")
    if "description" in parameter:
        return parameter
    if parameter["in"] == "path" and name.endswith("_id"):
        return {**parameter, "description": f"The {what}'s id."}
    if parameter["in"] == "query" and is_list:
        is_yes_or_no = '"boolean"' in str(parameter["schema"]).replace("'", '"')
        kept = f"that are {what}; with `false`, only the others" if is_yes_or_no else f"with this {what}"
        return {**parameter, "description": f"Only those {kept}."}
    return parameter
