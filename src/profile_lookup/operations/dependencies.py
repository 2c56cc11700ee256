"""The operation in the path; the answer to a request that became an operation; how many operations there may be."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Response
from sqlalchemy import Row

from profile_lookup.accounts.dependencies import VerifiedCaller
from profile_lookup.accounts.grants import Caller
from profile_lookup.database.pool import Database
from profile_lookup.errors import OperationIdMalformed, OperationNotFound
from profile_lookup.operations import queries
from profile_lookup.operations.kinds import scope_of
from profile_lookup.operations.quotas import Quotas
from profile_lookup.operations.wire import RETRY_AFTER, OperationAccepted
from profile_lookup.web import ids
from profile_lookup.web.dependencies import DatabaseOfApp, SettingsOfApp
from profile_lookup.web.openapi import answer, header
from profile_lookup.web.urls import EXAMPLE_BASE, operation_url


async def _quotas(settings: SettingsOfApp) -> Quotas:
    return Quotas(
        queued_per_store=settings.max_operations_per_store,
        queued_per_account=settings.max_operations_per_account,
        waiting_per_store=settings.max_waiting_imports_per_store,
    )


QuotasOfApp = Annotated[Quotas, Depends(_quotas)]


async def addressed_operation(database: Database, caller: Caller, operation_id: str) -> Row[Any]:
    """Return the row of an operation. Raises `OperationIdMalformed`, `OperationNotFound` or `ScopeMissing`."""
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
    return await addressed_operation(database, caller, operation_id)


OperationOfCaller = Annotated[Row[Any], Depends(_operation_of_caller)]


def accepted(response: Response, base_url: str, operation: UUID, message: str) -> OperationAccepted:
    """Return the answer to a request that became an operation, and set its headers."""
    operation_id = ids.operation_id(operation)
    status_url = operation_url(base_url, operation_id)
    response.headers.update({"Operation-Id": operation_id, "Location": status_url, "Retry-After": str(RETRY_AFTER)})
    return OperationAccepted(message=message, status_url=status_url)


def accepted_answer(description: str, message: str, **more: str) -> dict[str, Any]:
    """Return the description of such an answer, for `responses`. `more` are examples of other members of its body."""
    return answer(
        description,
        {"message": message, "statusUrl": operation_url(EXAMPLE_BASE, ids.EXAMPLE_OPERATION_ID), **more},
        {
            "Operation-Id": header("string", "The ID of the operation.", maxLength=512),
            "Location": header("string", "The address of the operation.", maxLength=512),
            "Retry-After": header("integer", "Seconds to wait before the operation is fetched."),
        },
    )
