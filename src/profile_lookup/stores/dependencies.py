"""Dependencies that return the store in the path, if the caller may use it."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Request

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.accounts.dependencies import PresentedCredentials
from profile_lookup.accounts.grants import needed_scope
from profile_lookup.errors import RequestRefused, StoreIdMalformed, StoreNotActive, StoreNotFound
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.dependencies import readmit_after_body, services_of
from profile_lookup.web.middleware.load_limits import note_admission
from profile_lookup.web.middleware.lost_standbys import is_repeated
from profile_lookup.web.redirects import is_followed

STORE_ERRORS = (StoreIdMalformed(), StoreNotFound(), StoreNotActive())
"""The errors that every operation on a store may answer, for its documentation."""

# The pattern is documented, not enforced, because FastAPI would refuse a malformed ID before wrong credentials.
StoreIdInPath = Annotated[
    str,
    Path(
        alias="storeId",
        description="The ID of the store. `mem_service_…` names the same store as `mem_store_…`.",
        json_schema_extra={"pattern": ids.STORE_ID_PATTERN},
        examples=[ids.EXAMPLE_STORE_ID],
    ),
]


async def admitted(
    request: Request, credentials: Credentials, store_id: str, refusal: RequestRefused | None = None
) -> StoreRules:
    """Return the store if the caller may use it, with the scope that the request needs.

    `refusal` says that another ID in the path is malformed. It is raised after the caller's credentials are verified.
    """
    needed = needed_scope(request.method, request.scope["route"].path)
    admit = partial(services_of(request.scope).admissions.admit, credentials, store_id, needed, refusal)
    is_counted = is_followed(request.scope) or is_repeated(request.scope)
    store = await admit(cost=0 if is_counted else 1)
    readmit_after_body(request.scope, partial(admit, cost=0))
    await note_admission(request.scope)
    return store


async def _store_in_path(request: Request, store_id: StoreIdInPath, credentials: PresentedCredentials) -> StoreRules:
    return await admitted(request, credentials, store_id)


StoreOfAccount = Annotated[StoreRules, Depends(_store_in_path)]
