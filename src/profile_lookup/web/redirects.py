"""Redirects from a merged profile's ID to the canonical one: 301 for GET, else 308, which repeats method and body.

The origin stays the same, so that clients send their credentials again. The rest of the path and the query are kept.
"""

from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from profile_lookup.errors import ProfileMoved, RequestRefused
from profile_lookup.web import ids
from profile_lookup.web.dependencies import base_url_of
from profile_lookup.web.errors import answer_to
from profile_lookup.web.openapi import header
from profile_lookup.web.urls import EXAMPLE_BASE
from profile_lookup.web.wire import AnswerModel

CANONICAL_PROFILE_ID = "Canonical-Profile-Id"
MAX_URI = 2048

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
            "description": "The profile was merged into the canonical profile. Repeat the request there.",
            "headers": {
                CANONICAL_PROFILE_ID: header(
                    "string", "The ID of the canonical profile.", pattern=ids.PROFILE_ID_PATTERN
                ),
                "Location": header("string", "The address of the same request to the canonical profile.", format="uri"),
            },
            "content": {"application/json": {"example": {"message": "This resource has moved.", "uri": uri}}},
        }
    }


def install_redirects(app: FastAPI) -> None:
    app.add_exception_handler(ProfileMoved, _on_profile_moved)


async def _on_profile_moved(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProfileMoved)
    canonical_id = ids.profile_id(error.canonical_id)
    # The ID is found by its position in the decoded path: in the raw path, slashes may be percent-encoded.
    segments = [quote(segment, safe="") for segment in request.scope["path"].split("/")]
    segments[_PROFILE_ID] = canonical_id
    # A query may contain any bytes, and Latin-1 keeps each of them.
    query = request.scope["query_string"].decode("latin-1")
    try:
        uri = f"{await base_url_of(request.scope)}{'/'.join(segments)}{'?' * bool(query)}{query}"
    except RequestRefused as refused:
        return await answer_to(request.scope, refused)
    if len(uri) > MAX_URI:
        return await answer_to(request.scope, RequestRefused(f"Expected an address of at most {MAX_URI} characters"))
    return JSONResponse(
        Moved(message=str(error), uri=uri).model_dump(),
        301 if request.method == "GET" else 308,
        {"Location": uri, CANONICAL_PROFILE_ID: canonical_id},
    )
