"""Addresses below `/console` without a page. Without this module, people would see the JSON that programs are sent."""

from fastapi import HTTPException, Response

from profile_lookup.console.dependencies import SignedIn
from profile_lookup.console.page_route import page_router

router = page_router()

_NO_PAGE = "There is no page at this address. Follow the links to the page that you look for"


@router.get("/{path:path}")
async def no_page(page: SignedIn, path: str) -> Response:
    """Lead from an address with a slash at its end to the one without. All others are unknown, or only take forms."""
    if path.endswith("/") or not path:
        return await page.redirect(page.address(path.strip("/")), page.session.notice)
    raise HTTPException(404, _NO_PAGE)
