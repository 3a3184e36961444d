"""Finding customers by what people remember of them: name, e-mail, phone, number, the other system's id."""

import re
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)

from crm_customer.parties.domain import ContactChannel, fold
from crm_customer.parties.store.rows import NAME_WORD
from crm_customer.parties.tables import contact_key, customer
from crm_shared.db.pool import Tx

# A trigram index serves nothing without three letters or digits in a row; it would be read from end to end.
_SERVED = re.compile(r"[^\W_]{3}")
_TOP = "\U0010ffff"
_MOST_COMPARED = 500
"""Of more texts that hold the words these are put in order: nobody reads a thousand, and a million aren't fetched."""


async def matching_ids(tx: Tx, query: str, *, limit: int) -> list[UUID]:
    """Records that match `query`, best first: keys, then names and words of names that begin so, then any part, then
    similar text.
    """
    wanted = fold(query)
    found = await tx.all(_BEGINNING, _beginning(wanted, limit))
    ranked = list(dict.fromkeys(row["id"] for row in found))[:limit]
    words = [word for word in wanted.split() if _SERVED.search(word)]
    if len(ranked) < limit and words:
        patterns = {f"word_{nth}": f"%{_escaped(word)}%" for nth, word in enumerate(words)}
        rows = await tx.find(_containing(len(words)), {**patterns, "limit": limit})
        ranked = list(dict.fromkeys([*ranked, *(row["id"] for row in rows)]))
    if not ranked and words:
        ranked = [row["id"] for row in await tx.find(_SIMILAR, {"wanted": wanted, "limit": limit})]
    return ranked[:limit]


def _keyed(channel: str) -> Select[tuple[UUID]]:
    k = contact_key.c
    low, high = bindparam(channel, type_=Text()), bindparam(f"{channel}_end", type_=Text())
    return (
        select(k.customer_id.label("id"))
        .where(k.channel == literal_column(f"'{channel}'"), k.folded >= low, k.folded < high)
        .order_by(k.folded, k.customer_id)
        .limit(bindparam("limit"))
    )


def _named() -> Select[tuple[UUID]]:
    c = customer.c
    return (
        select(c.id)
        .where(c.name_folded >= bindparam("name"), c.name_folded < bindparam("name_end"))
        .order_by(c.name_folded, c.id)
        .limit(bindparam("limit"))
    )


def _ranked(part: Select[tuple[UUID]], rank: int) -> Any:
    found: ColumnElement[UUID] = part.subquery().c.id
    return select(found, literal_column(str(rank), Integer()).label("rank"))


_NUMBERED = select(customer.c.id).where(customer.c.number == bindparam("number", type_=BigInteger()))
# One statement, its parts in the order of their rank; a part that can't be meant is asked for nothing.
_PARTS = (
    _keyed(ContactChannel.EMAIL.value),
    _keyed(ContactChannel.PHONE.value),
    _NUMBERED,
    _named(),
    _keyed(NAME_WORD),
)
_RANKED = [_ranked(part, rank) for rank, part in enumerate(_PARTS)]
_BEGINNING = union_all(*_RANKED).order_by("rank")


def _beginning(wanted: str, limit: int) -> dict[str, Any]:
    digits = wanted.removeprefix("c-")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else -1
    phone = _phone_prefix(wanted)
    texts = {ContactChannel.EMAIL.value: wanted, NAME_WORD: wanted}
    ranges = {**texts, **{f"{channel}_end": text + _TOP for channel, text in texts.items()}}
    # From `~` to nothing: without a phone number no key lies between.
    by_phone = {"phone": phone, "phone_end": phone + _TOP} if phone else {"phone": "~", "phone_end": ""}
    return {**ranges, **by_phone, "number": number, "limit": limit}


def _phone_prefix(wanted: str) -> str:
    digits = "".join(letter for letter in wanted if letter.isdigit())
    plausible = all(letter.isdigit() or letter in "+-()/. " for letter in wanted)
    if not plausible or len(digits) < 4:
        return ""
    return f"+{digits}" if not wanted.startswith("00") else f"+{digits[2:]}"


def _escaped(word: str) -> str:
    return word.replace("/", "//").replace("%", "/%").replace("_", "/_")


@lru_cache(maxsize=50)
def _containing(words: int) -> Select[tuple[UUID]]:
    """Those whose text holds every one of so many words, whatever their order."""
    c = customer.c
    holds = [c.search_text.like(bindparam(f"word_{nth}"), escape="/") for nth in range(words)]
    some = select(c.id, c.name_folded).where(*holds).limit(literal_column(str(_MOST_COMPARED))).subquery()
    return select(some.c.id).order_by(some.c.name_folded, some.c.id).limit(bindparam("limit"))


def _similar() -> Select[tuple[UUID]]:
    """Those with a stretch of text like the query, so that a slip of the finger still finds (threshold 0.6)."""
    c, wanted = customer.c, bindparam("wanted", type_=Text())
    likeness = func.word_similarity(wanted, c.search_text)
    return (
        select(c.id)
        .where(c.search_text.bool_op("%>")(wanted))
        .order_by(likeness.desc(), c.name_folded, c.id)
        .limit(bindparam("limit"))
    )


_SIMILAR = _similar()
