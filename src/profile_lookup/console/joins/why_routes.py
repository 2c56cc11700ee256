"""`/console/stores/{storeId}/profiles/{profileId}/why`: why all this is one person."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from profile_lookup.console.dependencies import PersonId, ReadPage
from profile_lookup.console.graph.texts import origin_of
from profile_lookup.console.joins.explained_person import ExplainedPerson
from profile_lookup.console.joins.join_list import MOST_LISTED
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import Refusal
from profile_lookup.history.queries import fetch_person

router = page_router()


@router.get("/stores/{storeId}/profiles/{profileId}/why")
async def why(page: ReadPage, person_id: PersonId, joins: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """`joins` says up to which join the drawing is in full strength. All of them are, if it is left out."""
    return await show_why(page, person_id, joins)


async def show_why(
    page: StorePage, person_id: UUID, joins: int | None = None, refusal: Refusal | None = None
) -> Response:
    """Return the page, with the reason why the form of a split was refused, if it was."""
    explained = await fetch_explained_person(page, person_id)
    number = len(explained.explanation.joins)
    return await page.render(
        "joins/why.html",
        refusal=refusal,
        explained=explained,
        drawing=explained.drawing,
        joins=explained.explanation.joins,
        most_listed=MOST_LISTED,
        shown=number if joins is None else min(joins, number),
        origin_of=origin_of,
    )


async def fetch_explained_person(page: StorePage, person_id: UUID) -> ExplainedPerson:
    """Return a person of the page's store and why it is one. Raises `ProfileMoved` or `ProfileNotFound`."""
    page.caller.need("read")  # a key that may only write is shown nobody
    async with page.services.database.snapshot() as connection:
        person = await fetch_person(connection, page.rules, person_id)
    # In a thread, since it takes some hundredths of a second for a large person.
    return await asyncio.to_thread(ExplainedPerson.of, page.rules.settings, person)
