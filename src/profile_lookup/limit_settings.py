"""The settings that limit what clients may do, and what is kept of it."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from profile_lookup.token_buckets import HIGHEST_RATE, LOWEST_RATE, RateLimit


class LimitSettings(BaseSettings):
    """The limits are part of `settings.Settings`."""

    max_connections: Annotated[
        int,
        Field(
            ge=10,
            le=1_000_000,
            description="How many connections of clients each process that answers requests keeps. If there are more, "
            "those are ended on which nobody has been admitted. The limit on open files may allow fewer.",
        ),
    ] = 10_000
    max_strangers_per_address: Annotated[
        int,
        Field(
            ge=1,
            description="How many connections one address may have on which nobody has been admitted yet, in each "
            "process. Further ones are accepted, but have 2 seconds to send a request. Trusted proxies are exempt.",
        ),
    ] = 100
    max_operations_per_store: Annotated[
        int,
        Field(
            ge=1,
            description="How many operations of a store may be unfinished before requests that need another one are "
            "answered with 429.",
        ),
    ] = 100
    max_operations_per_account: Annotated[
        int, Field(ge=1, description="How many operations of all stores of an account may be unfinished, as above.")
    ] = 1000
    max_waiting_imports_per_store: Annotated[
        int,
        Field(
            ge=1,
            description="How many imports of a store may wait for their file before others are answered with 429. They "
            "do not count as unfinished operations until the file has arrived.",
        ),
    ] = 1000
    rate_limit_per_key: Annotated[
        float | None,
        Field(
            ge=LOWEST_RATE,
            le=HIGHEST_RATE,
            description="How many requests per second an API key, or an auth token, may send in the long run. A key "
            "may have a limit of its own instead. Unset: no limit.",
        ),
    ] = None
    rate_burst_per_key: Annotated[
        int | None,
        Field(
            ge=1,
            le=HIGHEST_RATE,
            description="How many requests it may send at once when it has sent none for a while. Unset: as many as in "
            "a second.",
        ),
    ] = None
    rate_limit_per_account: Annotated[
        float | None,
        Field(
            ge=LOWEST_RATE,
            le=HIGHEST_RATE,
            description="The same limit for all keys and tokens of an account together. Unset: no limit.",
        ),
    ] = None
    rate_burst_per_account: Annotated[
        int | None,
        Field(
            ge=1, le=HIGHEST_RATE, description="The requests that they may send at once. Unset: as many as in a second."
        ),
    ] = None
    failed_credentials_per_second: Annotated[
        float,
        Field(
            ge=0,
            le=HIGHEST_RATE,
            description="How many requests with wrong credentials per second are answered 401 to one address in the "
            "long run; more are answered 429. Right credentials are never refused by it. 0: no limit.",
        ),
    ] = 1.0
    failed_credentials_burst: Annotated[
        int, Field(ge=1, le=HIGHEST_RATE, description="How many such requests are answered 401 at once.")
    ] = 20
    history_days: Annotated[
        int,
        Field(
            ge=1,
            le=36_500,
            description="For how many days an event keeps what is needed to undo it. After that, it can still be seen.",
        ),
    ] = 400

    @property
    def limit_per_key(self) -> RateLimit | None:
        return _rate_limit(self.rate_limit_per_key, self.rate_burst_per_key)

    @property
    def limit_per_account(self) -> RateLimit | None:
        return _rate_limit(self.rate_limit_per_account, self.rate_burst_per_account)

    @property
    def failed_credentials_limit(self) -> RateLimit | None:
        return _rate_limit(self.failed_credentials_per_second or None, self.failed_credentials_burst)

    @field_validator("failed_credentials_per_second")
    @classmethod
    def _is_rate(cls, per_second: float) -> float:
        if 0 < per_second < LOWEST_RATE:
            raise ValueError(f"expected 0, or at least {LOWEST_RATE}")
        return per_second


def _rate_limit(per_second: float | None, burst: int | None) -> RateLimit | None:
    return None if per_second is None else RateLimit.of(per_second, burst)
