"""The profile that a path names, for callers who may use its store."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from profile_lookup.accounts.dependencies import PresentedCredentials
from profile_lookup.errors import ProfileIdMalformed, ProfileNotFound
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath, admitted
from profile_lookup.stores.rules_cache import Store
from profile_lookup.web import ids

PROFILE_ERRORS = (*STORE_ERRORS, ProfileIdMalformed(), ProfileNotFound())
"""What every operation on a profile may answer, for its documentation."""

# As with the store's, the pattern is documented and not enforced.
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
    """A profile of a store that the caller may use. Whether it exists is not known yet."""

    store: Store
    id: UUID


async def _addressed(
    request: Request, store_id: StoreIdInPath, profile_id: ProfileIdInPath, credentials: PresentedCredentials
) -> AddressedProfile:
    is_well_formed = ids.is_well_formed(ids.PROFILE_ID_PATTERN, profile_id)
    store = await admitted(request, credentials, store_id, None if is_well_formed else ProfileIdMalformed())
    uuid = ids.decoded(profile_id)
    if uuid is None:
        raise ProfileNotFound
    return AddressedProfile(store, uuid)


ProfileOfStore = Annotated[AddressedProfile, Depends(_addressed)]
