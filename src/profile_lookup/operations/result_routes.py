"""`/v1/ControlPlane/Operations/{operationId}/Results`."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.errors import (
    OperationIdMalformed,
    OperationNotFound,
    PageTokenRefused,
    RequestRefused,
    RowRefused,
)
from profile_lookup.operations import items, previews, split_parts, undo_results
from profile_lookup.operations.dependencies import OperationOfCaller
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.wire import (
    Counts,
    ItemResult,
    ItemResults,
    PreviewedResult,
    PreviewedResults,
    SplitProfileResult,
    SplitProfileResults,
    UndoneResult,
    UndoneResults,
    counts_of,
)
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import ErrorPages, Snapshot
from profile_lookup.web.openapi import answer, error_answers, error_example
from profile_lookup.web.pagination import PageRequest, PageTokens, PageTokensOfApp, ResultsPage, fetch_page
from profile_lookup.web.wire import OURS

router = APIRouter(
    prefix="/v1/ControlPlane/Operations/{operationId}/Results", tags=["Operations"], route_class=ContractRoute
)

Results = ItemResults | PreviewedResults | SplitProfileResults | UndoneResults | Counts


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
    return await results_of(snapshot, operation, page, tokens, error_pages)


async def results_of(
    connection: AsyncConnection, operation: Row[Any], page: PageRequest, tokens: PageTokens, error_pages: str
) -> Results:
    """Return a page of the results so far, or the counts so far if the operation counts. Raises `PageTokenRefused`."""
    if (counts := counts_of(operation)) is not None:
        return counts
    scope = ("results", str(operation.account_id), str(operation.id))
    if operation.kind == OperationKind.PREVIEW_SETTINGS:
        return await _previewed(connection, operation, page, tokens, *scope)
    if operation.kind == OperationKind.SPLIT_PROFILE:
        query = split_parts.results_of(operation.account_id, operation.id)
        found = await fetch_page(connection, query, split_parts.RESULTS_KEY, page, tokens, *scope)
        return SplitProfileResults(results=[SplitProfileResult.of_row(row) for row in found.rows], meta=found.meta)
    if operation.kind == OperationKind.UNDO_IMPORT:
        query = undo_results.results_of(operation.account_id, operation.id)
        found = await fetch_page(connection, query, undo_results.RESULTS_KEY, page, tokens, *scope)
        return UndoneResults(results=[UndoneResult.of_row(row) for row in found.rows], meta=found.meta)
    query = items.results_of(operation.account_id, operation.id)
    found = await fetch_page(connection, query, items.RESULTS_KEY, page, tokens, *scope)
    return ItemResults(results=[ItemResult.of_row(row, error_pages) for row in found.rows], meta=found.meta)


async def _previewed(
    connection: AsyncConnection, operation: Row[Any], page: PageRequest, tokens: PageTokens, *scope: str
) -> PreviewedResults:
    """Return a page of what a preview found. It is shorter than was asked for if its values take long to find."""
    query = previews.results_of(operation.account_id, operation.id)
    found = await fetch_page(connection, query, previews.RESULTS_KEY, page, tokens, *scope)
    while (fitting := await previews.count_fitting(connection, operation, found.rows)) < len(found.rows):
        found = await fetch_page(connection, query, previews.RESULTS_KEY, replace(page, size=fitting), tokens, *scope)
    values = await previews.values_of(connection, operation, found.rows)
    return PreviewedResults(
        results=[PreviewedResult.of_row(row, values.get(row.position)) for row in found.rows], meta=found.meta
    )
