"""Serves a read once more, from the primary, if a standby was lost while it was served."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from profile_lookup.database.standbys.standby_reads import reads_from_primary
from profile_lookup.errors import StandbyLost

_IS_REPEATED = "profile_lookup.is_repeated"  # a key of the scope


def is_repeated(scope: Scope) -> bool:
    """Return whether the request is served once more, since a standby was lost."""
    return _IS_REPEATED in scope


def install_repeated_reads(app: Starlette) -> None:
    app.add_exception_handler(StandbyLost, _on_standby_lost)


async def _on_standby_lost(_request: Request, _error: Exception) -> Response:
    return _Repeated()


class _Repeated(Response):
    """The answer to the same request, with all reads from the primary."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with reads_from_primary():
            await scope["app"].router({**scope, _IS_REPEATED: True}, receive, send)
