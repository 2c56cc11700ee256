"""`/console/stores/{storeId}/imports/{importId}`: an import, how far it is, and what came of it."""

from typing import Any

from fastapi import Response
from sqlalchemy import Row

from profile_lookup.console.dependencies import ReadPage, WritePage
from profile_lookup.console.imports.dependencies import ImportInPath, fetch_import, import_address
from profile_lookup.console.imports.mapping_form import MappingForm
from profile_lookup.console.imports.mapping_routes import show_mapping
from profile_lookup.console.imports.texts import error_of, kind_of, notices_of
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.errors import ImportEnded
from profile_lookup.imports.progress import cancelled_after, rows_done, wrote_nothing
from profile_lookup.imports.staged_imports import is_waiting, staged_beginning
from profile_lookup.imports.undo import requests

router = page_router()


@router.get("/stores/{storeId}/imports/{importId}")
async def show_import(page: ReadPage, import_id: ImportInPath) -> Response:
    """Show the columns to check if the import waits with its file, and its progress otherwise."""
    row = await fetch_import(page, import_id)
    if page.may("write") and await _has_staged_file(page, row):
        return await show_mapping(page, row, MappingForm.stored(row))
    return await page.render(
        "imports/import.html",
        import_row=row,
        address=import_address(page, import_id),
        kind=kind_of(row),
        done=rows_done(row),
        error=error_of(row),
        notices=notices_of(row),
        is_waiting=is_waiting(row),
        can_be_undone=row.completed_at is not None and not wrote_nothing(row),
    )


@router.post("/stores/{storeId}/imports/{importId}/cancel")
async def cancel_import(page: WritePage, import_id: ImportInPath) -> Response:
    address = import_address(page, import_id)
    try:
        row = await requests.cancel_import(page.services.database, page.rules.id, import_id)
    except ImportEnded:
        return await page.redirect(address, "The import had ended before it could be cancelled.")
    if page.services.bucket is not None:
        await page.services.bucket.remove(page.rules.id, import_id)
    if row.uploaded_at is None:
        return await page.redirect(page.store_address("imports"), "The file is discarded. Nothing was imported.")
    return await page.redirect(address, f"{cancelled_after(row)}.")


async def _has_staged_file(page: StorePage, row: Row[Any]) -> bool:
    async with page.services.database.statements() as connection:
        return await staged_beginning(connection, row, 1) is not None
