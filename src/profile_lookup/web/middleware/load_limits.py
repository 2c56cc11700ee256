"""Refuses requests for the framework's routes, before they are parsed, while too many are under way."""

from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup.errors import Overloaded
from profile_lookup.overload import ConnectionTurn, LoadLimit, LoadLimits
from profile_lookup.web.connection import was_held_back
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.errors import logged_answer_to


class LoadLimitMiddleware:
    """Counts requests by the class of their path. Health checks and pages of documentation are in no class."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        limits = services_of(scope).load_limits
        limit = _limit_for(scope["path"], limits)
        try:
            if limit is limits.pooled:
                turn = ConnectionTurn(limit, limits.pooled_turns, is_late=was_held_back(scope))
                async with turn:
                    await self._app(scope, turn.interrupted(receive), send)
            else:
                with limit.counted():
                    await self._app(scope, receive, send)
        except Overloaded as error:  # the framework's handlers answer all errors that are raised inside
            answer = await logged_answer_to(scope, error)
            await answer(scope, receive, send)


def _limit_for(path: str, limits: LoadLimits) -> LoadLimit:
    if path.endswith("/Profiles/Bulk"):
        return limits.bulks
    return limits.uploads if path.startswith("/v1/Uploads/") else limits.pooled
