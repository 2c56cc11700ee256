"""The two cookies of the console. Scripts cannot read them, and no other site can have them sent."""

from fastapi import Request, Response

from profile_lookup.console.sessions import MAX_AGE, Session, Sessions
from profile_lookup.web.dependencies import base_url_of

SESSION = "profile_lookup_session"
VISIT = "profile_lookup_visit"
"""Identifies the browser while it shows the page that signs in: the token of that page's form is for it."""


async def set_session(request: Request, response: Response, sessions: Sessions, session: Session) -> None:
    """Write the session, which is idle from now on."""
    await _set(request, response, SESSION, sessions.to_cookie(session))


async def set_visit(request: Request, response: Response, visit_id: str) -> None:
    await _set(request, response, VISIT, visit_id)


def forget_session(response: Response) -> None:
    response.delete_cookie(SESSION, httponly=True, samesite="strict")


async def _set(request: Request, response: Response, name: str, value: str) -> None:
    # The path is not /console, because a proxy may serve it below some other path.
    is_secure = (await base_url_of(request.scope)).startswith("https:")
    max_age = int(MAX_AGE.total_seconds())
    response.set_cookie(name, value, max_age, httponly=True, samesite="strict", secure=is_secure)
