"""The words of a broken promise: where, what changed, and the way out."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]


class Effect(Enum):
    """What a change does to the values that a schema allows."""

    TIGHTER = "tighter"
    LOOSER = "looser"


@dataclass(frozen=True, slots=True)
class Use:
    """Who writes values of a schema and who reads them decides which changes break somebody."""

    forbidden: frozenset[Effect]
    way_out: str


ASKED = Use(frozenset({Effect.TIGHTER}), "accept what was accepted before, and take anything new as optional")
"""Clients of any age send it, we read it."""
ANSWERED = Use(frozenset({Effect.LOOSER}), "keep what clients rely on, and add another field beside it")
"""We send it, clients of any age read it."""


def kept(way_out: str) -> Use:
    """Old values stay and are read by new programs, new values by old programs: events."""
    return Use(frozenset(Effect), way_out)


@dataclass(frozen=True, slots=True)
class Broken:
    """One promise that a change would break."""

    pointer: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.what}. The way out: {self.way_out}."


def pointer_to(*parts: str) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)
