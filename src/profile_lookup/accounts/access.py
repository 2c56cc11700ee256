"""Who is calling? For what belongs to an account; what belongs to a store asks `stores/admission.py`."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from profile_lookup.accounts import queries
from profile_lookup.accounts.credentials import PresentedCredentials, Scope
from profile_lookup.database.pool import DatabaseOfApp
from profile_lookup.errors import ScopeMissing, Unauthenticated


@dataclass(frozen=True, slots=True)
class Caller:
    account_id: UUID
    scope: Scope

    def need_full_access(self) -> None:
        """Raises `ScopeMissing`; for routes with an ID in the path, once that is found."""
        if self.scope != "full":
            raise ScopeMissing


async def _verified_caller(credentials: PresentedCredentials, database: DatabaseOfApp) -> Caller:
    async with database.statements() as connection:
        found = await queries.verified(connection, credentials)
    if found is None:
        raise Unauthenticated
    return Caller(found.account_id, found.scope)


VerifiedCaller = Annotated[Caller, Depends(_verified_caller)]


async def _account_with_full_access(caller: VerifiedCaller) -> UUID:
    caller.need_full_access()
    return caller.account_id


AccountOfCaller = Annotated[UUID, Depends(_account_with_full_access)]
