"""The operation that a page about a store shows, and whom its results are about."""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row

from profile_lookup.console.pages import StorePage
from profile_lookup.errors import OperationNotFound
from profile_lookup.operations.dependencies import addressed_operation
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.web import ids


class _Result(Protocol):
    @property
    def profiles(self) -> list[str]: ...


def profile_ids_of(results: Iterable[_Result]) -> list[UUID]:
    """Return the profiles of some results, each once."""
    found = (ids.decoded(profile_id) for result in results for profile_id in result.profiles)
    return [each for each in dict.fromkeys(found) if each is not None]


async def find_operation(page: StorePage, operation_id: str, kind: OperationKind) -> Row[Any]:
    """Return the operation of this kind in the page's store.

    Raises `OperationIdMalformed`, `OperationNotFound` or `ScopeMissing`.
    """
    found = await addressed_operation(page.services.database, page.caller, operation_id)
    if (found.store_id, found.kind) != (page.rules.id, kind):
        raise OperationNotFound
    return found
