"""Finding customers by what people remember of them: name, e-mail, phone, number, the other system's id."""

from uuid import UUID

from sqlalchemy import Select, func, literal, select, union_all

from crm_customer.parties.domain import ContactChannel, fold
from crm_customer.parties.tables import contact_key, customer
from crm_shared.db.pool import Tx

_SUBSTRING_FROM = 3  # a trigram index serves no shorter piece
_TOP = "\U0010ffff"


async def matching_ids(tx: Tx, query: str, *, limit: int) -> list[UUID]:
    """Records that match `query`, best first: keys, then names that begin so, then any part, then similar text."""
    wanted = fold(query)
    found = [row["id"] for row in await tx.all(_exact(wanted, limit))]
    found += [row["id"] for row in await tx.all(_named(wanted, limit))]
    ranked = list(dict.fromkeys(found))
    words = [word for word in wanted.split() if len(word) >= _SUBSTRING_FROM]
    if len(ranked) < limit and words:
        rows = await tx.find(_containing(words, limit))
        ranked = list(dict.fromkeys([*ranked, *(row["id"] for row in rows)]))
    if not ranked and words:
        ranked = [row["id"] for row in await tx.find(_similar(wanted, limit))]
    return ranked[:limit]


def _exact(wanted: str, limit: int) -> Select[tuple[UUID]]:
    """Those with this number or other system's id, or an e-mail address or phone number that begins so."""
    k = contact_key.c
    parts = [
        select(k.customer_id.label("id"))
        .where(k.channel == channel, k.folded >= text, k.folded < text + _TOP)
        .order_by(k.folded)
        .limit(limit)
        for channel, text in ((ContactChannel.EMAIL.value, wanted), (ContactChannel.PHONE.value, _phone_prefix(wanted)))
        if text
    ]
    digits = wanted.removeprefix("c-")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        parts.append(select(customer.c.id).where(customer.c.number == int(digits)))
    subqueries = [select(part.subquery().c.id) for part in parts]
    if not subqueries:
        return select(customer.c.id).where(literal(False))
    return select(union_all(*subqueries).subquery().c.id).limit(limit)


def _phone_prefix(wanted: str) -> str:
    digits = "".join(letter for letter in wanted if letter.isdigit())
    plausible = all(letter.isdigit() or letter in "+-()/. " for letter in wanted)
    if not plausible or len(digits) < 4:
        return ""
    return f"+{digits}" if not wanted.startswith("00") else f"+{digits[2:]}"


def _named(wanted: str, limit: int) -> Select[tuple[UUID]]:
    c = customer.c
    return (
        select(c.id)
        .where(c.name_folded >= wanted, c.name_folded < wanted + _TOP)
        .order_by(c.name_folded, c.id)
        .limit(limit)
    )


def _containing(words: list[str], limit: int) -> Select[tuple[UUID]]:
    """Those whose text holds every word, whatever their order."""
    c = customer.c
    statement = select(c.id)
    for word in words:
        statement = statement.where(c.search_text.contains(word, autoescape=True))
    return statement.order_by(c.name_folded, c.id).limit(limit)


def _similar(wanted: str, limit: int) -> Select[tuple[UUID]]:
    """Those with a stretch of text like the query, so that a slip of the finger still finds (threshold 0.6)."""
    c = customer.c
    likeness = func.word_similarity(wanted, c.search_text)
    return (
        select(c.id)
        .where(c.search_text.bool_op("%>")(wanted))
        .order_by(likeness.desc(), c.name_folded, c.id)
        .limit(limit)
    )
