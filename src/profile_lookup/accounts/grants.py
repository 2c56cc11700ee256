"""Decides what callers may do: the scopes, what each is for, and the grant of a caller.

Scopes do not include each other. docs/access.md explains them.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import Row

from profile_lookup.clock import EARLIEST
from profile_lookup.errors import AccountTokenNeeded, AllStoresNeeded, ScopeMissing
from profile_lookup.token_buckets import RateLimit

Scope = Literal["lookup", "read", "write", "manage"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
ALL_SCOPES = frozenset(SCOPES)
FULL = "full"
"""Stands for all scopes in the database and in commands."""

MAX_NAME = 128
"""The most characters of a key's name."""

_CONTROL_PLANE = "/v1/ControlPlane/"
_READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Grant:
    """What credentials may do: by default everything, in all stores of the account."""

    scopes: frozenset[str] = ALL_SCOPES
    store_ids: frozenset[UUID] | None = None
    """None stands for all stores."""
    rate_limit: RateLimit | None = None
    expires_at: datetime | None = None

    @classmethod
    def of_row(cls, row: Row[Any]) -> "Grant":
        return cls.of_columns(row.scopes, row.store_ids, row.rate_per_second, row.rate_burst, row.expires_at)

    @classmethod
    def of_columns(
        cls,
        scopes: Iterable[str],
        store_ids: Iterable[UUID] | None,
        rate_per_second: float | None,
        rate_burst: int | None,
        expires_at: datetime | None,
    ) -> "Grant":
        """Return the grant of a credential's row."""
        stores = None if store_ids is None else frozenset(store_ids)
        return cls(frozenset(scopes), stores, RateLimit.of_columns(rate_per_second, rate_burst), expires_at)

    def includes(self, other: "Grant") -> bool:
        """Return whether `other` may do no more than this grant, and no longer."""
        return (
            other.scopes <= self.scopes
            and (self.store_ids is None or _is_within(other.store_ids, self.store_ids))
            and (self.rate_limit is None or _is_lower(other.rate_limit, self.rate_limit))
            and (self.expires_at is None or (other.expires_at is not None and other.expires_at <= self.expires_at))
        )


UNLIMITED = Grant()
"""Everything, in all stores of the account, for ever."""


def _is_within(store_ids: frozenset[UUID] | None, outer: frozenset[UUID]) -> bool:
    return store_ids is not None and store_ids <= outer


def _is_lower(limit: RateLimit | None, outer: RateLimit) -> bool:
    return limit is not None and limit.per_second <= outer.per_second and limit.burst <= outer.burst


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose credentials are right. `is_account_token`: they are the account's own SID and auth token."""

    account_id: UUID
    account_sid: str
    is_account_token: bool
    grant: Grant

    def need(self, scope: Scope) -> None:
        """Raise `ScopeMissing` if the grant lacks this scope. Routes with an ID in their path search it first."""
        if scope not in self.grant.scopes:
            raise ScopeMissing(scope)

    def need_all_stores(self) -> None:
        """Raise `AllStoresNeeded` if the key is for certain stores only."""
        if self.grant.store_ids is not None:
            raise AllStoresNeeded

    def need_account_token(self) -> None:
        """Raise `AccountTokenNeeded` if the caller uses an API key."""
        if not self.is_account_token:
            raise AccountTokenNeeded


def expiry_of(text: str) -> datetime | None:
    """Return the time that a text names, in UTC and whole seconds, or None if it is no time with its zone from 1970 on.

    asyncpg stores the first moment of the calendar as -infinity, and returns it without a zone: nothing can compare it.
    """
    with suppress(ValueError, OverflowError):  # the zone may move the first and the last day out of the calendar
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None and time >= EARLIEST:
            return time.astimezone(UTC).replace(microsecond=0)
    return None


def stored_scope(scopes: Iterable[str]) -> str:
    """Return the text that stands for these scopes in the database."""
    chosen = frozenset(scopes)
    return FULL if chosen == ALL_SCOPES else " ".join(scope for scope in SCOPES if scope in chosen)


def needed_scope(method: str, path: str) -> Scope:
    """Return the scope that a request needs, if it is not a lookup.

    The control plane needs `manage`; of the data plane, what reads needs `read`, and everything else `write`.
    """
    if path.startswith(_CONTROL_PLANE):
        return "manage"
    return "read" if method in _READING else "write"
