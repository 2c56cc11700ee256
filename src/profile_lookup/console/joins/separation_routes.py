"""`/console/stores/{storeId}/profiles/{profileId}/separations`: who is kept apart from a person, and how that ends."""

from uuid import UUID

from fastapi import Response

from profile_lookup.clock import CLOCK
from profile_lookup.console.dependencies import PersonId, ReadPage, WritePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.people import name_of
from profile_lookup.errors import SeparationNotFound
from profile_lookup.history.separations import lift_separation, separations_of
from profile_lookup.profiles.people import fetch_profiles
from profile_lookup.profiles.queries import fetch_profile
from profile_lookup.web import ids
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp, fetch_page

router = page_router()


@router.get("/stores/{storeId}/profiles/{profileId}/separations")
async def separations(page: ReadPage, person_id: PersonId, listed: DataPlanePage, tokens: PageTokensOfApp) -> Response:
    """Show from whom a profile is kept apart, the newest separation first."""
    async with page.services.database.snapshot() as connection:
        await fetch_profile(connection, page.rules, person_id)
        query, key = await separations_of(connection, page.rules, person_id)
        scope = ("separations", str(page.rules.id), str(person_id))
        found = await fetch_page(connection, query, key, listed, tokens, *scope)
        page.note_profiles(row.profile_id for row in found.rows)
        shown = await fetch_profiles(connection, page.rules, [person_id, *(row.profile_id for row in found.rows)])
    return await page.render(
        "joins/separations.html",
        id=person_id,
        rows=found.rows,
        names={each.id: name_of(each.traits) for each in shown},
        meta=found.meta,
    )


@router.post("/stores/{storeId}/profiles/{profileId}/separations/lift")
async def lift(page: WritePage, person_id: PersonId) -> Response:
    """Let two profiles become one person again, if a later write says that they are."""
    other_id = ids.parsed(ids.PROFILE_ID_PATTERN, page.form.text("otherProfileId")) or UUID(int=0)
    address = page.person_address(person_id, "separations")
    try:
        await lift_separation(page.services.database, page.rules, person_id, other_id, CLOCK.now())
    except SeparationNotFound:
        return await page.redirect(address, "The two were not kept apart any more.")
    return await page.redirect(address, "The two may become one person again.")
