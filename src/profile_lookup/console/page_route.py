"""The routes of pages. Whoever is not signed in, or asks for a merged profile, is led elsewhere."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from profile_lookup.console.navigation import PREFIX
from profile_lookup.console.templating import root_of
from profile_lookup.errors import ProfileMoved, RequestRefused, Unauthenticated
from profile_lookup.web import ids

_UNKNOWN_PARAMETER = "The address has a parameter that this page does not know"
_JOINED_MEANWHILE = (
    "Nothing was changed, because this person became one with somebody else meanwhile. See who it is now."
)


class PageRoute(APIRoute):
    """Whoever is not signed in is led to the page that signs in. `error_page.py` shows all other errors."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options | {"name": f"console.{endpoint.__name__}"})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except Unauthenticated:
                return _to_sign_in(request)
            except ProfileMoved as moved:
                return await _to_canonical(request, moved)
            except RequestValidationError:
                raise RequestRefused(_UNKNOWN_PARAMETER) from None

        return handle_page


def page_router() -> APIRouter:
    """Return a router for pages below `/console`."""
    return APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)


def _to_sign_in(request: Request) -> Response:
    """Return a redirect to the page that signs in, and from there back to a page that was opened by its address."""
    path = request.scope["path"]
    back = path.removeprefix(PREFIX).strip("/") if request.method == "GET" else ""
    return RedirectResponse(f"{root_of(path)}console/sign-in{'?to=' * bool(back)}{back}", 303)


async def _to_canonical(request: Request, moved: ProfileMoved) -> Response:
    """Return a redirect to the same page of the canonical profile. A form changes nothing, and leads to the person."""
    if request.method != "GET":
        page = request.state.page
        answer: Response = await page.redirect(page.person_address(moved.canonical_id), _JOINED_MEANWHILE)
        return answer
    path = request.scope["path"]
    segments = path.split("/")
    segments[segments.index("profiles") + 1] = ids.profile_id(moved.canonical_id)
    return RedirectResponse(f"{root_of(path)}{'/'.join(segments[1:])}", 303)
