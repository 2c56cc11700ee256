"""The import in the path of a page."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from sqlalchemy import Row

from profile_lookup.console.pages import StorePage
from profile_lookup.errors import ImportNotFound
from profile_lookup.imports import queries
from profile_lookup.imports.dependencies import ImportIdInPath
from profile_lookup.web import ids


async def _import_id(import_id: ImportIdInPath) -> UUID:
    """Return the import's ID. Raises `ImportNotFound` if no import can have it."""
    uuid = ids.parsed(ids.IMPORT_ID_PATTERN, import_id)
    if uuid is None:
        raise ImportNotFound
    return uuid


ImportInPath = Annotated[UUID, Depends(_import_id)]


async def fetch_import(page: StorePage, import_id: UUID) -> Row[Any]:
    """Return the import's row. Raises `ImportNotFound`."""
    async with page.services.database.statements() as connection:
        return await queries.fetch(connection, page.rules.id, import_id)


def import_address(page: StorePage, import_id: UUID, path: str = "") -> str:
    """Return the relative address of an import's page, or of a path below it."""
    return page.store_address(f"imports/{ids.import_id(import_id)}/{path}")
