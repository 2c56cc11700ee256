"""`/v1/Stores/{storeId}/Profiles/{profileId}/Separations`."""

from typing import Annotated

from fastapi import APIRouter, Path

from profile_lookup.clock import CLOCK
from profile_lookup.errors import IdMalformed, PageTokenRefused, RequestRefused, SeparationNotFound
from profile_lookup.history.separations import lift_separation, separations_of
from profile_lookup.history.split_wire import SeparationAnswer, SeparationList
from profile_lookup.profiles import queries
from profile_lookup.profiles.dependencies import PROFILE_ERRORS, ProfileOfStore
from profile_lookup.profiles.wire import Accepted
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import DatabaseOfApp, Snapshot
from profile_lookup.web.openapi import answer, error_answers
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp, fetch_page
from profile_lookup.web.redirects import moved_answer
from profile_lookup.web.wire import OURS

router = APIRouter(
    prefix="/v1/Stores/{storeId}/Profiles/{profileId}/Separations", tags=["History"], route_class=ContractRoute
)

_LIFTED = "The separation is lifted."

_EXAMPLE = {"profileId": ids.EXAMPLE_PROFILE_ID, "since": "2026-01-15T10:15:30Z", "event": ids.EXAMPLE_EVENT_ID}

OtherProfileInPath = Annotated[
    str,
    Path(
        alias="otherProfileId",
        description="The ID of the other profile, also an earlier one of a merged profile.",
        json_schema_extra={"pattern": ids.PROFILE_ID_PATTERN},
        examples=[ids.EXAMPLE_PROFILE_ID],
    ),
]


@router.get(
    "",
    operation_id="ListSeparations",
    summary="List the profiles from which a profile is kept apart",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The profiles that never become one person with this one",
            {"separations": [_EXAMPLE], "meta": {"key": "separations", "pageSize": 1}},
        ),
        **moved_answer(301),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 1000"),
            PageTokenRefused(),
            *PROFILE_ERRORS,
            has_body=False,
        ),
    },
    openapi_extra=OURS,
)
async def list_separations(
    addressed: ProfileOfStore, page: DataPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> SeparationList:
    """A split keeps its parts apart, unless it was asked not to **(ours)**. The newest separation comes first."""
    store = addressed.store
    await queries.fetch_profile(snapshot, store, addressed.id)
    query, key = await separations_of(snapshot, store, addressed.id)
    found = await fetch_page(snapshot, query, key, page, tokens, "separations", str(store.id), str(addressed.id))
    return SeparationList(separations=[SeparationAnswer.of_row(row) for row in found.rows], meta=found.meta)


@router.delete(
    "/{otherProfileId}",
    operation_id="DeleteSeparation",
    summary="Let two profiles become one person again",
    status_code=202,
    responses={
        202: answer("The separation is lifted, also that of IDs that they had before.", {"message": _LIFTED}),
        **moved_answer(308),
        **error_answers(*PROFILE_ERRORS, SeparationNotFound(), has_body=False),
    },
    openapi_extra=OURS,
)
async def delete_separation(
    addressed: ProfileOfStore, other_profile_id: OtherProfileInPath, database: DatabaseOfApp
) -> Accepted:
    """Nothing merges at once **(ours)**: the next write that names both makes them one person."""
    if not ids.is_well_formed(ids.PROFILE_ID_PATTERN, other_profile_id):
        raise IdMalformed("profile", "otherProfileId")
    other_id = ids.decoded(other_profile_id)
    if other_id is None:
        raise SeparationNotFound
    await lift_separation(database, addressed.store, addressed.id, other_id, CLOCK.now())
    return Accepted(message=_LIFTED)
