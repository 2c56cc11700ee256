"""The memory half of the API, which this service does not have: each of its addresses is answered with 404.

The answer says so, or a client would take it for the answer about a profile that was deleted.
"""

from typing import NoReturn

from fastapi import APIRouter

from profile_lookup.errors import MemoryHalfAbsent

_RESOURCES = ("Observations", "ConversationSummaries", "Recall")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles/{profileId}", include_in_schema=False)


async def _answer_that_it_is_absent() -> NoReturn:
    raise MemoryHalfAbsent


for _resource in _RESOURCES:
    for _path in (f"/{_resource}", f"/{_resource}/{{rest:path}}"):
        router.add_api_route(_path, _answer_that_it_is_absent, methods=_METHODS, response_model=None)
