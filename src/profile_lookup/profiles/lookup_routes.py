"""`/v1/Stores/{storeId}/Profiles/Lookup`: the main job."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError

from profile_lookup.accounts.credentials import Credentials, PresentedCredentials
from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.errors import RequestRefused, UnknownIdentifierType, ValueRefused
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.profiles.lookup import KnownStores, look_up
from profile_lookup.profiles.wire import IdentifierBody, LookupAnswer
from profile_lookup.stores.admission import StoreIdInPath, admit
from profile_lookup.stores.routes import STORE_ERRORS
from profile_lookup.web import ids
from profile_lookup.web.body import BodyLastRoute
from profile_lookup.web.openapi import answer, error_answers, request_example

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=BodyLastRoute)


def _known_stores(request: Request) -> KnownStores:
    known: KnownStores = request.app.state.known_stores
    return known


async def _verified_by_lookup(
    store_id: StoreIdInPath, credentials: PresentedCredentials, database: DatabaseOfApp
) -> AsyncIterator[Credentials]:
    """The Lookup's own statement verifies these; here it is done for a body that FastAPI refuses before that."""
    try:
        yield credentials
    except RequestValidationError:
        async with database.statements() as connection:
            await admit(connection, credentials, store_id, "lookup")
        raise


@router.post(
    "/Lookup",
    operation_id="CreateProfilesLookup",
    tags=["Retrieval"],
    summary="Which profiles does this identifier name?",
    responses={
        200: answer(
            "The profiles found, possibly none",
            {"normalizedValue": "+13175556789", "profiles": [ids.EXAMPLE_PROFILE_ID]},
        ),
        **error_answers(
            RequestRefused("idType: Field required"),
            UnknownIdentifierType(DEFAULT_SETTINGS.id_types),
            ValueRefused("expected at most 255 characters"),
            *STORE_ERRORS,
            has_body=True,
        ),
    },
    openapi_extra=request_example({"idType": "phone", "value": "1-317-555-6789"}),
)
async def look_up_profiles(
    store_id: StoreIdInPath,
    credentials: Annotated[Credentials, Depends(_verified_by_lookup)],
    body: IdentifierBody,
    database: DatabaseOfApp,
    known: Annotated[KnownStores, Depends(_known_stores)],
) -> LookupAnswer:
    """The value is normalized by the store's identity resolution settings.

    The answer holds canonical profiles: the earliest ID where profiles were merged; earliest first, at most 100.

    Every write that was answered before is seen. An identifier that names nobody is not an error. Of a type whose
    `matchingAlgo` is `fuzzy`, profiles with a similar value are found too, the most similar first.
    """
    found = await look_up(database, known, credentials, store_id, body.to_domain())
    return LookupAnswer(
        normalized_value=found.normalized_value,
        profiles=[ids.profile_id(profile_id) for profile_id in found.profile_ids],
    )
