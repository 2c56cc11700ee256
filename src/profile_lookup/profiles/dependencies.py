"""Dependencies that return the profile in the path, if the caller may use its store."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from profile_lookup.accounts.dependencies import PresentedCredentials
from profile_lookup.errors import IdMalformed, ProfileNotFound
from profile_lookup.identity.history.creation import Actor
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreIdInPath, admitted
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

PROFILE_ERRORS = (*STORE_ERRORS, IdMalformed("profile"), ProfileNotFound())
"""The errors that every operation on a profile may answer, for its documentation."""

# As for the ID of the store, the pattern is documented, not enforced.
ProfileIdInPath = Annotated[
    str,
    Path(
        alias="profileId",
        description="The ID of the profile. The ID of a merged profile redirects to the canonical one.",
        json_schema_extra={"pattern": ids.PROFILE_ID_PATTERN},
        examples=[ids.EXAMPLE_PROFILE_ID],
    ),
]


@dataclass(frozen=True, slots=True)
class AddressedProfile:
    """The ID of a profile in a store that the caller, `actor`, may use. The profile need not exist."""

    store: StoreRules
    id: UUID
    actor: Actor


async def _addressed(
    request: Request, store_id: StoreIdInPath, profile_id: ProfileIdInPath, credentials: PresentedCredentials
) -> AddressedProfile:
    is_well_formed = ids.is_well_formed(ids.PROFILE_ID_PATTERN, profile_id)
    store = await admitted(request, credentials, store_id, None if is_well_formed else IdMalformed("profile"))
    uuid = ids.decoded(profile_id)
    if uuid is None:
        raise ProfileNotFound
    return AddressedProfile(store, uuid, credentials.actor)


ProfileOfStore = Annotated[AddressedProfile, Depends(_addressed)]
