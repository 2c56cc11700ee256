"""The store that a path names, for callers who may use it."""

from typing import Annotated

from fastapi import Depends, Path, Request

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.dependencies import PresentedCredentials
from profile_lookup.errors import RequestRefused, StoreIdMalformed, StoreNotActive, StoreNotFound
from profile_lookup.stores.rules_cache import Store
from profile_lookup.web import ids
from profile_lookup.web.dependencies import services_of

STORE_ERRORS = (StoreIdMalformed(), StoreNotFound(), StoreNotActive())
"""What every operation on a store may answer, for its documentation."""

# The pattern is documented, not enforced: FastAPI would answer a malformed ID before wrong credentials.
StoreIdInPath = Annotated[
    str,
    Path(
        alias="storeId",
        description="The store. `mem_service_…` names the same store as `mem_store_…`.",
        json_schema_extra={"pattern": ids.STORE_ID_PATTERN},
        examples=[ids.EXAMPLE_STORE_ID],
    ),
]


async def admitted(
    request: Request, credentials: Credentials, store_id: str, refusal: RequestRefused | None = None
) -> Store:
    """Return the store if the caller has full access to it. `refusal` is what is wrong with another ID in the path."""
    return await services_of(request.scope).admissions.admit(credentials, store_id, "full", refusal)


async def _store_with_full_access(
    request: Request, store_id: StoreIdInPath, credentials: PresentedCredentials
) -> Store:
    return await admitted(request, credentials, store_id)


StoreOfAccount = Annotated[Store, Depends(_store_with_full_access)]
