"""One tenant's principal asking with another tenant's ids."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from tests.tenants.document import Operation, Path, put, sample
from tests.tenants.rows import tails_in
from tests.tenants.stage import Answer
from tests.tenants.world import World

_OURS = re.compile(rb'"(request_id|instance)":"[^"]*",?')
_ID = re.compile(rb"[a-z]+_[0-9a-v]{26}")


@dataclass(frozen=True)
class Crossing:
    """Beta, trying; `theirs` are the tails of all ids that only alpha has."""

    alpha: World
    beta: World
    theirs: frozenset[bytes]

    async def ask(self, operation: Operation, path: str, body: Any = None) -> Answer:
        """The operation at a filled path, as beta; a change says that beta saw the present state."""
        headers = {"if-match": await self._seen(path)} if "If-Match" in operation.parameters("header") else {}
        return await self.beta.stage.ask(operation.method, path, key=self.beta.admin, body=body, headers=headers)

    async def _seen(self, path: str) -> str:
        answer = await self.beta.stage.ask("GET", path, key=self.beta.admin)
        if answer.status == 405:  # a part that is only replaced: the whole has the version
            answer = await self.beta.stage.ask("GET", path.rpartition("/")[0], key=self.beta.admin)
        return answer.headers.get("etag", '"1"')

    def body_of(self, operation: Operation, place: Path = (), value: str | None = None) -> Any:
        """A valid body of beta's own that has `place` in it, perhaps with a value of somebody else's there."""
        if operation.body is None:
            return b"name\nsomebody\n" if operation.takes_file else None
        body = sample(operation.body, self.beta.ids, place)
        return body if value is None else put(body, place, value)

    def leak(self, answer: Answer, *sent: Any) -> str | None:
        """What of alpha's is in an answer and wasn't in the question."""
        said = b" ".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in sent)
        shown = (tails_in(answer.body) & self.theirs) - tails_in(said)
        if shown:
            return f"shows {min(shown).decode()}: {answer}"
        mark = self.alpha.mark.encode()
        return f"says {mark.decode()}: {answer}" if mark in answer.body and mark not in said else None


def statuses(answer: Answer) -> set[int]:
    """How it went; a bulk tells of each item."""
    return {item["status"] for item in answer.json()["items"]} if answer.status == 207 else {answer.status}


def same(answer: Answer, other: Answer, *said: tuple[str, str]) -> bool:
    """Whether two answers tell the same, whatever each of the two questions `said` at a place.

    Of a success only that it is one, for it tells of two different things.
    """
    if answer.status != other.status:
        return False
    body, expected = answer.body, other.body
    for here, there in said:
        body = body.replace(here.encode(), b"that")
        expected = expected.replace(there.encode(), b"that")
    return answer.status in {200, 201, 202, 204} or _bare(body) == _bare(expected)


def _bare(body: bytes) -> bytes:
    return _ID.sub(b"ID", _OURS.sub(b"", body))
