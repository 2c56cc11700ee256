"""`/console/stores/{storeId}/imports/{importId}/undo`: an import is undone, after it was shown what that does."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from profile_lookup.console.dependencies import WritePage
from profile_lookup.console.imports.dependencies import ImportInPath, fetch_import, import_address
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.store_operations import find_operation, profile_ids_of
from profile_lookup.errors import OperationNotFound
from profile_lookup.imports.undo.requests import enqueue_undo
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.quotas import Quotas, refuse_beyond_queue_quota
from profile_lookup.operations.result_pages import results_of
from profile_lookup.operations.wire import UndoneResults
from profile_lookup.web import ids
from profile_lookup.web.dependencies import Snapshot
from profile_lookup.web.pagination import PageTokensOfApp, ResultsPage

router = page_router()


@router.post("/stores/{storeId}/imports/{importId}/undo/preview")
async def preview_undo(page: WritePage, import_id: ImportInPath, quotas: QuotasOfApp) -> Response:
    """Begin to find out what an undo would do, and show the page with the results."""
    return await page.redirect(await _begun(page, import_id, quotas, is_dry_run=True))


@router.post("/stores/{storeId}/imports/{importId}/undo")
async def undo_import(page: WritePage, import_id: ImportInPath, quotas: QuotasOfApp) -> Response:
    return await page.redirect(await _begun(page, import_id, quotas, is_dry_run=False), "The import is being undone.")


@router.get("/stores/{storeId}/imports/{importId}/undo/{operationId}")
async def show_undo(
    page: WritePage,
    import_id: ImportInPath,
    operation_id: Annotated[str, Path(alias="operationId")],
    requested: ResultsPage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
) -> Response:
    """Show how far an undo is, and what became of whom so far."""
    operation = await find_operation(page, operation_id, OperationKind.UNDO_IMPORT)
    if operation.input["import_id"] != ids.import_id(import_id):
        raise OperationNotFound
    found = await results_of(snapshot, operation, requested, tokens, "")
    assert isinstance(found, UndoneResults)
    page.note_profiles(profile_ids_of(found.results))
    return await page.render(
        "imports/undo.html",
        import_row=await fetch_import(page, import_id),
        address=import_address(page, import_id),
        operation=operation,
        operation_id=operation_id,
        is_dry_run=operation.input["is_dry_run"],
        results=found.results,
        meta=found.meta,
    )


async def _begun(page: StorePage, import_id: UUID, quotas: Quotas, *, is_dry_run: bool) -> str:
    """Enqueue an undo, and return the address of its page."""
    async with page.services.database.transaction() as connection:
        await refuse_beyond_queue_quota(connection, page.rules.account_id, page.rules.id, quotas)
        operation = await enqueue_undo(connection, page.rules.id, import_id, is_dry_run=is_dry_run)
    return import_address(page, import_id, f"undo/{ids.operation_id(operation)}")
