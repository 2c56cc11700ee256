"""`POST /v1/Stores/{storeId}/Profiles/{profileId}/Splits`."""

from typing import Annotated, Any

from fastapi import APIRouter, Response, status

from profile_lookup.clock import CLOCK
from profile_lookup.errors import AlreadyUndone, JoinRefused, Outdated, RequestRefused
from profile_lookup.history.split_wire import SplitAnswer, SplitBody
from profile_lookup.history.splits import MOST_EVENTS, split_or_enqueue
from profile_lookup.identity.history.splitting import Split
from profile_lookup.operations.dependencies import QuotasOfApp, accepted
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.profiles.dependencies import PROFILE_ERRORS, ProfileOfStore
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, DatabaseOfApp, IfMatch
from profile_lookup.web.openapi import answer, error_answers, header, request_example
from profile_lookup.web.redirects import moved_answer
from profile_lookup.web.wire import OURS

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles/{profileId}/Splits", route_class=ContractRoute)

_DONE = "The joins are undone."
_WOULD_BE_DONE = "This is what would be left. Nothing was changed."
_ACCEPTED = "The split is accepted for processing."

_REQUEST_EXAMPLE: dict[str, Any] = {
    "events": [ids.EXAMPLE_EVENT_ID],
    "keepApart": True,
    "block": [{"idType": "email", "value": "office@acme.example"}],
    "dryRun": False,
}
_PARTS_EXAMPLE = [
    {
        "id": ids.EXAMPLE_PROFILE_ID,
        "isNew": False,
        "identifiers": [{"idType": "phone", "values": ["+14155552000"]}],
        "traits": {"Contact": {"firstName": "Ann", "phone": "+14155552000"}},
    }
]


def _example(message: str) -> dict[str, Any]:
    return {"message": message, "eventId": ids.EXAMPLE_EVENT_ID, "profiles": _PARTS_EXAMPLE}


@router.post(
    "",
    operation_id="SplitProfile",
    tags=["History"],
    summary="Undo joins of a profile",
    status_code=202,
    responses={
        200: answer("It was a dry run: this is what would be left.", _example(_WOULD_BE_DONE)) | {"model": SplitAnswer},
        202: answer(
            f"The split is done and durable. Or it is an operation, because the profile has more than {MOST_EVENTS:,} "
            "events: then the answer has a `statusUrl`.",
            _example(_DONE),
            {
                "Operation-Id": header("string", "The ID of the operation.", required=False, maxLength=512),
                "Location": header("string", "The address of the operation.", required=False, maxLength=512),
                "Retry-After": header("integer", "Seconds to wait before it is fetched.", required=False),
            },
        ),
        **moved_answer(308),
        **error_answers(
            RequestRefused("events: Field required"),
            JoinRefused(0, "an event of this profile"),
            JoinRefused(0, "a join: an event of kind merged or updated"),
            AlreadyUndone(0),
            *PROFILE_ERRORS,
            Outdated(),
            has_body=True,
        ),
    },
    openapi_extra=OURS | request_example(_REQUEST_EXAMPLE),
)
async def split(
    addressed: ProfileOfStore,
    body: Annotated[SplitBody, json_body(SplitBody)],
    database: DatabaseOfApp,
    quotas: QuotasOfApp,
    base_url: BaseUrl,
    response: Response,
    if_match: IfMatch = None,
) -> SplitAnswer | OperationAccepted:
    """The profile becomes what it would be if these joins had never happened **(ours)**.

    All later writes are replayed, each for the part that it was about. Nobody else is touched: what somebody else has
    by now stays there. With `block`, the values identify nobody any more, and an operation removes them from all other
    profiles.

    A profile with very many events is split by an operation, also by a dry run. Its `resultUrl` lists the profiles that
    are left, or would be.
    """
    store = addressed.store
    request = body.to_domain(addressed.actor, if_match)
    done = await split_or_enqueue(database, store, addressed.id, request, CLOCK.now(), quotas)
    if not isinstance(done, Split):
        return accepted(response, base_url, done, _ACCEPTED)
    if request.is_dry_run:
        response.status_code = status.HTTP_200_OK
    return SplitAnswer.of_domain(store.settings, _WOULD_BE_DONE if request.is_dry_run else _DONE, done)
