"""The operation that a page about a store shows."""

from typing import Any

from sqlalchemy import Row

from profile_lookup.console.pages import StorePage
from profile_lookup.errors import OperationNotFound
from profile_lookup.operations.dependencies import addressed_operation
from profile_lookup.operations.kinds import OperationKind


async def find_operation(page: StorePage, operation_id: str, kind: OperationKind) -> Row[Any]:
    """Return the operation of this kind in the page's store.

    Raises `OperationIdMalformed`, `OperationNotFound` or `ScopeMissing`.
    """
    found = await addressed_operation(page.services.database, page.caller, operation_id)
    if (found.store_id, found.kind) != (page.rules.id, kind):
        raise OperationNotFound
    return found
