"""`/v1/Stores/{storeId}/Profiles/Lookup`: the main job."""

from collections.abc import AsyncIterator
from json.encoder import encode_basestring
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.types import Scope

from profile_lookup.accounts.credentials import Credentials, PresentedCredentials, presented_over_connection
from profile_lookup.database.pool import DatabaseOfApp
from profile_lookup.errors import (
    IdentifierRefused,
    RequestRefused,
    Unauthenticated,
    UnknownIdentifierType,
    ValueRefused,
)
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.lookup.profile_lookup import LookupResult, ProfileLookup
from profile_lookup.profiles.wire import IdentifierBody, LeanIdentifierBody, LookupAnswer
from profile_lookup.serving.http_protocol import is_gone
from profile_lookup.stores.admission import StoreIdInPath, admit
from profile_lookup.stores.routes import STORE_ERRORS
from profile_lookup.web import ids
from profile_lookup.web.body import BodyLastRoute
from profile_lookup.web.hot_route import LeanOperation
from profile_lookup.web.openapi import answer, error_answers, request_example

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=BodyLastRoute)


async def _profile_lookup(request: Request) -> ProfileLookup:
    lookup: ProfileLookup = request.app.state.profile_lookup
    return lookup


async def _verified_by_lookup(
    store_id: StoreIdInPath, credentials: PresentedCredentials, database: DatabaseOfApp
) -> AsyncIterator[Credentials]:
    """The Lookup's own statement verifies these; here it is done for a body that FastAPI refuses before that."""
    try:
        yield credentials
    except RequestValidationError:
        await admit(database, credentials, store_id, "lookup")
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
    lookup: Annotated[ProfileLookup, Depends(_profile_lookup)],
) -> LookupAnswer:
    """The value is normalized by the store's identity resolution settings.

    The answer holds canonical profiles: the earliest ID where profiles were merged; earliest first, at most 100.

    Every write that was answered before is seen. An identifier that names nobody is not an error. Of a type whose
    `matchingAlgo` is `fuzzy`, profiles with a similar value are found too, the most similar first.
    """
    found = await lookup.look_up(credentials, store_id, body.to_domain())
    return LookupAnswer(
        normalized_value=found.normalized_value,
        profiles=[ids.profile_id(profile_id) for profile_id in found.profile_ids],
    )


async def look_up_leanly(scope: Scope, store_id: str, headers: dict[bytes, bytes], body: bytes) -> bytes | None:
    """What `look_up_profiles` answers, where nothing is odd."""
    lookup: ProfileLookup = scope["app"].state.profile_lookup
    try:
        credentials = presented_over_connection(scope, headers.get(b"authorization", b""))
        identifier = LeanIdentifierBody.model_validate_json(body).to_domain()
        store = lookup.known(credentials, store_id)
        found = None if store is None else await lookup.find(credentials, store, identifier, is_gone(scope))
    except (Unauthenticated, ValidationError, IdentifierRefused):
        return None
    return None if found is None else _written(found)


def _written(found: LookupResult) -> bytes:
    """A `LookupAnswer` as pydantic writes it, which takes several times as long."""
    profiles = ",".join([f'"{ids.profile_id(profile_id)}"' for profile_id in found.profile_ids])
    return f'{{"normalizedValue":{encode_basestring(found.normalized_value)},"profiles":[{profiles}]}}'.encode()


(_LOOKUP,) = (route for route in router.routes if isinstance(route, APIRoute))
LEAN = LeanOperation(_LOOKUP, look_up_leanly)
