"""What an import refused and ignored, as CSV. No operation of the contract has it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from profile_lookup.database.pool import Database
from profile_lookup.imports import queries
from profile_lookup.imports.dependencies import IMPORT_ERRORS, AddressedImport, ImportOfStore
from profile_lookup.imports.refused_rows import HEADER, Reports, as_csv, saved_reports
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import DatabaseOfApp
from profile_lookup.web.openapi import error_answers, header
from profile_lookup.web.wire import OURS

router = APIRouter(route_class=ContractRoute, tags=["Profile"])

_IMPORT = "/v1/Stores/{storeId}/Profiles/Imports/{importId}"


def _answers(description: str, example: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": description,
            "headers": {"Content-Disposition": header("string", "It suggests a name for the file.")},
            "content": {"text/csv": {"schema": {"type": "string"}, "example": f"line,column,reason\r\n{example}\r\n"}},
        },
        **error_answers(*IMPORT_ERRORS, has_body=False),
    }


@router.get(
    _IMPORT + "/RefusedRows",
    operation_id="FetchProfileImportRefusedRows",
    openapi_extra=OURS,
    summary="List the refused rows of an import, with reasons (ours)",
    response_class=StreamingResponse,
    responses=_answers(
        "The first line of each row, the column if one is the cause, and the reason; never a value.",
        "7,E-mail,expected at most 255 characters",
    ),
)
async def fetch_refused_rows(addressed: ImportOfStore, database: DatabaseOfApp) -> StreamingResponse:
    """The answer is CSV, in the file's order. While the import runs, it lists the rows that were refused so far.

    It lists only the first 100,000 refused rows of an import; `summary.errors` counts all.
    """
    return await _report(addressed, database, "refused-rows", lambda reports: reports.refused_rows)


@router.get(
    _IMPORT + "/IgnoredCells",
    operation_id="FetchProfileImportIgnoredCells",
    openapi_extra=OURS,
    summary="List the ignored cells of an import, with reasons (ours)",
    response_class=StreamingResponse,
    responses=_answers(
        "The first line of the row of each cell, the column and the reason; never a value.",
        "9,Phone,a word that stands for no value",
    ),
)
async def fetch_ignored_cells(addressed: ImportOfStore, database: DatabaseOfApp) -> StreamingResponse:
    """The rest of the row of such a cell was applied. The answer is CSV, in the file's order.

    It lists only the first 100,000 ignored cells of an import; `progress.cellsIgnored` counts all.
    """
    return await _report(addressed, database, "ignored-cells", lambda reports: reports.ignored_cells)


async def _report(
    addressed: AddressedImport, database: Database, name: str, part: Callable[[Reports], str]
) -> StreamingResponse:
    async with database.statements() as connection:
        await queries.fetch(connection, addressed.store.id, addressed.id)

    async def lines() -> AsyncIterator[str]:
        yield as_csv([HEADER])
        async for _, reports in saved_reports(database, addressed.store.id, addressed.id):
            yield part(reports)

    disposition = f'attachment; filename="{ids.import_id(addressed.id)}-{name}.csv"'
    return StreamingResponse(lines(), media_type="text/csv", headers={"Content-Disposition": disposition})
