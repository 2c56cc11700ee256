"""Token buckets in memory that the processes of one service share, for limits on how often something may happen.

A bucket holds up to `burst` tokens and is refilled continuously, by `per_second`. It is stored as one number: the time
at which it will be full (the theoretical arrival time of GCRA, the generic cell rate algorithm). The clock is the
machine's monotonic one, which shows all its processes the same time.

Memory is bounded: a bucket has one of 16 places, which its name decides. If all of them are taken, the one that will be
full soonest is given away; one that is full already loses nothing by that. Nothing is locked: if two processes take
from a bucket in the same fraction of a microsecond, one of the two may not be counted.
See docs/decisions/0035-rate-limits.md.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import ceil
from typing import NamedTuple

from profile_lookup.errors import TooManyRequests

BUCKETS = 1 << 15
"""The number of buckets of a table, a power of two."""
TABLE_SIZE = BUCKETS * 16  # bytes: each bucket has the hash of its name and a time
LOWEST_RATE, HIGHEST_RATE = 0.001, 1_000_000  # per second, of any limit that can be set
"""The limits of a key's limit: of the requests per second, and the highest one also of those at once."""
_PROBES = 16  # places that a bucket may have
_EPSILON = 1e-7  # seconds; nobody waits because of rounding


class RateLimit(NamedTuple):
    """How many tokens are added to a bucket in a second, and how many it holds."""

    per_second: float
    burst: int

    @classmethod
    def of(cls, per_second: float, burst: int | None) -> "RateLimit":
        """Return a limit. Without `burst`, as many may come at once as in a second, and at least one."""
        return cls(per_second, burst or ceil(per_second))

    @classmethod
    def of_columns(cls, per_second: float | None, burst: int | None) -> "RateLimit | None":
        """Return the limit in a row of `credential`, or None if it has none."""
        return None if per_second is None or burst is None else cls(per_second, burst)


class TokenBucket:
    """One bucket of a table: a hash, its limit, and the place that it had last.

    With another limit it is another bucket, and full, because what was used of one limit says nothing about another.
    """

    __slots__ = ("hash", "interval", "place", "refill")

    def __init__(self, name: str, limit: RateLimit) -> None:
        self.hash = int.from_bytes(blake2b(f"{name} {limit}".encode(), digest_size=8).digest()) or 1
        self.interval = 1 / limit.per_second  # seconds until one token is added
        self.refill = limit.burst * self.interval  # seconds until an empty bucket is full
        self.place = self.hash % BUCKETS


class TokenBuckets:
    """A table of buckets. A bucket that nobody has taken from is full, and takes no place."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._hashes = memory[: TABLE_SIZE // 2].cast("Q")
        self._full_at = memory[TABLE_SIZE // 2 :].cast("d")

    def take(self, buckets: Sequence[TokenBucket], now: float, cost: int = 1) -> None:
        """Take `cost` tokens from each bucket, or none from any. Raises `TooManyRequests`.

        `now` is the time of the machine's monotonic clock, in seconds. A cost that is larger than a bucket is taken
        when the bucket is full, which then owes the rest.
        """
        hashes, full_at = self._hashes, self._full_at
        wait = _EPSILON
        for bucket in buckets:
            place = bucket.place
            if hashes[place] != bucket.hash:
                place = bucket.place = self._place_of(bucket.hash, now)
            missing = full_at[place] - now  # seconds until it is full
            if missing > 0:
                needed = min(cost * bucket.interval, bucket.refill) if cost > 1 else bucket.interval
                wait = max(wait, missing + needed - bucket.refill)
        if wait > _EPSILON:
            raise TooManyRequests(ceil(wait))
        for bucket in buckets:
            place, taken = bucket.place, cost * bucket.interval
            full_at[place] = full_at[place] + taken if full_at[place] > now else now + taken

    def give_back(self, buckets: Sequence[TokenBucket]) -> None:
        """Return one token to each bucket from which a request has just taken one."""
        for bucket in buckets:
            if self._hashes[bucket.place] == bucket.hash:  # a bucket that lost its place meanwhile is full
                self._full_at[bucket.place] -= bucket.interval

    def clear(self) -> None:
        """Make all buckets full."""
        self._memory[:] = bytes(TABLE_SIZE)

    def close(self) -> None:
        """Release the memory, which cannot be closed before."""
        for view in (self._hashes, self._full_at, self._memory):
            view.release()

    def _place_of(self, name_hash: int, now: float) -> int:
        """Return the place of a bucket, and give it one if it has none."""
        step = name_hash >> 32 | 1  # neighbours have other steps, so taken places do not gather
        places = [(name_hash + step * number) % BUCKETS for number in range(_PROBES)]
        for place in places:
            if self._hashes[place] == name_hash:
                return place
        place = min(places, key=self._full_at.__getitem__)
        self._full_at[place] = now
        self._hashes[place] = name_hash
        return place
