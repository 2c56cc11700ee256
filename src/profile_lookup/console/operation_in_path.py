"""The operation that a page about a store shows."""

from typing import Any

from sqlalchemy import Row

from profile_lookup.console.pages import StorePage
from profile_lookup.errors import OperationNotFound
from profile_lookup.operations import queries
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.web import ids


async def find_operation(page: StorePage, operation_id: str, kind: OperationKind) -> Row[Any]:
    """Return the operation of this kind in the page's store. Raises `OperationNotFound`."""
    is_well_formed = ids.is_well_formed(ids.OPERATION_ID_PATTERN, operation_id)
    uuid = ids.decoded(operation_id) if is_well_formed else None
    if uuid is None:
        raise OperationNotFound
    async with page.services.database.statements() as connection:
        found = await queries.find(connection, page.rules.account_id, uuid, [page.rules.id])
    if found is None or found.kind != kind:
        raise OperationNotFound
    return found
