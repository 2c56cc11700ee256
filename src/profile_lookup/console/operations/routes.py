"""`/console/operations`: what became of requests that take long."""

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.console.dependencies import SignedIn
from profile_lookup.console.operations.descriptions import IMPORTS, Described, ImportRows, import_of, shown_profiles
from profile_lookup.console.page_route import page_router
from profile_lookup.errors import ImportNotFound, StoreIdMalformed
from profile_lookup.imports import queries as imports
from profile_lookup.operations import queries
from profile_lookup.operations.dependencies import addressed_operation
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.result_pages import results_of
from profile_lookup.operations.wire import Status
from profile_lookup.web import ids
from profile_lookup.web.dependencies import ErrorPages, Snapshot
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, ResultsPage, fetch_page

router = page_router()


async def _operation_in_path(page: SignedIn, operation_id: Annotated[str, Path(alias="operationId")]) -> Row[Any]:
    return await addressed_operation(page.services.database, page.caller, operation_id)


OperationInPath = Annotated[Row[Any], Depends(_operation_in_path)]


@router.get("/operations")
async def list_operations(
    page: SignedIn,
    listed: ControlPlanePage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
    store_id: Annotated[str, Query(alias="storeId")] = "",
    status: Status | None = None,
) -> Response:
    """The newest operation comes first. The person sees those that the key could start."""
    query = queries.operations_seen_by(page.caller, _store_uuid(store_id), status)
    scope = ("operations", str(page.caller.account_id), store_id, status or "")
    found = await fetch_page(snapshot, query, queries.OPERATIONS_KEY, listed, tokens, *scope)
    return await page.render(
        "operations/list.html",
        operations=[Described.of_row(row) for row in found.rows],
        meta=found.meta,
        store_id=store_id,
        shown_status=status or "",
    )


def _store_uuid(store_id: str) -> UUID | None:
    """Return the store by which the list is filtered, if it is. Raises `StoreIdMalformed`."""
    if not store_id:
        return None
    uuid = ids.store_uuid(store_id)
    if uuid is None:
        raise StoreIdMalformed
    return uuid


@router.get("/operations/{operationId}")
async def operation_page(
    page: SignedIn,
    operation: OperationInPath,
    listed: ResultsPage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
    error_pages: ErrorPages,
) -> Response:
    """The page loads itself again until the operation has ended."""
    results = await results_of(snapshot, operation, listed, tokens, error_pages)
    page.note_profiles(shown_profiles(results))
    return await page.render("operations/page.html", results=results, **await _facts(snapshot, operation))


async def _facts(connection: AsyncConnection, operation: Row[Any]) -> dict[str, Any]:
    """Return what the page of an operation shows besides its results. `import_id` is the import that it is about."""
    row = None
    if operation.kind in IMPORTS:
        with suppress(ImportNotFound):  # an import is deleted with its store, before its operation
            row = await imports.fetch(connection, operation.store_id, operation.id)
    return {
        "operation": Described.of_row(operation),
        "rows": None if row is None else ImportRows.of_row(row),
        "import_id": import_of(operation),
        "was_dry_run": operation.kind == OperationKind.UNDO_IMPORT and operation.input.get("is_dry_run", False),
    }
