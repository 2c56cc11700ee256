"""The profile in the path of a page, and the person that it is."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from profile_lookup.console.joins.explained_person import ExplainedPerson
from profile_lookup.console.pages import StorePage
from profile_lookup.errors import ProfileNotFound
from profile_lookup.history.queries import fetch_person
from profile_lookup.profiles.dependencies import ProfileIdInPath
from profile_lookup.web import ids


async def _profile_id(profile_id: ProfileIdInPath) -> UUID:
    """Raises `ProfileNotFound` for an ID that no profile can have."""
    uuid = ids.decoded(profile_id)
    if uuid is None:
        raise ProfileNotFound
    return uuid


ProfileInPath = Annotated[UUID, Depends(_profile_id)]


async def fetch_explained_person(page: StorePage, profile_id: UUID) -> ExplainedPerson:
    """Return a person of the page's store and why it is one. Raises `ProfileMoved` or `ProfileNotFound`."""
    async with page.services.database.snapshot() as connection:
        person = await fetch_person(connection, page.rules, profile_id)
    # In a thread, since it takes a tenth of a second for a large person.
    return await asyncio.to_thread(ExplainedPerson.of, page.rules.settings, person)
