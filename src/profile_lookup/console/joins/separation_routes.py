"""`/console/stores/{storeId}/profiles/{profileId}/separations`: who is kept apart from a person, and how that ends."""

from uuid import UUID

from fastapi import Response

from profile_lookup.clock import CLOCK
from profile_lookup.console.dependencies import ReadPage, WritePage
from profile_lookup.console.graph.texts import full_name
from profile_lookup.console.joins.dependencies import ProfileInPath
from profile_lookup.console.page_route import page_router
from profile_lookup.errors import SeparationNotFound
from profile_lookup.history.queries import fetch_person
from profile_lookup.history.separations import lift_separation, separations_of
from profile_lookup.web import ids
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp, fetch_page

router = page_router()


@router.get("/stores/{storeId}/profiles/{profileId}/separations")
async def separations(
    page: ReadPage, profile_id: ProfileInPath, listed: DataPlanePage, tokens: PageTokensOfApp
) -> Response:
    """Show from whom a profile is kept apart, the newest separation first."""
    async with page.services.database.snapshot() as connection:
        person = await fetch_person(connection, page.rules, profile_id)
        query, key = await separations_of(connection, page.rules, profile_id)
        scope = ("separations", str(page.rules.id), str(profile_id))
        found = await fetch_page(connection, query, key, listed, tokens, *scope)
    name = full_name(person.profile)
    return await page.render("joins/separations.html", person=person, name=name, rows=found.rows, meta=found.meta)


@router.post("/stores/{storeId}/profiles/{profileId}/separations/lift")
async def lift(page: WritePage, profile_id: ProfileInPath) -> Response:
    """Let two profiles become one person again, if a later write says that they are."""
    other_id = ids.decoded(page.form.text("otherProfileId")) or UUID(int=0)
    address = page.store_address(f"profiles/{ids.profile_id(profile_id)}/separations")
    try:
        await lift_separation(page.services.database, page.rules, profile_id, other_id, CLOCK.now())
    except SeparationNotFound:
        return await page.redirect(address, "The two were not kept apart any more.")
    return await page.redirect(address, "The two may become one person again.")
