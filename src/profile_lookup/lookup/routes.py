"""`/v1/Stores/{storeId}/Profiles/Lookup`."""

from json.encoder import encode_basestring

from fastapi import APIRouter
from pydantic import ValidationError

from profile_lookup.accounts.credentials import parse_basic_cached
from profile_lookup.accounts.dependencies import BASIC
from profile_lookup.errors import RequestRefused, UnknownIdentifierType, ValueRefused
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.lookup.profile_lookup import LookupResult
from profile_lookup.lookup.wire import LookupAnswer
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath
from profile_lookup.web import ids
from profile_lookup.web.body import json_body, validated
from profile_lookup.web.connection import connection_cache, note_admission
from profile_lookup.web.hot_route import HotRequest, HotRoute
from profile_lookup.web.identifier_wire import IdentifierBody, StrictIdentifierBody
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

    async def read() -> Identifier:
        note_admission(request.scope)
        return _identifier_in(await request.json_body())

    found = await request.services.lookup.look_up(
        credentials, store_id, read, may_be_long=request.may_be_long, is_gone=request.is_gone
    )
    return serialized(found)


def _identifier_in(body: bytes) -> Identifier:
    """Return the identifier in a body. Raises `RequestRefused`."""
    try:
        return StrictIdentifierBody.model_validate_json(body).to_domain()
    except ValidationError:  # it has null members, or it is malformed
        return validated(IdentifierBody, body).to_domain()


def serialized(found: LookupResult) -> bytes:
    """Return the JSON of a `LookupAnswer`. It is the same as pydantic's, which takes several times as long."""
    profiles = ",".join([f'"{ids.profile_id(profile_id)}"' for profile_id in found.profile_ids])
    return f'{{"normalizedValue":{encode_basestring(found.normalized_value)},"profiles":[{profiles}]}}'.encode()
