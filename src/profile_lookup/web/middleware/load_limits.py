"""Refuses requests for the framework's routes, before they are parsed, while too many are under way."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from profile_lookup.errors import Overloaded
from profile_lookup.overload import ConnectionTurn, LoadLimit, LoadLimits
from profile_lookup.web import connection
from profile_lookup.web.dependencies import services_of
from profile_lookup.web.errors import logged_answer_to

_BEGIN = "profile_lookup.begin_turn"  # the key, in a stranger's scope, of what counts the request once it is admitted

_TURN = "profile_lookup.turn"  # the key, in a request's scope, of its turn to use a connection of the pool


async def note_admission(scope: MutableMapping[str, Any]) -> None:
    """Note that a caller was admitted, and count the request if it was a stranger's until now. Raises `Overloaded`."""
    connection.note_admission(scope)
    begin = scope.pop(_BEGIN, None)
    if begin is not None:
        await begin()


@asynccontextmanager
async def without_turn(scope: MutableMapping[str, Any]) -> AsyncIterator[None]:
    """Let an admitted request wait for something else than the database in the block, without keeping others out.

    The block must use no connection of the pool.
    """
    turn: ConnectionTurn = scope[_TURN]
    async with turn.paused():
        yield


class LoadLimitMiddleware:
    """Counts requests by the class of their path. Health checks and pages of documentation are in no class.

    Of the framework's routes, a stranger's request counts from its admission on. Until then it uses no connection of
    the pool, and `serving/admission_turns.py` limits how many are under way, so strangers keep nobody out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(connection.ADMITTING_PATHS):
            await self._app(scope, receive, send)
            return
        limits = services_of(scope).load_limits
        limit = _limit_for(scope["path"], limits)
        try:
            if limit is limits.pooled:
                turn = ConnectionTurn(limit, limits.pooled_turns, is_late=connection.was_held_back(scope))
                async with turn:
                    scope[_TURN] = turn
                    if connection.is_strangers(scope):
                        scope[_BEGIN] = turn.begin
                    else:
                        await turn.begin()
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
