"""`/v1/ControlPlane/Operations`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.accounts.dependencies import VerifiedCaller
from profile_lookup.errors import (
    OperationIdMalformed,
    OperationNotFound,
    PageTokenRefused,
    RequestRefused,
    StoreIdMalformed,
)
from profile_lookup.operations import queries
from profile_lookup.operations.dependencies import OperationOfCaller
from profile_lookup.operations.wire import (
    RETRY_AFTER,
    Operation,
    OperationList,
    Status,
)
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import BaseUrl, ErrorPages, Snapshot
from profile_lookup.web.openapi import answer, error_answers, header
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, fetch_page
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

    You see the operations that you could start yourself: with `write`, imports, their undo and batches, and with
    `manage` all others. A key with `storeIds` sees only those of its stores.
    """
    query = queries.operations_seen_by(caller, None if store_id is None else _store_uuid(store_id), status)
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
