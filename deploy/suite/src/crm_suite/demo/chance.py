"""Chance that repeats itself: the same question to the same seed has the same answer, whoever asks first."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

Option = TypeVar("Option")


class Chance:
    """Draws by hashing what the draw is about.

    A stream of random numbers would depend on the order in which concurrent answers arrive; this does not.
    """

    def __init__(self, seed: int) -> None:
        self._key = seed.to_bytes(8, "big", signed=True)

    def share(self, *about: object) -> float:
        """A number from 0 up to, not including, 1."""
        text = "\x1f".join(map(str, about)).encode()
        return int.from_bytes(blake2b(text, key=self._key, digest_size=7).digest(), "big") / 2**56

    def happens(self, probability: float, *about: object) -> bool:
        return self.share(*about) < probability

    def choose(self, options: Sequence[Option], *about: object) -> Option:
        return options[int(self.share(*about) * len(options))]

    def number(self, lowest: int, highest: int, *about: object) -> int:
        """A whole number from `lowest` to `highest`, both included."""
        return lowest + int(self.share(*about) * (highest - lowest + 1))
