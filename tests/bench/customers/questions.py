"""What is asked: the same question as the gateway, the service itself and the reference want it put."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

import orjson
from tests.bench.customers.filling import COUNTRIES, FAMILY, GIVEN, LANGUAGES, OWNERS, SOURCES
from tests.bench.load import request

from crm_shared.http.pagination import Cursors
from crm_shared.ids import new_id, public_id

PATH = "/v1/customers"
PAGE = 20
_COUNT = 2_000
_CREATES = 12_000
"""More than a window can take, since a repeated key would only be given its stored answer."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """A tenant with customers, some of which are known by id."""

    tenant: UUID
    ids: Sequence[UUID]
    secret: str

    def cursor_after(self, last: UUID) -> str:
        """The cursor of the plain list after this customer, as the service would have made it."""
        chosen = orjson.dumps(
            {
                **dict.fromkeys(("kind", "category", "country", "language", "owner", "source", "name")),
                "attribute": list[str](),
            }
        ).decode()
        return Cursors(self.secret, str(self.tenant), PATH, chosen).write((last,))


Headers = Mapping[str, str]
Put = Callable[[Crowd, Headers], list[bytes]]


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of request: `ours` and `reference` make the bytes of many of them."""

    name: str
    status: int
    floor: float
    ours: Put
    reference: Put


def _gets(crowd: Crowd, headers: Headers) -> list[bytes]:
    return [request("GET", f"{PATH}/{public_id('cus', each)}", dict(headers)) for each in crowd.ids[:_COUNT]]


def _first_pages(crowd: Crowd, headers: Headers) -> list[bytes]:
    return [request("GET", f"{PATH}?limit={PAGE}", dict(headers))]


def _deep_pages(crowd: Crowd, headers: Headers) -> list[bytes]:
    wanted = [urlencode({"limit": PAGE, "cursor": crowd.cursor_after(each)}) for each in crowd.ids[:_COUNT]]
    return [request("GET", f"{PATH}?{query}", dict(headers)) for query in wanted]


def _deep_pages_of_reference(crowd: Crowd, headers: Headers) -> list[bytes]:
    ids = (public_id("cus", each) for each in crowd.ids[:_COUNT])
    return [request("GET", f"{PATH}?limit={PAGE}&after={each}", dict(headers)) for each in ids]


def _name(chance: random.Random) -> str:
    """What most people type: a family name, now and then with the given name before it."""
    family = chance.choice(FAMILY).lower()
    return family if chance.random() < 0.8 else f"{chance.choice(GIVEN).lower()} {family}"


def _part(chance: random.Random) -> str:
    """A piece out of a family name: no word begins with it."""
    return chance.choice(FAMILY).lower()[2:9]


def _slip(chance: random.Random) -> str:
    """A family name with two letters swapped."""
    family = chance.choice(FAMILY).lower()
    return family[:3] + family[4] + family[3] + family[5:]


def _searches(word: Callable[[random.Random], str]) -> Put:
    def put(crowd: Crowd, headers: Headers) -> list[bytes]:
        chance = random.Random(7)
        wanted = [urlencode({"q": word(chance), "limit": PAGE}) for _ in range(_COUNT)]
        return [request("GET", f"{PATH}/search?{query}", dict(headers)) for query in wanted]

    return put


def _creates(headers: Headers, *, keyed: bool) -> list[bytes]:
    made: list[bytes] = []
    for nth in range(_CREATES):
        unique = new_id().hex[-12:]
        given, family = GIVEN[nth % len(GIVEN)], FAMILY[nth * 7 % len(FAMILY)]
        body = {
            "given_name": given,
            "family_name": family,
            "language": "de",
            "country": "DE",
            "owner": "usr_7",
            "source": "webshop",
            "contact_points": [
                {"channel": "email", "value": f"{given.lower()}.{unique}@mail{nth % 50}.example", "preferred": True},
                {"channel": "phone", "value": f"+49302{int(unique, 16) % 10**8:08}"},
            ],
        }
        more = {"Idempotency-Key": f"bench-{unique}-{nth}"} if keyed else {}
        made.append(request("POST", PATH, {**headers, **more}, orjson.dumps(body)))
    return made


def filtered_lists(crowd: Crowd, headers: Headers) -> list[bytes]:
    """Every filter by itself and some together, with values that are really there."""
    chance = random.Random(11)
    filters: list[Callable[[], dict[str, str]]] = [
        lambda: {"country": chance.choice(COUNTRIES)},
        lambda: {"language": chance.choice(LANGUAGES)},
        lambda: {"owner": f"usr_{chance.randrange(OWNERS)}"},
        lambda: {"source": chance.choice(SOURCES)},
        lambda: {"kind": "person"},
        lambda: {"category": chance.choice(("consumer", "business", "intermediary"))},
        lambda: {"name": chance.choice(GIVEN)[:3]},
        lambda: {"owner": f"usr_{chance.randrange(OWNERS)}", "country": chance.choice(COUNTRIES)},
        lambda: {"source": chance.choice(SOURCES), "language": chance.choice(LANGUAGES), "category": "business"},
    ]
    wanted = [urlencode({"limit": "50", **filters[nth % len(filters)]()}) for nth in range(_COUNT)]
    return [request("GET", f"{PATH}?{query}", dict(headers)) for query in wanted]


QUESTIONS = [
    Question("get", 200, 0.50, _gets, _gets),
    Question("list, first page", 200, 0.50, _first_pages, _first_pages),
    Question("list, deep page", 200, 0.50, _deep_pages, _deep_pages_of_reference),
    Question("search by name", 200, 0.50, _searches(_name), _searches(_name)),
    Question("search by a part of a name", 200, 0.50, _searches(_part), _searches(_part)),
    Question("search with a slip", 200, 0.50, _searches(_slip), _searches(_slip)),
    Question(
        "create", 201, 0.35, lambda _, headers: _creates(headers, keyed=True), lambda _, h: _creates(h, keyed=False)
    ),
]
