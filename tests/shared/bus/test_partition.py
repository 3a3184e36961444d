import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given
from hypothesis import strategies as st

from crm_shared.bus.kafka import partition_for
from crm_shared.bus.partition import PARTITIONS, murmur2, partition_of


# org.apache.kafka.common.utils.UtilsTest#testMurmur2, as signed 32-bit integers
@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_what_kafkas_own_tests_expect(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed % 2**32


@given(st.binary(max_size=200))
def test_murmur2_agrees_with_aiokafka(data: bytes) -> None:
    assert murmur2(data) == murmur2_of_aiokafka(data)


@given(st.text(max_size=80))
def test_both_adapters_choose_the_same_partition(key: str) -> None:
    assert partition_for(key.encode(), list(range(PARTITIONS)), []) == partition_of(key)


def test_keys_spread_over_all_partitions() -> None:
    used = [partition_of(f"tenant:{number}") for number in range(2_000)]
    assert min(used.count(partition) for partition in range(PARTITIONS)) > 100
