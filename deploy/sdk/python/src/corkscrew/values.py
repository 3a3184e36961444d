"""What is sent, and what comes back."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Omit(Enum):
    """The type of `OMIT`: an argument that isn't sent at all; `None` is sent, and empties a field."""

    OMIT = "omit"

    def __bool__(self) -> Literal[False]:
        return False


OMIT: Final = Omit.OMIT


class Model(BaseModel):
    """An answer. Fields that this version doesn't know yet are kept in `model_extra`, and readable as attributes."""

    model_config = ConfigDict(
        extra="allow", frozen=True, defer_build=True, protected_namespaces=(), populate_by_name=True
    )


class Page(Model, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None


PageKind = TypeVar("PageKind", bound=Page[Any])


class Versioned(Protocol):
    """Anything read from the API that has a version."""

    @property
    def version(self) -> int: ...


State = Versioned | int | str
"""Which state was seen: the object as it was read, its version, or an ETag."""


def etag(state: State) -> str:
    if isinstance(state, str):
        return state
    return f'"{state if isinstance(state, int) else state.version}"'


def given(**arguments: object) -> dict[str, object]:
    """The arguments that the caller gave; `from_` is how `from` is spelled in Python."""
    return {name.removesuffix("_"): value for name, value in arguments.items() if value is not OMIT}


def to_json(value: object) -> Any:
    """Decimals and instants travel as text; models travel as they came."""
    match value:
        case Decimal():
            return format(value, "f")
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True)
        case Mapping():
            return {key: to_json(each) for key, each in cast("Mapping[str, object]", value).items() if each is not OMIT}
        case Sequence() if not isinstance(value, str | bytes):
            return [to_json(each) for each in cast("Sequence[object]", value)]
        case _:
            return value


def to_query(arguments: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in arguments.items():
        several: Sequence[object] = [value]
        if isinstance(value, Sequence) and not isinstance(value, str):
            several = cast("Sequence[object]", value)
        for each in several:
            told = to_json(each)
            if told is not None:
                pairs.append((name, ("true" if told else "false") if isinstance(told, bool) else str(told)))
    return pairs
