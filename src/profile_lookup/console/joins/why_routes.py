"""`/console/stores/{storeId}/profiles/{profileId}/why`: why all this is one person."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from profile_lookup.console.dependencies import ReadPage
from profile_lookup.console.graph.texts import origin_of, written_by
from profile_lookup.console.joins.dependencies import ProfileInPath, fetch_explained_person
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import Refusal

router = page_router()


@router.get("/stores/{storeId}/profiles/{profileId}/why")
async def why(page: ReadPage, profile_id: ProfileInPath, joins: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """`joins` says up to which join the drawing is in full strength. All of them are, if it is left out."""
    return await show_why(page, profile_id, joins)


async def show_why(
    page: StorePage, profile_id: UUID, joins: int | None = None, refusal: Refusal | None = None
) -> Response:
    """Return the page, with the reason why the form of a split was refused, if it was."""
    explained = await fetch_explained_person(page, profile_id)
    number = len(explained.explanation.joins)
    return await page.render(
        "joins/why.html",
        refusal=refusal,
        explained=explained,
        drawing=explained.drawing,
        joins=explained.explanation.joins,
        shown=number if joins is None else min(joins, number),
        origin_of=origin_of,
        written_by=written_by,
    )
