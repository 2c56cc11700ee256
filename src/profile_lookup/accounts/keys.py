"""The API keys of an account, in SQL: what a caller may see of them, and what may change them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.grants import UNLIMITED, Grant, stored_scope
from profile_lookup.accounts.queries import inserted_credential
from profile_lookup.clock import CLOCK
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import account, credential, store
from profile_lookup.errors import KeyNotFound

KEYS_KEY = Key((credential.c.created_at, credential.c.sid))

_IS_KEY = credential.c.sid.not_in(select(account.c.sid))
"""The condition that credentials are an API key's, not an account's own."""


def keys_of(account_id: UUID, seen_by: Grant) -> Select[Any]:
    """Return the query for the keys of an account that a caller with this grant may see."""
    return select(credential).where(credential.c.account_id == account_id, _IS_KEY, _included_in(seen_by))


async def fetch_key(
    connection: AsyncConnection, account_id: UUID, seen_by: Grant, sid: str, *, is_locked: bool = False
) -> Row[Any]:
    """Return the row of a key, locked if so wanted. Raises `KeyNotFound`, also if the caller may not see the key."""
    query = keys_of(account_id, seen_by).where(credential.c.sid == sid)
    found: Row[Any] | None = (await connection.execute(query.with_for_update() if is_locked else query)).one_or_none()
    if found is None:
        raise KeyNotFound
    return found


async def add_key(
    connection: AsyncConnection, account_id: UUID, key: Credentials, *, name: str, grant: Grant = UNLIMITED
) -> None:
    """Save a new key with this grant."""
    values = {
        "sid": key.sid,
        "secret_sha256": key.secret_sha256,
        "name": name,
        "created_at": CLOCK.now(),
        **_grant_columns(grant),
    }
    await connection.execute(inserted_credential(account_id, values))


async def change_key(connection: AsyncConnection, locked: Row[Any], name: str, grant: Grant) -> None:
    """Change the name and the grant of a locked key."""
    await connection.execute(
        update(credential)
        .where(credential.c.sid == locked.sid)
        .values(name=name, version=locked.version + 1, **_grant_columns(grant))
    )


async def remove_key(connection: AsyncConnection, sid: str) -> bool:
    """Delete an API key, and return whether there was one."""
    removed = await connection.execute(delete(credential).where(credential.c.sid == sid, _IS_KEY))
    return removed.rowcount > 0


async def unknown_stores(connection: AsyncConnection, account_id: UUID, store_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these stores that the account does not have."""
    query = select(store.c.id).where(store.c.account_id == account_id, store.c.id.in_(store_ids))
    return set(store_ids) - set((await connection.execute(query)).scalars())


def _grant_columns(grant: Grant) -> dict[str, Any]:
    """Return the columns that hold a grant."""
    per_second, burst = grant.rate_limit or (None, None)
    return {
        "scope": stored_scope(grant.scopes),
        "store_ids": None if grant.store_ids is None else sorted(grant.store_ids),
        "rate_per_second": per_second,
        "rate_burst": burst,
        "expires_at": grant.expires_at,
    }


def _included_in(grant: Grant) -> ColumnElement[bool]:
    """Return the condition that a key may do no more than this grant, in scopes, stores and limits."""
    conditions = [credential.c.scopes.contained_by(sorted(grant.scopes))]
    if grant.store_ids is not None:
        # A null array is contained in none.
        conditions.append(func.coalesce(credential.c.store_ids.contained_by(sorted(grant.store_ids)), False))
    if grant.rate_limit is not None:
        conditions += [
            credential.c.rate_per_second <= grant.rate_limit.per_second,
            credential.c.rate_burst <= grant.rate_limit.burst,
        ]
    return and_(true(), *conditions)
