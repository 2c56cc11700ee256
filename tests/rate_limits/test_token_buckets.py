"""Token buckets: what they give, when they give more, and how the table is shared among many names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.accounts.rate_limits import cost_of_batch
from profile_lookup.bucket_tables import BucketTables
from profile_lookup.errors import TooManyRequests
from profile_lookup.token_buckets import BUCKETS, RateLimit, TokenBucket, TokenBuckets

NOW = 1000.0


@pytest.fixture
def table() -> TokenBuckets:
    return BucketTables().callers


def takes(table: TokenBuckets, bucket: TokenBucket, now: float, cost: int = 1) -> int:
    """Take from the bucket until it refuses, and return how often it gave something."""
    for taken in range(1_000):
        if _wait_for(table, bucket, now, cost):
            return taken
    return pytest.fail("it never refuses")


def _wait_for(table: TokenBuckets, bucket: TokenBucket, now: float, cost: int = 1) -> int:
    """Return after how many seconds to retry; 0 if the tokens were taken."""
    try:
        table.take([bucket], now, cost)
    except TooManyRequests as refusal:
        return refusal.retry_after
    return 0


@pytest.mark.parametrize("burst", [1, 7, 500])
@pytest.mark.parametrize("per_second", [0.001, 1 / 3, 10, 1e5])
def test_a_bucket_gives_exactly_its_burst_at_once(table: TokenBuckets, per_second: float, burst: int) -> None:
    assert takes(table, TokenBucket("key", RateLimit(per_second, burst)), NOW) == burst


def test_a_bucket_is_refilled_continuously_and_not_by_the_second(table: TokenBuckets) -> None:
    bucket = TokenBucket("key", RateLimit(10, 5))
    takes(table, bucket, NOW)
    assert [takes(table, bucket, NOW + tenth / 10) for tenth in (1, 2, 3)] == [1, 1, 1]
    assert takes(table, bucket, NOW + 0.35) == 0
    assert takes(table, bucket, NOW + 0.6) == 3


def test_a_bucket_never_holds_more_than_its_burst(table: TokenBuckets) -> None:
    bucket = TokenBucket("key", RateLimit(10, 5))
    takes(table, bucket, NOW)
    assert takes(table, bucket, NOW + 3600) == 5


def test_what_is_refused_is_not_counted(table: TokenBuckets) -> None:
    bucket = TokenBucket("key", RateLimit(1, 2))
    takes(table, bucket, NOW)
    for _ in range(50):
        assert _wait_for(table, bucket, NOW) == 1
    assert takes(table, bucket, NOW + 1) == 1


def test_nothing_is_taken_from_one_bucket_if_another_refuses(table: TokenBuckets) -> None:
    of_key, of_account = TokenBucket("key", RateLimit(0.001, 5)), TokenBucket("account", RateLimit(0.001, 2))
    for _ in range(2):
        table.take([of_key, of_account], NOW)
    for _ in range(50):
        with pytest.raises(TooManyRequests):
            table.take([of_key, of_account], NOW)
    assert takes(table, of_key, NOW) == 3


@given(
    limit=st.builds(RateLimit, st.floats(0.001, 1e5), st.integers(1, 1_000)),
    before=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 30)), max_size=30),
    cost=st.integers(1, 2_000),
)
def test_a_client_that_waits_as_long_as_retry_after_says_is_served(
    limit: RateLimit, before: list[tuple[float, int]], cost: int
) -> None:
    table, bucket, now = BucketTables().callers, TokenBucket("key", limit), NOW
    for pause, each in before:
        now += pause
        _wait_for(table, bucket, now, each)
    wait = _wait_for(table, bucket, now, cost)
    if wait:
        assert _wait_for(table, bucket, now + wait, cost) == 0


@given(
    limit=st.builds(RateLimit, st.floats(0.01, 1_000), st.integers(1, 100)),
    requests=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), min_size=1, max_size=100),
)
def test_no_more_is_taken_than_the_burst_and_what_was_added(
    limit: RateLimit, requests: list[tuple[float, int]]
) -> None:
    """A cost above the burst may exceed that by itself, and is owed afterwards."""
    table, bucket, now, taken = BucketTables().callers, TokenBucket("key", limit), NOW, 0
    for pause, cost in requests:
        now += pause
        owed = max(0, cost - limit.burst)
        if _wait_for(table, bucket, now, cost) == 0:
            taken += cost
            assert taken <= limit.burst + owed + (now - NOW) * limit.per_second + 1e-3 * limit.per_second


def test_a_cost_above_the_burst_is_taken_from_a_full_bucket_and_owed(table: TokenBuckets) -> None:
    bucket = TokenBucket("key", RateLimit(1, 4))
    assert _wait_for(table, bucket, NOW, 10) == 0
    assert _wait_for(table, bucket, NOW) == 7
    assert _wait_for(table, bucket, NOW, 10) == 10
    assert _wait_for(table, bucket, NOW + 10, 10) == 0


def test_names_have_buckets_of_their_own(table: TokenBuckets) -> None:
    """Most of the places of a table that is half full are taken, so some names have to look for another one."""
    buckets = [TokenBucket(f"key {number}", RateLimit(0.001, 1)) for number in range(BUCKETS // 2)]
    assert sum(_wait_for(table, bucket, NOW) > 0 for bucket in buckets) == 0
    assert all(
        _wait_for(table, TokenBucket(f"key {number}", RateLimit(0.001, 1)), NOW) for number in range(BUCKETS // 2)
    )


def test_a_full_table_gives_away_the_buckets_that_are_full_soonest(table: TokenBuckets) -> None:
    lasting = [TokenBucket(f"lasting {number}", RateLimit(0.001, 1)) for number in range(BUCKETS // 8)]
    for bucket in lasting:
        table.take([bucket], NOW)
    for number in range(4 * BUCKETS):
        table.take([TokenBucket(f"fleeting {number}", RateLimit(1, 1))], NOW)
    assert all(_wait_for(table, bucket, NOW) for bucket in lasting)


def test_strangers_take_no_place_from_callers() -> None:
    tables, limit = BucketTables(), RateLimit(0.001, 1)
    of_key = TokenBucket("key", limit)
    tables.callers.take([of_key], NOW)
    for number in range(2 * BUCKETS):  # each is full later than the key's bucket, which would be given away first
        tables.addresses.take([TokenBucket(f"address {number}", limit)], NOW + 1)
    assert _wait_for(tables.callers, of_key, NOW)


def test_cleared_buckets_are_full() -> None:
    tables, bucket = BucketTables(), TokenBucket("key", RateLimit(0.001, 3))
    for table in (tables.callers, tables.addresses):
        takes(table, bucket, NOW)
    tables.clear()
    assert [takes(table, bucket, NOW) for table in (tables.callers, tables.addresses)] == [3, 3]


@pytest.mark.parametrize(("identifiers", "cost"), [(1, 1), (100, 1), (101, 2), (200, 2), (999, 10), (1000, 10)])
def test_a_batch_counts_as_a_request_per_hundred_identifiers_begun(identifiers: int, cost: int) -> None:
    assert cost_of_batch(identifiers) == cost
