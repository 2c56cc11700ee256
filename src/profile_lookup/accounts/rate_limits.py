"""How often the callers of an account may send requests: a limit per key, and one for all keys of an account together.

Only requests with right credentials count, so nobody else can use up a caller's limit.
"""

from time import monotonic
from uuid import UUID

from profile_lookup.settings import Settings
from profile_lookup.token_buckets import RateLimit, TokenBucket, TokenBuckets

_IDENTIFIERS_PER_REQUEST = 100

CallerBuckets = tuple[TokenBucket, ...]
"""The buckets from which a caller's requests are taken: none if it has no limit."""


def cost_of_batch(identifiers: int) -> int:
    """Return as how many requests a request with so many identifiers counts: one for every 100 begun."""
    return max(1, -(-identifiers // _IDENTIFIERS_PER_REQUEST))


class RateLimits:
    """The limits of all callers, by the settings and by the keys' own limits."""

    def __init__(self, settings: Settings, table: TokenBuckets) -> None:
        self._per_key = settings.limit_per_key
        self._per_account = settings.limit_per_account
        self._table = table

    def buckets_of(self, sid: str, account_id: UUID, own: RateLimit | None) -> CallerBuckets:
        """Return the buckets of a caller. `own` is the limit of its key, which takes precedence over the settings'."""
        of_key = own or self._per_key
        named = ((f"key {sid}", of_key), (f"account {account_id}", self._per_account))
        return tuple(TokenBucket(name, limit) for name, limit in named if limit is not None)

    def take(self, buckets: CallerBuckets, now: float | None = None, cost: int = 1) -> None:
        """Count a request of a caller. Raises `TooManyRequests`."""
        if buckets:
            self._table.take(buckets, now or monotonic(), cost)

    def count_as(self, buckets: CallerBuckets, cost: int) -> None:
        """Count a request, which counted as one when its caller was admitted, as `cost` requests instead.

        Raises `TooManyRequests`; then it counts as none.
        """
        if cost > 1:
            self._table.give_back(buckets)
            self.take(buckets, cost=cost)
