"""The caller, for resources of an account. For those of a store, see `stores/dependencies.py`."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security.http import HTTPBase

from profile_lookup.accounts import queries
from profile_lookup.accounts.credentials import Credentials, Scope, parse_basic
from profile_lookup.errors import ScopeMissing, Unauthenticated
from profile_lookup.web.connection import note_admission
from profile_lookup.web.dependencies import DatabaseOfApp

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


@dataclass(frozen=True, slots=True)
class Caller:
    account_id: UUID
    scope: Scope

    def need_full_access(self) -> None:
        """Raise `ScopeMissing` unless the scope is full. Routes with an ID in their path call it once that is found."""
        if self.scope != "full":
            raise ScopeMissing


async def _verified_caller(request: Request, credentials: PresentedCredentials, database: DatabaseOfApp) -> Caller:
    async with database.statements() as connection:
        found = await queries.verified(connection, credentials)
    if found is None:
        raise Unauthenticated
    note_admission(request.scope)
    return Caller(found.account_id, found.scope)


VerifiedCaller = Annotated[Caller, Depends(_verified_caller)]


async def _account_with_full_access(caller: VerifiedCaller) -> UUID:
    caller.need_full_access()
    return caller.account_id


AccountOfCaller = Annotated[UUID, Depends(_account_with_full_access)]
