"""Whoever knows one resource of the clients can guess the methods of the others.

An operation's id is its tag and its route's name. Clients make `crm.sla_policies.update(…)` of `sla_policies_update`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

MERGED = Path(__file__).parents[2] / "gateway/src/crm_gateway/openapi/merged.json"

HOMES = {
    "customer-attributes": "/v1/customers/attributes",
    "customer-overviews": "/v1/customers/{customer_id}/360",
    "parked-events": "/v1/parked-events/{service}",
}
"""Where a resource lives that has no collection of its tag's name."""

BEGINNINGS = {
    "customer-imports": "start",  # a long job
    "customers": "register",
    "deals": "open",
    "expenses": "propose",  # somebody else approves it
    "interactions": "start",
    "leads": "capture",
    "messages": "send",
    "orders": "place",
    "payments": "receive",
    "purchase-imports": "start",
    "purchases": "report",  # they were made elsewhere
    "quotes": "draft",
    "sessions": "begin",
    "tenants": "open",
    "tickets": "open",
}
"""The field's own word for making one; all others are created."""

ENDINGS = {
    "customers": "erase",  # for good and in every service
    "sessions": "end",
    "sla-policies": "retire",  # tickets keep what they were promised
}
"""The field's own word for taking one away; all others are deleted."""

DEEDS = {
    "consents_record": "consents",
    "interactions_demand": "demands",
    "interactions_say": "messages",
    "lifecycle_evaluate": "evaluations",
    "messages_record_receipt": "receipts",
    "payments_refund": "refunds",
    "responses_take_in_mail": "inbound-mail",
    "surveys_ask": "invitations",
    "values_rate": "ratings",
}
"""Deeds whose paths name what comes of them."""


@dataclass(frozen=True)
class Operation:
    """One operation, as clients find it."""

    verb: str
    path: str
    tag: str
    id: str
    lists: bool

    @property
    def name(self) -> str:
        """The method: the id without the resource."""
        return self.id.removeprefix(f"{self.tag.replace('-', '_')}_")

    @property
    def below(self) -> str:
        """Where it is, seen from its resource's home: here, `/{id}`, `/{id}/prices`, `/capacity`; or the whole path."""
        return self.path.removeprefix(HOMES.get(self.tag, f"/v1/{self.tag}"))

    @property
    def words(self) -> list[str]:
        """What the path names below the version."""
        return [part.replace("-", "_") for part in self.path.split("/")[2:] if "{" not in part]


def operations() -> list[Operation]:
    """All but the pages that people open from a mail: no client calls those."""
    document = orjson.loads(MERGED.read_bytes())
    lists = {
        name for name, model in document["components"]["schemas"].items() if "items" in model.get("properties", {})
    }
    return [
        Operation(verb, path, told["tags"][0], told["operationId"], answer(told) in lists)
        for path, item in document["paths"].items()
        for verb, told in item.items()
        if "/public/" not in path
    ]


def answer(told: dict[str, Any]) -> str:
    """The name of what an operation answers with."""
    content = told["responses"].get("200", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]


OPERATIONS = operations()
WRITTEN = {each.path for each in OPERATIONS if each.verb in ("put", "patch")}
LISTED = {each.path.rpartition("/")[0] for each in OPERATIONS if each.path.endswith("}")}


def singular(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")


def readings(read: Operation) -> set[str]:
    """A part that can be set, or holds things with ids, is listed or got; any other is a view, and named as such."""
    owner, last = read.path.split("/")[-2:]
    verb = "list" if read.lists else "get"
    if read.below == "":
        return {verb}
    if last in (read.tag, singular(read.tag)):
        return {f"of_{owner.strip('{}').removesuffix('_id')}"}
    if last.startswith("{"):
        return {"get"} if read.below == f"/{last}" else {f"get_{singular(read.words[-1])}"}
    part = read.words[-1]
    return {f"{verb}_{part}" if read.path in WRITTEN | LISTED else part}


def deeds(done: Operation) -> set[str]:
    """A deed is called as its path ends; one upon a part may name the part, too: `approve_version`."""
    if done.below == "":
        return {BEGINNINGS.get(done.tag, "create")}
    if done.path.endswith(f"/{DEEDS.get(done.id)}"):
        return {done.name}
    part, deed = done.words[-2:]
    return {deed, f"{deed}_{singular(part)}", f"create_{singular(deed)}", f"set_{deed}"}


def changes(made: Operation) -> set[str]:
    """PATCH updates. PUT puts what may not be there yet, replaces what is, or sets what always is."""
    if made.verb == "delete":
        verbs = {ENDINGS.get(made.tag, "delete")}
    else:
        verbs = {"update"} if made.verb == "patch" else {"put", "replace", "set"}
    if made.below.startswith("/{") and made.below.count("/") == 1:
        return verbs
    part = singular(made.words[-1]) if made.path.endswith("}") else made.words[-1]
    return {f"{verb}_{part}" for verb in verbs}


def test_every_method_is_called_what_one_would_guess() -> None:
    rules = {"get": readings, "post": deeds}
    guesses = {each: rules.get(each.verb, changes)(each) for each in OPERATIONS}
    wrong = {f"{each.verb} {each.path} {each.name}": names for each, names in guesses.items() if each.name not in names}
    assert wrong == {}, "give the route such a name (name=…), or tell above why it has a word of its own"


def test_no_method_repeats_its_resource() -> None:
    for each in OPERATIONS:
        resource = {singular(word) for word in each.tag.split("-")}
        parts = {singular(part) for part in each.below.split("/")}  # a price book has prices
        assert {singular(word) for word in each.name.split("_")} & resource <= parts, each.id


def test_a_word_of_its_own_that_nothing_has_any_more_is_gone() -> None:
    begun = {each.tag: each.name for each in OPERATIONS if each.verb == "post" and each.below == ""}
    ended = {each.tag: each.name for each in OPERATIONS if each.verb == "delete"}
    assert begun.items() >= BEGINNINGS.items()
    assert ended.items() >= ENDINGS.items()
    assert {each.id for each in OPERATIONS} >= DEEDS.keys()
