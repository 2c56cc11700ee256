"""What a caller does to the API keys of its account: make one, change one.

The caller's credentials are locked (`queries.verified_caller`) until the transaction ends.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts import keys
from profile_lookup.accounts.credentials import Credentials, digest, new_key_sid, new_secret
from profile_lookup.accounts.grants import UNLIMITED, Caller, Grant
from profile_lookup.accounts.wire import KeyPatch, KeyRequest, NewKey
from profile_lookup.errors import GrantExceeded, RequestRefused
from profile_lookup.web.etags import etag, refuse_outdated

UNKNOWN_STORE = RequestRefused("storeIds: expected stores of this account")


async def make_key(connection: AsyncConnection, caller: Caller, request: KeyRequest) -> NewKey:
    """Make a key, and return it with its secret, which is saved nowhere.

    Raises `ScopeMissing`, `AccountTokenNeeded`, `GrantExceeded` or `RequestRefused`.
    """
    caller.need("manage")
    grant = request.to_domain()
    if grant.store_ids is None:
        caller.need_account_token()
    await _refuse_beyond(connection, caller, grant, grant.store_ids)
    sid, secret = new_key_sid(), new_secret()
    await keys.add_key(connection, caller.account_id, Credentials(sid, digest(secret)), name=request.name, grant=grant)
    row = await keys.fetch_key(connection, caller.account_id, UNLIMITED, sid)
    return NewKey.of_row(row, secret=secret)


async def patch_key(
    connection: AsyncConnection, caller: Caller, sid: str, patch: KeyPatch, if_match: str | None
) -> Row[Any]:
    """Change a key, and return its row.

    Raises `ScopeMissing`, `KeyNotFound`, `Outdated`, `AccountTokenNeeded`, `GrantExceeded` or `RequestRefused`.
    """
    caller.need("manage")
    key = await keys.fetch_key(connection, caller.account_id, caller.grant, sid, is_locked=True)
    refuse_outdated(if_match, etag(key.version, key.created_at))
    before = Grant.of_row(key)
    grant = patch.grant_after(before)
    if grant != before:
        if grant.store_ids is None and before.store_ids is not None:
            caller.need_account_token()
        added = grant.store_ids and grant.store_ids - (before.store_ids or frozenset())
        await _refuse_beyond(connection, caller, grant, added)
    await keys.change_key(connection, key, patch.name_after(key.name), grant)
    return await keys.fetch_key(connection, caller.account_id, caller.grant, key.sid)


async def _refuse_beyond(
    connection: AsyncConnection, caller: Caller, grant: Grant, added: frozenset[UUID] | None
) -> None:
    """Refuse a grant that the caller may not give to a key. `added` are the stores that the key did not have before.

    Raises `GrantExceeded`, or `RequestRefused` if a store is not of this account.
    """
    if not caller.grant.includes(grant):
        raise GrantExceeded
    if await keys.unknown_stores(connection, caller.account_id, list(added or ())):
        raise UNKNOWN_STORE
