"""The caller, and the API key in the path, for resources of an account. For a store's, see `stores/dependencies.py`."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.security.http import HTTPBase
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.accounts import keys, queries
from profile_lookup.accounts.credentials import Credentials, parse_basic
from profile_lookup.accounts.grants import Caller
from profile_lookup.database.pool import Database
from profile_lookup.errors import KeySidMalformed, Unauthenticated
from profile_lookup.identity.history.creation import Actor
from profile_lookup.web import ids
from profile_lookup.web.connection import CALLER
from profile_lookup.web.dependencies import DatabaseOfApp, Transaction, readmit_after_body, services_of
from profile_lookup.web.middleware.load_limits import note_admission

BASIC = Depends(
    HTTPBase(
        scheme="basic",
        scheme_name="basic",
        description="An API key's SID and secret, or an account's SID and auth token.",
        auto_error=False,
    )
)
"""Documents that an operation needs credentials. It does not read them; `parse_basic` does."""


async def _presented(request: Request, _documented: Annotated[object, BASIC]) -> Credentials:
    return parse_basic(request.headers.get("Authorization"))


PresentedCredentials = Annotated[Credentials, Depends(_presented)]


async def _requester(credentials: PresentedCredentials) -> Actor:
    return credentials.actor


Requester = Annotated[Actor, Depends(_requester)]
"""Whom events name as the one who asked. It does not verify the credentials."""


async def admitted_caller(request: Request, credentials: Credentials) -> Caller:
    """Return the caller, whose request then counts. Raises `Unauthenticated` or `TooManyRequests`."""
    services = services_of(request.scope)

    async def verify() -> Caller:
        return _unless_none(await queries.admitted_caller(services.database, credentials))

    caller = await verify()
    readmit_after_body(request.scope, verify)
    await note_admission(request.scope)
    request.scope["state"][CALLER] = credentials.sid
    limits = services.rate_limits
    limits.take(limits.buckets_of(credentials.sid, caller.account_id, caller.grant.rate_limit))
    services.last_use.note(credentials)
    return caller


async def _verified_caller(request: Request, credentials: PresentedCredentials) -> Caller:
    return await admitted_caller(request, credentials)


VerifiedCaller = Annotated[Caller, Depends(_verified_caller)]


def _unless_none(caller: Caller | None) -> Caller:
    if caller is None:
        raise Unauthenticated
    return caller


async def _manager(caller: VerifiedCaller) -> Caller:
    caller.need("manage")
    return caller


Manager = Annotated[Caller, Depends(_manager)]
"""A caller with the scope `manage`."""


async def locked_caller(transaction: AsyncConnection, credentials: Credentials) -> Caller:
    """Return the caller as it is within the transaction. Raises `Unauthenticated`."""
    return _unless_none(await queries.verified_caller(transaction, credentials, is_locked=True))


async def _locked_caller(credentials: PresentedCredentials, transaction: Transaction) -> Caller:
    return await locked_caller(transaction, credentials)


LockedCaller = Annotated[Caller, Depends(_locked_caller)]
"""The caller as it is within the transaction, until whose end its credentials stay as they are.

Whoever makes credentials needs it after the body, which may arrive long after the caller was admitted: credentials that
were revoked meanwhile must leave no others behind.
"""


async def _manager_of_all_stores(caller: Manager) -> Caller:
    caller.need_all_stores()
    return caller


AllStoresManager = Annotated[Caller, Depends(_manager_of_all_stores)]
"""A caller with the scope `manage` in all stores of the account."""


async def addressed_key(database: Database, caller: Caller, key_sid: str) -> Row[Any]:
    """Return the row of a key. Raises `KeySidMalformed`, `KeyNotFound` or `ScopeMissing`."""
    if not ids.is_well_formed(ids.KEY_SID_PATTERN, key_sid):
        raise KeySidMalformed
    async with database.statements() as connection:
        key = await keys.fetch_key(connection, caller.account_id, caller.grant, key_sid)
    caller.need("manage")
    return key


async def _addressed_key(
    key_sid: Annotated[
        str,
        Path(
            alias="keySid",
            description="The SID of the API key.",
            json_schema_extra={"pattern": ids.KEY_SID_PATTERN},
            examples=[ids.EXAMPLE_KEY_SID],
        ),
    ],
    caller: VerifiedCaller,
    database: DatabaseOfApp,
) -> Row[Any]:
    return await addressed_key(database, caller, key_sid)


AddressedKey = Annotated[Row[Any], Depends(_addressed_key)]
"""The row of the key in the path, for a caller who may see it and has the scope `manage`."""
