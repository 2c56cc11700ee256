"""`/v1/ControlPlane/Operations`."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from profile_lookup.accounts.access import VerifiedCaller
from profile_lookup.database.engine import DatabaseOfApp
from profile_lookup.errors import OperationIdMalformed, OperationNotFound
from profile_lookup.operations import queries
from profile_lookup.operations.wire import RETRY_AFTER, Operation
from profile_lookup.web import ids
from profile_lookup.web.body import BodyLastRoute
from profile_lookup.web.openapi import answer, error_answers, header
from profile_lookup.web.urls import BaseUrl, operation_url

router = APIRouter(prefix="/v1/ControlPlane/Operations", tags=["Operations"], route_class=BodyLastRoute)


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
async def fetch_operation(
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
    base_url: BaseUrl,
    response: Response,
) -> Operation:
    """Operations are visible only to the account that started them, until at least seven days after they ended.

    When the status is COMPLETED, `result.id` names the resource that was made or changed; when it is FAILED, `error`
    says why, and nothing has changed.
    """
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
    response.headers["Operation-Id"] = operation_id
    if operation.completed_at is None:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return Operation.of_row(operation, base_url)
