"""The words that customers' names are made of: what a slip of the finger may have meant.

Names grow in number, their words hardly do. A word is learned in the transaction that gives it to a customer. It is
forgotten in one of its own, when nobody is writing: only then is it sure that nobody has it.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ARRAY, Text, bindparam, delete, func, literal_column, select, text
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import insert

from crm_customer.parties.store.rows import NAME_WORD
from crm_customer.parties.tables import contact_key, name_word
from crm_shared.db.due import schedule
from crm_shared.db.pool import Tx
from crm_shared.db.statements import any_param
from crm_shared.ids import new_id

WORDS_LOST = "parties.words-lost"
LEARN = (
    insert(name_word)
    .from_select(
        ["tenant_id", "word"],
        select(bindparam("tenant_id", type_=SqlUuid()), func.unnest(bindparam("words", type_=ARRAY(Text())))),
    )
    .on_conflict_do_nothing()
)
"""Words come in their order, so that two who bring the same new ones wait for each other at most once."""
_borne = (
    select(contact_key.c.customer_id)
    .where(contact_key.c.channel == literal_column(f"'{NAME_WORD}'"), contact_key.c.folded == name_word.c.word)
    .correlate(name_word)
    .exists()
)
_ORPHANED = select(name_word.c.word).where(any_param(name_word.c.word, "words"), ~_borne)
_FORGET = delete(name_word).where(any_param(name_word.c.word, "words"), ~_borne)
# Whoever learns holds a lock on the table that this one waits for, for so long at most; then the work is tried again.
_WHEN_NOBODY_WRITES = (
    text("SET LOCAL lock_timeout = '500ms'"),
    text("LOCK TABLE name_word IN SHARE ROW EXCLUSIVE MODE"),
    text("SET LOCAL lock_timeout TO DEFAULT"),
)


async def learn(tx: Tx, words: Iterable[str]) -> None:
    """Keep words that customers have been given."""
    await tx.run(LEARN, {"tenant_id": tx.tenant, "words": sorted(set(words))})


async def doubt(tx: Tx, words: Iterable[str], *, now: datetime) -> None:
    """Have words forgotten that customers have lost, unless others have them."""
    lost = sorted(set(words))
    if lost:
        await schedule(tx, WORDS_LOST, key=str(new_id()), due_at=now, payload={"words": lost})


async def forget(tx: Tx, words: Iterable[str]) -> None:
    """Drop those of these words that no customer has."""
    orphaned = [row["word"] for row in await tx.all(_ORPHANED, {"words": sorted(set(words))})]
    if orphaned:
        for statement in _WHEN_NOBODY_WRITES:
            await tx.run(statement)
        await tx.run(_FORGET, {"words": orphaned})
