"""`POST /v1/Stores/{storeId}/Profiles`: what fills a store."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import Scope

from profile_lookup.accounts.credentials import presented_over_connection
from profile_lookup.database.pool import DatabaseOfApp
from profile_lookup.errors import (
    IdentifierConflict,
    RequestRefused,
    TraitsRefused,
    TraitValueRefused,
)
from profile_lookup.ingest.ingest import change_of, ingest
from profile_lookup.profiles.wire import ProfileCreated, ProfileData
from profile_lookup.stores.admission import StoreOfAccount
from profile_lookup.stores.routes import STORE_ERRORS
from profile_lookup.web import ids
from profile_lookup.web.body import BodyLastRoute, read_json
from profile_lookup.web.hot_route import LeanOperation
from profile_lookup.web.openapi import answer, error_answers, request_example

if TYPE_CHECKING:
    from profile_lookup.ingest.group_ingest import GroupIngest

_CREATED = "Profile resolved and accepted for processing."

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=BodyLastRoute)


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
async def create_profile(store: StoreOfAccount, body: ProfileData, database: DatabaseOfApp) -> ProfileCreated:
    """At least one trait must be promoted to an identifier.

    If no profile has any of these identifiers, there is a new one; if one has, it is updated; if several have, they
    are one person, and merged into the earliest.
    """
    profile_id = await ingest(database, store, partial(change_of, sent=body.traits or {}), datetime.now(UTC))
    return _created(profile_id)


def _created(profile_id: UUID) -> ProfileCreated:
    return ProfileCreated(message=_CREATED, id=ids.profile_id(profile_id))


async def create_leanly(scope: Scope, store_id: str, headers: dict[bytes, bytes], body: bytes) -> bytes | None:
    """What `create_profile` answers or raises, where nothing is odd; together with others of the same time."""
    requested_at = datetime.now(UTC)
    credentials = presented_over_connection(scope, headers.get(b"authorization", b""))
    try:  # traits may be anything: it is read as FastAPI reads it
        traits = ProfileData.model_validate(read_json(body)).traits or {}
    except (ValueError, RecursionError):  # a ValidationError is a ValueError
        return None
    group_ingest: GroupIngest = scope["app"].state.group_ingest
    read = partial(change_of, sent=traits)
    profile_id = await group_ingest.ingest(credentials, store_id, read, requested_at, len(body))
    return _created(profile_id).model_dump_json(by_alias=True).encode()


(_CREATE,) = (route for route in router.routes if isinstance(route, APIRoute))
LEAN = LeanOperation(_CREATE, create_leanly)
