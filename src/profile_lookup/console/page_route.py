"""The routes of pages. What goes wrong is shown as a page, too."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from profile_lookup.console.templating import html_page, root_of
from profile_lookup.errors import ProfileLookupError, ProfileMoved, StandbyLost, Unauthenticated
from profile_lookup.web import ids
from profile_lookup.web.contract import message_of
from profile_lookup.web.errors import logged_answer_to

_PREFIX = "/console"
_NOTHING_HERE = "Nothing is here. It may have been erased, or it never was in this store"
_JOINED_MEANWHILE = (
    "Nothing was changed, because this person became one with somebody else meanwhile. See who it is now."
)
_RETRY_AFTER = "retry-after"


class PageRoute(APIRoute):
    """Whoever is not signed in is led to the page that signs in; all other errors have a page that says what is wrong.

    A read from a standby that was lost is served again, as everywhere.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options | {"name": f"console.{endpoint.__name__}"})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except StandbyLost:
                raise
            except Unauthenticated:
                return _to_sign_in(request)
            except ProfileMoved as moved:
                return await _to_canonical(request, moved)
            except ProfileLookupError as error:
                answer = await logged_answer_to(request.scope, error)
                page = await error_page(request, answer.status_code, message_of(error))
                if _RETRY_AFTER in answer.headers:
                    page.headers[_RETRY_AFTER] = answer.headers[_RETRY_AFTER]
                return page
            except RequestValidationError:
                return await error_page(request, 400, "The address has a parameter that this page does not know")
            except HTTPException as error:
                return await error_page(request, error.status_code, error.detail)

        return handle_page


def page_router() -> APIRouter:
    """Return a router for pages below `/console`."""
    return APIRouter(prefix=_PREFIX, route_class=PageRoute, include_in_schema=False)


async def error_page(request: Request, status: int, message: str) -> Response:
    """Return the page of an error. It has the links at its top if the caller is signed in."""
    page = getattr(request.state, "page", None)
    phrase = HTTPStatus(status).phrase
    values = {"title": phrase.capitalize(), "message": _NOTHING_HERE if message == phrase else message}
    if page is not None:
        answer: Response = await page.render("error.html", status, **values)
        return answer
    return html_page("error.html", status, {"page": None, "root": root_of(request.scope["path"]), **values})


def _to_sign_in(request: Request) -> Response:
    """Return a redirect to the page that signs in, and from there back to a page that was opened by its address."""
    path = request.scope["path"]
    back = path.removeprefix(_PREFIX).strip("/") if request.method == "GET" else ""
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
