"""Which profile the path names, to who may have it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from profile_lookup.accounts.credentials import PresentedCredentials
from profile_lookup.database.pool import DatabaseOfApp
from profile_lookup.errors import ProfileIdMalformed, ProfileNotFound
from profile_lookup.stores.admission import Store, StoreIdInPath, admit
from profile_lookup.stores.routes import STORE_ERRORS
from profile_lookup.web import ids

PROFILE_ERRORS = (*STORE_ERRORS, ProfileIdMalformed(), ProfileNotFound())

# As with the store's: the pattern is told, not enforced.
ProfileIdInPath = Annotated[
    str,
    Path(
        alias="profileId",
        description="The profile. The ID of one that was merged leads to the canonical one.",
        json_schema_extra={"pattern": ids.PROFILE_ID_PATTERN},
        examples=[ids.EXAMPLE_PROFILE_ID],
    ),
]


@dataclass(frozen=True, slots=True)
class AddressedProfile:
    """Of a store that the caller may use; whether there is such a profile is not known yet."""

    store: Store
    id: UUID


async def _addressed(
    store_id: StoreIdInPath, profile_id: ProfileIdInPath, credentials: PresentedCredentials, database: DatabaseOfApp
) -> AddressedProfile:
    is_well_formed = ids.is_well_formed(ids.PROFILE_ID_PATTERN, profile_id)
    store = await admit(database, credentials, store_id, "full", None if is_well_formed else ProfileIdMalformed())
    uuid = ids.decoded(profile_id)
    if uuid is None:
        raise ProfileNotFound
    return AddressedProfile(store, uuid)


ProfileOfStore = Annotated[AddressedProfile, Depends(_addressed)]
