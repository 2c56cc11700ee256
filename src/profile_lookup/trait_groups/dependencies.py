"""Parameters that the endpoints of trait groups share."""

from typing import Annotated

from fastapi import Depends, Path, Query

from profile_lookup.identity.trait_definitions import CONTACT, MAX_NAME

TraitGroupName = Annotated[
    str, Path(alias="traitGroupName", min_length=1, max_length=MAX_NAME, examples=[CONTACT.name])
]


def include_traits(*, default: bool) -> object:
    """Return the dependency that reads the query parameter `includeTraits`."""

    async def read(
        include_traits: Annotated[
            bool, Query(alias="includeTraits", description="Whether the answer contains the traits' definitions, too.")
        ] = default,
    ) -> bool:
        return include_traits

    return Depends(read)
