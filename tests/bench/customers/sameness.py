"""Whether both sides do the same work: the same question gets the same answer."""

from typing import Any
from urllib.parse import quote

import httpx
from tests.bench.customers.filling import FAMILY
from tests.bench.customers.ground import Ground, Target
from tests.bench.customers.questions import PATH

from crm_shared.ids import public_id


async def ensure_same(ground: Ground) -> None:
    """Ask both the same few questions.

    Raises:
        RuntimeError: they answer differently.
    """
    family = FAMILY[7].lower()
    words = (family, family[2:9], family[:3] + family[4] + family[3] + family[5:])
    questions = [
        f"{PATH}/{public_id('cus', ground.few.crowd.ids[0])}",
        f"{PATH}?limit=5",
        *(f"{PATH}/search?limit=20&q={quote(word)}" for word in words),
    ]
    for question in questions:
        ours, theirs = await _answer(ground.few, question), await _answer(ground.reference, question)
        if ours != theirs:
            raise RuntimeError(f"{question}: {ours!r} here, {theirs!r} from the reference")


async def _answer(target: Target, question: str) -> Any:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{target.door.ports[0]}") as http:
        answer = await http.get(question, headers=target.headers())
    answer.raise_for_status()
    said = answer.json()
    said.pop("next_cursor", None)  # where the next page begins is each side's own affair
    return said
