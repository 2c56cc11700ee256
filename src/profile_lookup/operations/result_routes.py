"""`/v1/ControlPlane/Operations/{operationId}/Results`."""

from fastapi import APIRouter

from profile_lookup.errors import (
    OperationIdMalformed,
    OperationNotFound,
    PageTokenRefused,
    RequestRefused,
    RowRefused,
)
from profile_lookup.operations import result_pages
from profile_lookup.operations.dependencies import OperationOfCaller
from profile_lookup.operations.result_pages import Results
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import ErrorPages, Snapshot
from profile_lookup.web.openapi import answer, error_answers, error_example
from profile_lookup.web.pagination import PageTokensOfApp, ResultsPage
from profile_lookup.web.wire import OURS

router = APIRouter(
    prefix="/v1/ControlPlane/Operations/{operationId}/Results", tags=["Operations"], route_class=ContractRoute
)


@router.get(
    "",
    operation_id="ListOperationResults",
    openapi_extra=OURS,
    summary="Fetch the results of an accepted request",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "Results, in the request's order; or counts",
            {
                "results": [
                    {"index": 0, "status": "merged", "profileId": ids.EXAMPLE_PROFILE_ID},
                    {
                        "index": 1,
                        "status": "failed",
                        "error": error_example(RowRefused(None, "traits.Billing: no such trait group in this store")),
                    },
                ],
                "meta": {"key": "results", "pageSize": 2},
            },
        ),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 1000"),
            PageTokenRefused(),
            OperationIdMalformed(),
            OperationNotFound(),
            has_body=False,
        ),
    },
)
async def list_results(
    operation: OperationOfCaller,
    page: ResultsPage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
    error_pages: ErrorPages,
) -> Results:
    """The results so far **(ours)**. Not every operation has any; if it has, its `resultUrl` is this address.

    A batch of profiles has a result for each, in the request's order, page by page. It contains the profile's ID at
    that time. The profile may have been merged or erased since.

    A change of the blocked values has one result, `{"removed": 3}`: how many identifiers were removed from profiles.
    The operation that normalizes stored values anew has one, too: `{"changed": 7, "merged": 1, "kept": 2}`.

    A preview of settings has a result for each merge, refusal and removed value: `{"outcome": "merge", "profiles":
    ["mem_profile_…", "mem_profile_…"], "by": {"idType": "email", "value": "ann@example.com"}}`.

    A split that is an operation has a result for each profile that is left, or would be: `{"id": "mem_profile_…",
    "isNew": true, "identifiers": [{"idType": "phone", "count": 2}]}`.

    The undo of an import has one for each person: `{"outcome": "split", "profiles": ["mem_profile_…", …]}`.
    """
    return await result_pages.results_of(snapshot, operation, page, tokens, error_pages)
