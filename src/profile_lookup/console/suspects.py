"""`/console/stores/{storeId}/suspects`: the profiles that may be several people."""

from fastapi import Response

from profile_lookup.console.dependencies import ReadPage
from profile_lookup.console.page_route import page_router
from profile_lookup.profiles.suspect_routes import list_suspects
from profile_lookup.web.dependencies import Snapshot
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp

router = page_router()


@router.get("/stores/{storeId}/suspects")
async def suspects(page: ReadPage, requested: DataPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot) -> Response:
    """Show the worst suspects first."""
    found = await list_suspects(page.rules, requested, tokens, snapshot)
    return await page.render("suspects.html", suspects=found.suspects, meta=found.meta)
