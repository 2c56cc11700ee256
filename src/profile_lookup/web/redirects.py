"""Redirects from a merged profile's ID to the canonical one: 301 for GET, else 308, which repeats method and body.

The origin stays the same, so that clients send their credentials again. The rest of the path and the query are kept.

If `follow_merged` is set, the service follows the redirect itself, because some clients take a 308 for success. See
docs/decisions/0027-merged-profiles-may-be-followed.md.
"""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from profile_lookup.errors import ProfileMoved, RequestRefused
from profile_lookup.web import ids
from profile_lookup.web.dependencies import base_url_of, services_of
from profile_lookup.web.errors import answer_to
from profile_lookup.web.openapi import CANONICAL_PROFILE_ID, header
from profile_lookup.web.urls import EXAMPLE_BASE
from profile_lookup.web.wire import AnswerModel

MAX_URI = 2048

_IS_FOLLOWED = "profile_lookup.is_followed"  # a key of the scope

_PROFILE_ID = ["", "v1", "Stores", "{storeId}", "Profiles", "{profileId}"].index("{profileId}")


class Moved(AnswerModel):
    message: str = Field(max_length=255, examples=["This resource has moved."])
    uri: str = Field(max_length=MAX_URI, description="The address of the same request to the canonical profile.")


def moved_answer(status: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of the redirect, for `responses`: `status` is 301 for GET and 308 for other methods."""
    uri = f"{EXAMPLE_BASE}/v1/Stores/{ids.EXAMPLE_STORE_ID}/Profiles/{ids.EXAMPLE_PROFILE_ID}"
    return {
        status: {
            "model": Moved,
            "description": "The profile was merged into the canonical profile. Repeat the request there. If the "
            "operator has set `PROFILE_LOOKUP_FOLLOW_MERGED`, the service has done so already, and answers as the "
            f"canonical profile, with its ID in `{CANONICAL_PROFILE_ID}`.",
            "headers": {
                CANONICAL_PROFILE_ID: header(
                    "string", "The ID of the canonical profile.", pattern=ids.PROFILE_ID_PATTERN
                ),
                "Location": header("string", "The address of the same request to the canonical profile.", format="uri"),
            },
            "content": {"application/json": {"example": {"message": "This resource has moved.", "uri": uri}}},
        }
    }


def is_followed(scope: Scope) -> bool:
    """Return whether the request was served before, for a merged profile, and is now served for the canonical one."""
    return _IS_FOLLOWED in scope


def install_redirects(app: FastAPI) -> None:
    app.add_exception_handler(ProfileMoved, _on_profile_moved)


async def _on_profile_moved(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProfileMoved)
    canonical_id = ids.profile_id(error.canonical_id)
    segments = request.scope["path"].split("/")
    # The ID is found by its position in the decoded path: in the raw path, slashes may be percent-encoded.
    segments[_PROFILE_ID] = canonical_id
    if services_of(request.scope).settings.follow_merged:
        return _Followed("/".join(segments), canonical_id)
    return await _redirect(request, str(error), segments, canonical_id)


async def _redirect(request: Request, message: str, segments: list[str], canonical_id: str) -> Response:
    path = "/".join(quote(segment, safe="") for segment in segments)
    # A query may contain any bytes, and Latin-1 keeps each of them.
    query = request.scope["query_string"].decode("latin-1")
    try:
        uri = f"{await base_url_of(request.scope)}{path}{'?' * bool(query)}{query}"
    except RequestRefused as refused:
        return await answer_to(request.scope, refused)
    if len(uri) > MAX_URI:
        return await answer_to(request.scope, RequestRefused(f"Expected an address of at most {MAX_URI} characters"))
    return JSONResponse(
        Moved(message=message, uri=uri).model_dump(),
        301 if request.method == "GET" else 308,
        {"Location": uri, CANONICAL_PROFILE_ID: canonical_id},
    )


class _Followed(Response):
    """The answer to the same request for the canonical profile, with its ID in a header.

    If the canonical profile is merged in this very moment, that request is followed in turn.
    """

    def __init__(self, path: str, canonical_id: str) -> None:
        super().__init__()
        self.path = path
        self.canonical_id = canonical_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault(CANONICAL_PROFILE_ID, self.canonical_id)
            await send(message)

        await scope["app"].router({**scope, "path": self.path, _IS_FOLLOWED: True}, receive, send_with_id)
