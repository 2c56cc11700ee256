"""`/console/stores/{storeId}/imports`: the imports of a store, and the form that takes a file."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from fastapi import Response

from profile_lookup.console.dependencies import ReadPage, WritePage
from profile_lookup.console.imports.dependencies import import_address
from profile_lookup.console.imports.texts import kind_of
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.errors import FileRefused
from profile_lookup.imports import queries
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.workbook import is_workbook, write_sheet_as_csv
from profile_lookup.imports.staged_imports import is_waiting, stage
from profile_lookup.imports.uploads import scratch_file
from profile_lookup.imports.wire import MAX_FILE_SIZE
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.operations.quotas import Quotas
from profile_lookup.web.middleware.load_limits import without_turn
from profile_lookup.web.pagination import PageRequest, PageTokens, PageTokensOfApp, ShortPage, fetch_page

router = page_router()

_MAX_NAME = 255
_FORM = "upload"
_FIRST_PAGE = PageRequest(50, None, "DESC")


@router.get("/stores/{storeId}/imports")
async def list_imports(page: ReadPage, requested: ShortPage, tokens: PageTokensOfApp) -> Response:
    """Show the newest imports first."""
    return await _shown(page, requested, tokens)


@router.post("/stores/{storeId}/imports")
async def upload_file(page: WritePage, tokens: PageTokensOfApp, quotas: QuotasOfApp) -> Response:
    """Store a file. Its import waits until somebody has checked how it is read."""
    try:
        import_id = await _stored(page, quotas)
    except CORRECTABLE as error:
        return await _shown(page, _FIRST_PAGE, tokens, refusal=Refusal.of(_FORM, error), sheet=page.form.text("sheet"))
    return await page.redirect(import_address(page, import_id))


async def _stored(page: StorePage, quotas: Quotas) -> UUID:
    uploaded = page.form.file("file")
    if uploaded is None:
        raise FileRefused("expected a file")
    services = page.services
    waiting_time = timedelta(seconds=services.settings.upload_seconds)
    name = (uploaded.filename or "").replace("\0", "")[:_MAX_NAME]
    async with AsyncExitStack() as held:
        # Uploads wait for each other, and a workbook takes seconds to read: others use the connection meanwhile.
        async with without_turn(page.request.scope):
            await held.enter_async_context(services.load_limits.upload_turns)
            file, options = await held.enter_async_context(_as_csv(page, uploaded.file))
        async with services.database.write_transaction() as connection:
            return await stage(connection, page.rules, name, file, _size_of(file), options, waiting_time, quotas)


@asynccontextmanager
async def _as_csv(page: StorePage, file: BinaryIO) -> AsyncIterator[tuple[BinaryIO, ImportOptions]]:
    """Yield a file with text and how it is written: the file itself, or what a sheet of a workbook holds."""
    if not is_workbook(file):
        yield file, ImportOptions()
        return
    with scratch_file(page.services.settings.upload_directory) as converted:
        await asyncio.to_thread(write_sheet_as_csv, file, page.form.text("sheet").strip() or None, converted)
        yield converted, ImportOptions(delimiter=",", encoding="utf-8")


def _size_of(file: BinaryIO) -> int:
    """Return the size of the file. Raises `FileRefused` if an import cannot have it."""
    size = file.seek(0, os.SEEK_END)
    if not 0 < size <= MAX_FILE_SIZE:
        raise FileRefused(f"expected a file that is not empty and has at most {MAX_FILE_SIZE >> 20} MiB")
    return size


async def _shown(page: StorePage, requested: PageRequest, tokens: PageTokens, **values: Any) -> Response:
    query, scope = queries.details_of(page.rules.id), ("imports", str(page.rules.id))
    async with page.services.database.snapshot() as connection:
        found = await fetch_page(connection, query, queries.IMPORTS_KEY, requested, tokens, *scope)
    shown = [(row, is_waiting(row), kind_of(row), import_address(page, row.id)) for row in found.rows]
    return await page.render("imports/list.html", imports=shown, meta=found.meta, form=_FORM, **{"sheet": "", **values})
