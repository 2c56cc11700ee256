"""`/console/stores/{storeId}/rules/previews/{operationId}`: what other rules would do."""

from typing import Annotated, Any

from fastapi import Path, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.console.dependencies import ManagePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.store_operations import find_operation, profile_ids_of
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.result_pages import results_of
from profile_lookup.operations.wire import PreviewedResults
from profile_lookup.web.dependencies import Snapshot
from profile_lookup.web.pagination import PageRequest, PageTokens, PageTokensOfApp, ResultsPage

router = page_router()


@router.get("/stores/{storeId}/rules/previews/{operationId}")
async def show_preview(
    page: ManagePage,
    operation_id: Annotated[str, Path(alias="operationId")],
    requested: ResultsPage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
) -> Response:
    """Show how far a preview is, and what it has found so far. The page is loaded again until the preview has ended."""
    operation = await find_operation(page, operation_id, OperationKind.PREVIEW_SETTINGS)
    found = await _results(operation, requested, tokens, snapshot)
    page.note_profiles(profile_ids_of(found.results))
    return await page.render(
        "rules/preview_page.html", operation_id=operation_id, preview=operation, results=found.results, meta=found.meta
    )


async def _results(
    operation: Row[Any], requested: PageRequest, tokens: PageTokens, connection: AsyncConnection
) -> PreviewedResults:
    found = await results_of(connection, operation, requested, tokens, "")
    assert isinstance(found, PreviewedResults)
    return found
