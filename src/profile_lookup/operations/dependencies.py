"""The answer to a request that became an operation, and its documentation."""

from typing import Any
from uuid import UUID

from fastapi import Response

from profile_lookup.operations.wire import RETRY_AFTER, OperationAccepted
from profile_lookup.web import ids
from profile_lookup.web.openapi import answer, header
from profile_lookup.web.urls import operation_url


def accepted(response: Response, base_url: str, operation: UUID, message: str) -> OperationAccepted:
    """Return the answer to a request that became an operation, and set its headers."""
    operation_id = ids.operation_id(operation)
    status_url = operation_url(base_url, operation_id)
    response.headers.update({"Operation-Id": operation_id, "Location": status_url, "Retry-After": str(RETRY_AFTER)})
    return OperationAccepted(message=message, status_url=status_url)


def accepted_answer(description: str, message: str, **more: str) -> dict[str, Any]:
    """Return what `responses` of a route says of such an answer. `more` is what else its body has."""
    return answer(
        description,
        {"message": message, "statusUrl": operation_url("http://127.0.0.1:8000", ids.EXAMPLE_OPERATION_ID), **more},
        {
            "Operation-Id": header("string", "The operation to ask after.", maxLength=512),
            "Location": header("string", "Where it is.", maxLength=512),
            "Retry-After": header("integer", "Seconds until it is worth asking."),
        },
    )
