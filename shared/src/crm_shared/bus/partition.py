"""Which partition a key belongs to: part of the bus's contract, the same in every adapter and every language.

The hash is the murmur2 of Apache Kafka's Java client (`org.apache.kafka.common.utils.Utils.murmur2`); librdkafka calls
it `murmur2_random` and doesn't use it by default.
"""

from functools import lru_cache
from struct import unpack_from

PARTITIONS = 12
"""Partitions of every topic. Never changed: re-hashing would break the order of keys."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The unsigned 32-bit hash of `data`."""
    length = len(data)
    h = _SEED ^ length
    words = length // 4
    for word in unpack_from(f"<{words}I", data):
        k = (word * _M) & _MASK
        k ^= k >> 24
        h = ((h * _M) & _MASK) ^ ((k * _M) & _MASK)
    tail = data[words * 4 :]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int = PARTITIONS) -> int:
    """The partition of a record's key."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
