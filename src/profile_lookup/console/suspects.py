"""`/console/stores/{storeId}/suspects`: the profiles that may be several people."""

from uuid import UUID

from fastapi import Response

from profile_lookup.console.dependencies import ReadPage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.people import name_of
from profile_lookup.profiles import suspect_routes
from profile_lookup.profiles.people import fetch_profiles
from profile_lookup.web import ids
from profile_lookup.web.dependencies import Snapshot
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp

router = page_router()


@router.get("/stores/{storeId}/suspects")
async def list_suspects(
    page: ReadPage, requested: DataPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> Response:
    """Show the worst suspects first."""
    found = await suspect_routes.list_suspects(page.rules, requested, tokens, snapshot)
    profile_ids = dict.fromkeys(ids.decoded(each.profile_id) or UUID(int=0) for each in found.suspects)
    profiles = await fetch_profiles(snapshot, page.rules, list(profile_ids))
    page.note_profiles(profile_ids)
    names = {ids.profile_id(each.id): name_of(each.traits) for each in profiles}
    return await page.render("suspects.html", suspects=found.suspects, names=names, meta=found.meta)
