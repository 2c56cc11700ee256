"""`/v1/ControlPlane/Operations`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy import Row

from profile_lookup.accounts.dependencies import VerifiedCaller
from profile_lookup.database.keyset import DEFAULT_PAGE_SIZE
from profile_lookup.errors import (
    OperationIdMalformed,
    OperationNotFound,
    PageTokenRefused,
    RequestRefused,
    TraitsRefused,
)
from profile_lookup.operations import items, queries
from profile_lookup.operations.wire import RETRY_AFTER, ItemResult, ItemResults, Operation
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import BaseUrl, DatabaseOfApp, Snapshot
from profile_lookup.web.openapi import answer, error_answers, header
from profile_lookup.web.pagination import PageTokensOfApp, ResultsPage, fetch_page
from profile_lookup.web.urls import operation_url
from profile_lookup.web.wire import Error

router = APIRouter(prefix="/v1/ControlPlane/Operations", tags=["Operations"], route_class=ContractRoute)


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
        operation = await queries.find(connection, caller.account_id, uuid)
    if operation is None:
        raise OperationNotFound
    caller.need_full_access()
    return operation


OperationOfCaller = Annotated[Row[Any], Depends(_operation_of_caller)]


@router.get(
    "/{operationId}",
    operation_id="FetchOperation",
    summary="What became of an accepted request",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The operation",
            {
                "operationId": ids.EXAMPLE_OPERATION_ID,
                "status": "COMPLETED",
                "createdAt": "2026-01-15T10:15:30Z",
                "completedAt": "2026-01-15T10:15:30Z",
                "statusUrl": operation_url("http://127.0.0.1:8000", ids.EXAMPLE_OPERATION_ID),
                "result": {"type": "RESOURCE_ID", "id": ids.EXAMPLE_STORE_ID},
            },
            {
                "Operation-Id": header("string", "Its ID.", maxLength=512),
                "Retry-After": header(
                    "integer", "Seconds until it is worth asking again; until it has ended.", required=False
                ),
            },
        ),
        **error_answers(OperationIdMalformed(), OperationNotFound(), has_body=False),
    },
)
async def fetch_operation(operation: OperationOfCaller, base_url: BaseUrl, response: Response) -> Operation:
    """Operations are visible only to the account that started them, until at least seven days after they ended.

    When the status is COMPLETED, `result.id` names the resource that was made or changed; when it is FAILED, `error`
    says why, and nothing has changed, but for items that were done before: `resultUrl` tells which.
    """
    response.headers["Operation-Id"] = ids.operation_id(operation.id)
    if operation.completed_at is None:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return Operation.of_row(operation, base_url)


@router.get(
    "/{operationId}/Results",
    operation_id="ListOperationResults",
    summary="What became of each item of an accepted request",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "Results, in the request's order",
            {
                "results": [
                    {"index": 0, "status": "merged", "profileId": ids.EXAMPLE_PROFILE_ID},
                    {
                        "index": 1,
                        "status": "failed",
                        "error": Error.of_domain(
                            TraitsRefused("traits.Billing: no such trait group in this store")
                        ).model_dump(),
                    },
                ],
                "meta": {"key": "results", "pageSize": DEFAULT_PAGE_SIZE},
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
    operation: OperationOfCaller, page: ResultsPage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> ItemResults:
    """Of the items that are done so far, the first one first **(ours)**. An operation without items has none.

    A profile's ID is what it was when the item was done: it may have been merged since, or erased.
    """
    question = items.results_of(operation.account_id, operation.id)
    scope = ("results", str(operation.account_id), str(operation.id))
    found = await fetch_page(snapshot, question, items.RESULTS_KEY, page, tokens, *scope)
    return ItemResults(results=[ItemResult.of_row(row) for row in found.rows], meta=found.meta)
