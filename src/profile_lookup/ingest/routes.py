"""`POST /v1/Stores/{storeId}/Profiles`."""

from fastapi import APIRouter

from profile_lookup.accounts.credentials import parse_basic_cached
from profile_lookup.accounts.dependencies import BASIC
from profile_lookup.clock import CLOCK
from profile_lookup.errors import IdentifierConflict, RequestRefused, TraitsRefused, TraitValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.ingest.ingest import change_of
from profile_lookup.ingest.wire import ProfileCreated, ProfileData
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.body import json_body, validated
from profile_lookup.web.connection import connection_cache, note_admission
from profile_lookup.web.hot_route import HotRequest, HotRoute
from profile_lookup.web.openapi import answer, error_answers, request_example

_CREATED = "Profile resolved and accepted for processing."

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=HotRoute)


@router.post(
    "",
    operation_id="CreateProfile",
    tags=["Profile"],
    summary="Create a profile, or update or merge those that its identifiers name",
    status_code=202,
    dependencies=[BASIC, json_body(ProfileData)],
    response_model=ProfileCreated,
    responses={
        202: answer(
            "The write is done and durable, and a Lookup finds the profile from now on.",
            {"message": _CREATED, "id": ids.EXAMPLE_PROFILE_ID},
        ),
        **error_answers(
            RequestRefused("traits: Input should be a valid dictionary"),
            TraitsRefused("Traits are required to create a profile"),
            TraitsRefused("traits: expected 1-1500 values that are promoted to identifiers"),
            TraitValueRefused("Contact.phone", "expected at most 255 characters"),
            IdentifierConflict("phone"),
            *STORE_ERRORS,
            has_body=True,
        ),
    },
    openapi_extra=request_example(
        {
            "traits": {
                "Contact": {
                    "email": "Alyssa.Mock@example.com",
                    "phone": "+13175551234",
                    "lastName": "Mock",
                    "firstName": "Alyssa",
                }
            }
        }
    ),
)
async def create_profile(request: HotRequest, store_id: StoreIdInPath) -> bytes:
    """At least one trait must be promoted to an identifier.

    If no profile has any of these identifiers, a new one is created. If one has, it is updated. If several have, they
    are one person and merge into the earliest.
    """
    requested_at = CLOCK.now()
    services = request.services
    credentials = parse_basic_cached(connection_cache(request.scope), request.raw_headers.get(b"authorization", b""))
    # The group that the create is written with admits its caller again, before it parses any body.
    if request.may_be_long or services.admissions.known(credentials, store_id, "write") is None:
        await services.admissions.admit(credentials, store_id, "write")
    note_admission(request.scope)
    body = await request.json_body()

    def read(store: StoreRules) -> Change:
        return change_of(store, validated(ProfileData, body).traits or {})

    profile_id = await services.group_ingest.ingest(credentials, store_id, read, requested_at, len(body))
    created = ProfileCreated(message=_CREATED, id=ids.profile_id(profile_id))
    return created.model_dump_json(by_alias=True).encode()
