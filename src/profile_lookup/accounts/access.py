"""Who is calling? For operations of the account itself; those of a store ask `stores/admission.py`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from profile_lookup.accounts import queries
from profile_lookup.accounts.credentials import PresentedCredentials
from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.errors import ScopeMissing, Unauthenticated


async def _account_with_full_access(credentials: PresentedCredentials, database: DatabaseOfApp) -> UUID:
    async with database.statements() as connection:
        caller = await queries.verified(connection, credentials)
    if caller is None:
        raise Unauthenticated
    if caller.scope != "full":
        raise ScopeMissing
    account_id: UUID = caller.account_id
    return account_id


AccountOfCaller = Annotated[UUID, Depends(_account_with_full_access)]
