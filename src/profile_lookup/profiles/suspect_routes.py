"""`/v1/Stores/{storeId}/Suspects`."""

from fastapi import APIRouter

from profile_lookup.errors import PageTokenRefused, RequestRefused
from profile_lookup.profiles.suspects import WORST_KEY, shared_values, suspects_of
from profile_lookup.profiles.wire import Suspect, SuspectList
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import Snapshot
from profile_lookup.web.openapi import answer, error_answers
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp, fetch_page
from profile_lookup.web.wire import OURS

router = APIRouter(prefix="/v1/Stores/{storeId}/Suspects", tags=["Profile"], route_class=ContractRoute)


@router.get(
    "",
    operation_id="ListSuspects",
    openapi_extra=OURS,
    summary="List the profiles that may be several people",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The suspects, the worst first",
            {
                "suspects": [
                    {
                        "profileId": ids.EXAMPLE_PROFILE_ID,
                        "reason": "sharedValue",
                        "count": 150,
                        "by": {"idType": "email", "value": "office@acme.example"},
                    },
                    {"profileId": ids.EXAMPLE_PROFILE_ID, "reason": "manyIdentifiers", "count": 102},
                ],
                "meta": {"key": "suspects", "pageSize": 2},
            },
        ),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 1000"),
            PageTokenRefused(),
            *STORE_ERRORS,
            has_body=False,
        ),
    },
)
async def list_suspects(
    store: StoreOfAccount, page: DataPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> SuspectList:
    """The suspect with the highest `count` comes first, and with `orderBy=ASC` the one with the lowest **(ours)**.

    - `sharedValue`: a value of the profile was written under `count` different names, or joined profiles that had them.
    - `namesDisagree`: all values of the profile together were written under `count` different names.
    - `manyIdentifiers`: the profile has `count` identifiers, at least 20.

    A profile may be listed for several reasons.
    """
    found = await fetch_page(snapshot, suspects_of(store), WORST_KEY, page, tokens, "suspects", str(store.id))
    values = await shared_values(snapshot, store, found.rows)
    suspects = [Suspect.of_row(row, values.get(place)) for place, row in enumerate(found.rows)]
    return SuspectList(suspects=suspects, meta=found.meta)
