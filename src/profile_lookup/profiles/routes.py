"""`/v1/Stores/{storeId}/Profiles`."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError

from profile_lookup.accounts.credentials import Credentials, PresentedCredentials
from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.errors import (
    IdentifierConflict,
    RequestRefused,
    StoreIdMalformed,
    StoreNotActive,
    StoreNotFound,
    TraitsRefused,
    TraitValueRefused,
    UnknownIdentifierType,
    ValueRefused,
)
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.traits import promoted_identifiers, read_traits
from profile_lookup.profiles import queries
from profile_lookup.profiles.ingest import ingest
from profile_lookup.profiles.lookup import KnownStores, look_up
from profile_lookup.profiles.wire import IdentifierBody, LookupAnswer, ProfileCreated, ProfileData
from profile_lookup.stores.admission import StoreIdInPath, StoreOfAccount, admit
from profile_lookup.web import ids
from profile_lookup.web.body import BodyLastRoute
from profile_lookup.web.openapi import answer, error_answers, request_example

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=BodyLastRoute)

_STORE_ERRORS = (StoreIdMalformed(), StoreNotFound(), StoreNotActive())
_CREATED = "Profile resolved and accepted for processing."


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
            *_STORE_ERRORS,
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

    Every write that was answered before is seen. An identifier that names nobody is not an error.
    """
    found = await look_up(database, known, credentials, store_id, body.to_domain())
    return LookupAnswer(
        normalized_value=found.normalized_value,
        profiles=[ids.profile_id(profile_id) for profile_id in found.profile_ids],
    )


@router.post(
    "",
    operation_id="CreateProfile",
    tags=["Profile"],
    summary="Create a profile, or update or merge those that its identifiers name",
    status_code=202,
    responses={
        202: answer(
            "Done and durable: a Lookup finds it from now on.", {"message": _CREATED, "id": ids.EXAMPLE_PROFILE_ID}
        ),
        **error_answers(
            RequestRefused("traits: Input should be a valid dictionary"),
            TraitsRefused("traits: expected 1-1500 values that are promoted to identifiers"),
            TraitValueRefused("Contact.phone", "expected at most 255 characters"),
            IdentifierConflict("phone"),
            *_STORE_ERRORS,
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
async def create_profile(store: StoreOfAccount, body: ProfileData, database: DatabaseOfApp) -> ProfileCreated:
    """At least one trait must be promoted to an identifier.

    If no profile has any of these identifiers, there is a new one; if one has, it is updated; if several have, they
    are one person, and merged into the earliest.
    """
    async with database.statements() as connection:
        groups = await queries.trait_groups(connection, store.id)
    traits = read_traits(groups, body.traits or {})
    incoming = promoted_identifiers(groups, store.settings, traits)
    profile_id = await ingest(database, store.id, store.settings, incoming, traits, datetime.now(UTC))
    return ProfileCreated(message=_CREATED, id=ids.profile_id(profile_id))
