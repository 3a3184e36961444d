"""Finding customers by what people remember of them: name, e-mail, phone, number, the other system's id."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    TableValuedAlias,
    Text,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    union_all,
)

from crm_customer.parties.domain import ContactChannel, fold
from crm_customer.parties.store.rows import NAME_WORD
from crm_customer.parties.tables import contact_key, customer, name_word
from crm_shared.db.pool import Record, Tx
from crm_shared.db.statements import any_param

# A trigram index serves nothing without three letters or digits in a row; it would be read from end to end.
_SERVED = re.compile(r"[^\W_]{3}")
_TOP = "\U0010ffff"
_MOST_WORDS, _MOST_ALIKE, _MOST_HOLDING = 4, 8, 50
"""Of a longer query so many words are enough to know whom it means; of those that are like one, so many; of those that
hold one, so many."""
_MOST_COMPARED = 200
"""Of more texts that hold the words these are put in order: nobody reads a thousand, and a million aren't fetched."""


async def matching_ids(tx: Tx, query: str, *, limit: int) -> list[UUID]:
    """Records that match `query`, best first: keys, then names and words of names that begin so, then any part of a
    name, then of anything, then similar text.
    """
    wanted = fold(query)
    words = sorted((word for word in wanted.split() if _SERVED.search(word)), key=len, reverse=True)
    in_a_name = words if "@" not in wanted and len(words) <= _MOST_WORDS else []
    ranked = _once(_ids(await tx.all(_BEGINNING, _beginning(wanted, limit))))
    if len(ranked) < limit and in_a_name:
        ranked = _once([*ranked, *await _whose_names_hold(tx, in_a_name, limit)])
    if len(ranked) < limit and words:
        held = {f"word_{nth}": _anywhere(word) for nth, word in enumerate(words)}
        ranked = _once([*ranked, *_ids(await tx.find(_containing(len(words)), {**held, "limit": limit}))])
    if not ranked and words:
        ranked = await (_like_a_text(tx, wanted, limit) if "@" in wanted else _like_names(tx, wanted, words, limit))
    return ranked[:limit]


def _ids(rows: Iterable[Record]) -> list[UUID]:
    return [row["id"] for row in rows]


def _once(ids: Iterable[UUID]) -> list[UUID]:
    return list(dict.fromkeys(ids))


async def _whose_names_hold(tx: Tx, words: list[str], limit: int) -> list[UUID]:
    """Those whose names have words that hold each of these, by name: a million names are made of few words."""
    lists = await _of_each(tx, _HOLDING, [_anywhere(word) for word in words])
    return _ids(await tx.all(_bearing(len(words)), {**lists, "limit": limit})) if all(lists.values()) else []


async def _like_names(tx: Tx, wanted: str, words: list[str], limit: int) -> list[UUID]:
    """Those whose names have a word like each of these, so that a slip of the finger still finds."""
    asked = words[:_MOST_WORDS]  # the longest, which are borne by fewest
    lists = await _of_each(tx, _ALIKE, asked)
    if not all(lists.values()):
        return []
    return _ids(await tx.all(_bearing(len(asked), alike=True), {**lists, "wanted": wanted, "limit": limit}))


async def _of_each(tx: Tx, words_of: Select[Any, Any], asked: list[str]) -> dict[str, list[str]]:
    """The words of names that a statement finds for each word asked for, as `_bearing` takes them."""
    lists: list[list[str]] = [[] for _ in asked]
    for row in await tx.find(words_of, {"asked": asked}):
        lists[int(row["nth"]) - 1].append(row["word"])
    return {f"words_{nth}": each for nth, each in enumerate(lists)}


async def _like_a_text(tx: Tx, wanted: str, limit: int) -> list[UUID]:
    return _ids(await tx.find(_SIMILAR, {"wanted": wanted, "limit": limit}))


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


def _anywhere(word: str) -> str:
    """A pattern of texts that hold this word, its own wildcards taken as letters."""
    return "%" + word.replace("/", "//").replace("%", "/%").replace("_", "/_") + "%"


@lru_cache(maxsize=50)
def _containing(words: int) -> Select[tuple[UUID]]:
    """Those whose text holds every one of so many words, whatever their order."""
    c = customer.c
    holds = [c.search_text.like(bindparam(f"word_{nth}"), escape="/") for nth in range(words)]
    some = select(c.id, c.name_folded).where(*holds).limit(literal_column(str(_MOST_COMPARED))).subquery()
    return select(some.c.id).order_by(some.c.name_folded, some.c.id).limit(bindparam("limit"))


def _each_of(texts: str) -> TableValuedAlias:
    """The texts of a parameter as rows: `word`, and `nth` from 1."""
    given = func.unnest(bindparam(texts, type_=ARRAY(Text())))
    return given.table_valued(column("word", Text()), with_ordinality="nth").render_derived(name="given")


def _words_for(found: ColumnElement[bool], first: ColumnElement[Any], most: int) -> Select[Any, Any]:
    """For each word asked for those that are found for it, and so many of these at most: the first."""
    some = select(name_word.c.word, first.label("first")).where(found).order_by("first", name_word.c.word)
    of_each = some.limit(literal_column(str(most))).lateral()
    return (
        select(_ASKED.c.nth, of_each.c.word).join_from(_ASKED, of_each, true()).order_by(_ASKED.c.nth, of_each.c.first)
    )


_ASKED = _each_of("asked")
_WORD = name_word.c.word
_ALIKE = _words_for(_WORD.bool_op("%")(_ASKED.c.word), -func.similarity(_WORD, _ASKED.c.word), _MOST_ALIKE)
"""Threshold 0.3."""
_HOLDING = _words_for(_WORD.like(_ASKED.c.word, escape="/"), func.length(_WORD), _MOST_HOLDING)


@lru_cache(maxsize=2 * _MOST_WORDS)
def _bearing(words: int, *, alike: bool = False) -> Select[tuple[UUID]]:
    """Those with a word of each of so many lists in their names, by name; most like what is `wanted` first."""
    k, first = contact_key.c, _each_of("words_0")
    bears = (k.channel == literal_column(f"'{NAME_WORD}'"), k.folded == first.c.word)
    bearers = select(k.customer_id).where(*bears, *map(_bears_too, range(1, words))).order_by(k.customer_id)
    most = literal_column(str(_MOST_COMPARED), Integer())
    of_each = bearers.limit(most).lateral()
    # Word by word, the first ones first. Told to sort by their place, it would gather those of all words before.
    some = select(of_each.c.customer_id).join_from(first, of_each, true()).limit(most).subquery()
    likeness = func.word_similarity(bindparam("wanted", type_=Text()), customer.c.name_folded)
    found = select(customer.c.id).where(customer.c.id.in_(select(some.c.customer_id)))
    order = [likeness.desc()] if alike else []
    return found.order_by(*order, customer.c.name_folded, customer.c.id).limit(bindparam("limit"))


def _bears_too(nth: int) -> ColumnElement[bool]:
    other = contact_key.alias(f"other_{nth}")
    return (
        select(other.c.customer_id)
        .where(
            other.c.channel == literal_column(f"'{NAME_WORD}'"),
            any_param(other.c.folded, f"words_{nth}"),
            other.c.customer_id == contact_key.c.customer_id,
        )
        .exists()
    )


def _similar() -> Select[tuple[UUID]]:
    """Those with a stretch of text like the query, an address that is (threshold 0.6)."""
    c, wanted = customer.c, bindparam("wanted", type_=Text())
    likeness = func.word_similarity(wanted, c.search_text)
    return (
        select(c.id)
        .where(c.search_text.bool_op("%>")(wanted))
        .order_by(likeness.desc(), c.name_folded, c.id)
        .limit(bindparam("limit"))
    )


_SIMILAR = _similar()
