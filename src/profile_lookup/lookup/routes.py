"""`/v1/Stores/{storeId}/Profiles/Lookup`."""

from fastapi import APIRouter

from profile_lookup.accounts.credentials import parse_basic_cached
from profile_lookup.accounts.dependencies import BASIC
from profile_lookup.errors import RequestRefused, UnknownIdentifierType, ValueRefused
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.lookup.wire import LookupAnswer
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath
from profile_lookup.web import ids
from profile_lookup.web.body import json_body
from profile_lookup.web.connection import connection_cache, note_admission
from profile_lookup.web.hot_route import HotRequest, HotRoute
from profile_lookup.web.identifier_wire import IdentifierBody
from profile_lookup.web.openapi import answer, error_answers, request_example

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=HotRoute)


@router.post(
    "/Lookup",
    operation_id="CreateProfilesLookup",
    tags=["Retrieval"],
    summary="Which profiles does this identifier name?",
    dependencies=[BASIC, json_body(IdentifierBody)],
    response_model=LookupAnswer,
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
async def look_up_profiles(request: HotRequest, store_id: StoreIdInPath) -> bytes:
    """The value is normalized by the store's identity resolution settings.

    The answer contains at most 100 canonical profiles, the earliest first. If profiles were merged, the canonical one
    is the one with the earliest ID.

    A Lookup sees every write that was answered before. An identifier that names nobody is not an error. If the type's
    `matchingAlgo` is `fuzzy`, profiles with a similar value are found, too, and the most similar come first.
    """
    credentials = parse_basic_cached(connection_cache(request.scope), request.raw_headers.get(b"authorization", b""))
    if request.begun is not None:
        note_admission(request.scope)
        return await request.services.lookup.finish(credentials, store_id, request.json_body, request.begun)

    async def read() -> bytes:
        note_admission(request.scope)
        return await request.json_body()

    return await request.services.lookup.look_up(
        credentials, store_id, read, may_be_long=request.may_be_long, is_gone=request.is_gone
    )
