"""Passwords: argon2id, in threads and never more than two at once, because each takes 19 MiB and 20 ms of a core."""

import asyncio
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DECOY = _HASHER.hash("compared with when there is no such user, so that both answers take as long")
_MOST_AT_ONCE = 2
_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


async def hash_password(password: str) -> str:
    """What is kept of a password."""
    async with _turn():
        return await asyncio.to_thread(_HASHER.hash, password)


async def password_matches(password: str, kept: str | None) -> bool:
    """Whether `password` is the one behind `kept`; None (no such user) takes as long and is always wrong."""
    async with _turn():
        right = await asyncio.to_thread(_verify, kept or _DECOY, password)
    return right and kept is not None


def _verify(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def _turn() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    return _turns.setdefault(loop, asyncio.Semaphore(_MOST_AT_ONCE))
