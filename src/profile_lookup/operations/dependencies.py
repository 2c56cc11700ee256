"""The answer to a request that became an operation, its documentation, and how many operations there may be."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response

from profile_lookup.operations.quotas import Quotas
from profile_lookup.operations.wire import RETRY_AFTER, OperationAccepted
from profile_lookup.web import ids
from profile_lookup.web.dependencies import SettingsOfApp
from profile_lookup.web.openapi import answer, header
from profile_lookup.web.urls import EXAMPLE_BASE, operation_url


async def _quotas(settings: SettingsOfApp) -> Quotas:
    return Quotas(
        queued_per_store=settings.max_operations_per_store,
        queued_per_account=settings.max_operations_per_account,
        waiting_per_store=settings.max_waiting_imports_per_store,
    )


QuotasOfApp = Annotated[Quotas, Depends(_quotas)]


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
