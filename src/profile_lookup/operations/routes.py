"""`/v1/ControlPlane/Operations`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Row

from profile_lookup.accounts.dependencies import VerifiedCaller
from profile_lookup.errors import (
    OperationIdMalformed,
    OperationNotFound,
    PageTokenRefused,
    RequestRefused,
    RowRefused,
    ScopeMissing,
    StoreIdMalformed,
)
from profile_lookup.operations import items, previews, queries, split_parts
from profile_lookup.operations.kinds import OperationKind, kinds_of, scope_of
from profile_lookup.operations.wire import (
    RETRY_AFTER,
    Counts,
    ItemResult,
    ItemResults,
    Operation,
    OperationList,
    PreviewedResult,
    PreviewedResults,
    SplitProfileResult,
    SplitProfileResults,
    Status,
    counts_of,
)
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import BaseUrl, DatabaseOfApp, ErrorPages, Snapshot
from profile_lookup.web.openapi import answer, error_answers, error_example, header
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, ResultsPage, fetch_page
from profile_lookup.web.urls import EXAMPLE_BASE, operation_url
from profile_lookup.web.wire import OURS, MayBeAbsent

router = APIRouter(prefix="/v1/ControlPlane/Operations", tags=["Operations"], route_class=ContractRoute)

_EXAMPLE = {
    "operationId": ids.EXAMPLE_OPERATION_ID,
    "status": "COMPLETED",
    "createdAt": "2026-01-15T10:15:30Z",
    "completedAt": "2026-01-15T10:15:30Z",
    "statusUrl": operation_url(EXAMPLE_BASE, ids.EXAMPLE_OPERATION_ID),
    "result": {"type": "RESOURCE_ID", "id": ids.EXAMPLE_STORE_ID},
}


async def _operation_of_caller(
    operation_id: Annotated[
        str,
        Path(
            alias="operationId",
            json_schema_extra={"maxLength": 512},
            description="The `Operation-Id` of the answer that accepted the request.",
            examples=[ids.EXAMPLE_OPERATION_ID],
        ),
    ],
    caller: VerifiedCaller,
    database: DatabaseOfApp,
) -> Row[Any]:
    if not ids.is_well_formed(ids.OPERATION_ID_PATTERN, operation_id):
        raise OperationIdMalformed
    uuid = ids.decoded(operation_id)
    if uuid is None:
        raise OperationNotFound
    async with database.statements() as connection:
        operation = await queries.find(connection, caller.account_id, uuid, caller.grant.store_ids)
    if operation is None:
        raise OperationNotFound
    caller.need(scope_of(operation.kind))
    return operation


OperationOfCaller = Annotated[Row[Any], Depends(_operation_of_caller)]


@router.get(
    "",
    operation_id="ListOperations",
    openapi_extra=OURS,
    summary="List the account's operations (ours)",
    response_model_exclude_none=True,
    responses={
        200: answer("The operations", {"operations": [_EXAMPLE], "meta": {"key": "operations", "pageSize": 1}}),
        **error_answers(
            RequestRefused("status: Input should be 'PENDING', 'RUNNING', 'CANCELLED', 'COMPLETED' or 'FAILED'"),
            StoreIdMalformed(),
            PageTokenRefused(),
            has_body=False,
        ),
    },
)
async def list_operations(
    caller: VerifiedCaller,
    page: ControlPlanePage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
    base_url: BaseUrl,
    error_pages: ErrorPages,
    store_id: Annotated[
        str | SkipJsonSchema[None],
        Query(
            alias="storeId",
            description="Only operations of this store.",
            json_schema_extra={"pattern": ids.STORE_ID_PATTERN},
        ),
    ] = None,
    status: Annotated[Status | None, MayBeAbsent, Query(description="Only operations that have this status.")] = None,
) -> OperationList:
    """The newest operation comes first, unless `orderBy` says otherwise **(ours)**.

    You see the operations that you could start yourself: with `write`, imports and batches, and with `manage` all
    others. A key with `storeIds` sees only those of its stores.
    """
    kinds = kinds_of(caller.grant.scopes)
    if not kinds:
        raise ScopeMissing("manage")
    store_ids = caller.grant.store_ids
    if store_id is not None:
        sought = frozenset({_store_uuid(store_id)})
        store_ids = sought if store_ids is None else store_ids & sought
    query = queries.operations_of(caller.account_id, store_ids, kind=kinds, status=status and [status])
    scope = ("operations", str(caller.account_id), store_id or "", status or "")
    found = await fetch_page(snapshot, query, queries.OPERATIONS_KEY, page, tokens, *scope)
    operations = [Operation.of_row(row, base_url, error_pages) for row in found.rows]
    return OperationList(operations=operations, meta=found.meta)


def _store_uuid(store_id: str) -> UUID:
    uuid = ids.store_uuid(store_id)
    if uuid is None:
        raise StoreIdMalformed
    return uuid


@router.get(
    "/{operationId}",
    operation_id="FetchOperation",
    summary="Fetch the status of an accepted request",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The operation",
            _EXAMPLE,
            {
                "Operation-Id": header("string", "The ID of the operation.", maxLength=512),
                "Retry-After": header(
                    "integer",
                    "Seconds to wait before the next request. It is sent until the operation has ended.",
                    required=False,
                ),
            },
        ),
        **error_answers(OperationIdMalformed(), OperationNotFound(), has_body=False),
    },
)
async def fetch_operation(
    operation: OperationOfCaller, base_url: BaseUrl, error_pages: ErrorPages, response: Response
) -> Operation:
    """Only the account that started an operation can fetch it, until at least seven days after it ended.

    An API key can fetch the operations that it could start itself **(ours)**.

    When the status is COMPLETED, `result.id` names the resource that was created or changed. When it is FAILED, `error`
    says why, and nothing has changed, except for the items that were done before, which `resultUrl` lists.
    """
    response.headers["Operation-Id"] = ids.operation_id(operation.id)
    if operation.completed_at is None:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return Operation.of_row(operation, base_url, error_pages)


@router.get(
    "/{operationId}/Results",
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
) -> ItemResults | PreviewedResults | SplitProfileResults | Counts:
    """The results so far **(ours)**. Not every operation has any; if it has, its `resultUrl` is this address.

    A batch of profiles has a result for each, in the request's order, page by page. It contains the profile's ID at
    that time. The profile may have been merged or erased since.

    A change of the blocked values has one result, `{"removed": 3}`: how many identifiers were removed from profiles.
    The operation that normalizes stored values anew has one, too: `{"changed": 7, "merged": 1, "kept": 2}`.

    A preview of settings has a result for each merge, refusal and removed value: `{"outcome": "merge", "profiles":
    ["mem_profile_…", "mem_profile_…"], "by": {"idType": "email", "value": "ann@example.com"}}`.

    A split that is an operation has a result for each profile that is left, or would be: `{"id": "mem_profile_…",
    "isNew": true, "identifiers": [{"idType": "phone", "count": 2}]}`.
    """
    if (counts := counts_of(operation)) is not None:
        return counts
    scope = ("results", str(operation.account_id), str(operation.id))
    if operation.kind == OperationKind.PREVIEW_SETTINGS:
        query = previews.results_of(operation.account_id, operation.id)
        found = await fetch_page(snapshot, query, previews.RESULTS_KEY, page, tokens, *scope)
        values = await previews.values_of(snapshot, operation, found.rows)
        return PreviewedResults(
            results=[PreviewedResult.of_row(row, values.get(row.position)) for row in found.rows], meta=found.meta
        )
    if operation.kind == OperationKind.SPLIT_PROFILE:
        query = split_parts.results_of(operation.account_id, operation.id)
        found = await fetch_page(snapshot, query, split_parts.RESULTS_KEY, page, tokens, *scope)
        return SplitProfileResults(results=[SplitProfileResult.of_row(row) for row in found.rows], meta=found.meta)
    query = items.results_of(operation.account_id, operation.id)
    found = await fetch_page(snapshot, query, items.RESULTS_KEY, page, tokens, *scope)
    return ItemResults(results=[ItemResult.of_row(row, error_pages) for row in found.rows], meta=found.meta)
