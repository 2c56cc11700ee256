"""The refused rows and the ignored cells of an import, page by page, and as a file."""

import csv
import io
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from fastapi import Path, Query, Response

from profile_lookup.console.dependencies import ReadPage
from profile_lookup.console.imports.dependencies import ImportInPath, fetch_import, import_address
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.imports.dependencies import AddressedImport
from profile_lookup.imports.files.spreadsheet_marks import without_mark
from profile_lookup.imports.refused_rows import MAX_REPORTED, saved_reports
from profile_lookup.imports.report_routes import fetch_ignored_cells, fetch_refused_rows

router = page_router()

_PAGE_SIZE = 100  # lines; the last step of an import that fits may add some hundred

Part = Annotated[Literal["refused-rows", "ignored-cells"], Path()]


class _ReportPage(NamedTuple):
    """Lines of a report, and the position after which the next page begins; None if there is no other."""

    lines: list[list[str]]
    following: int | None


@router.get("/stores/{storeId}/imports/{importId}/{part}")
async def report(
    page: ReadPage, import_id: ImportInPath, part: Part, after: Annotated[int, Query(ge=-1, lt=1 << 31)] = -1
) -> Response:
    """Show the lines of a report that the steps of the import after a position have made."""
    row = await fetch_import(page, import_id)
    found = await _read(page, import_id, part, after)
    address = import_address(page, import_id)
    return await page.render(
        "imports/report.html",
        import_row=row,
        address=address,
        part=part,
        count=row.refused if part == "refused-rows" else row.cells_ignored,
        most=MAX_REPORTED,
        lines=found.lines,
        following=found.following,
        is_first=after == -1,
    )


@router.get("/stores/{storeId}/imports/{importId}/{part}/file")
async def report_file(page: ReadPage, import_id: ImportInPath, part: Part) -> Response:
    addressed = AddressedImport(page.rules, import_id)
    fetch = fetch_refused_rows if part == "refused-rows" else fetch_ignored_cells
    return await fetch(addressed, page.services.database)


async def _read(page: StorePage, import_id: UUID, part: str, after: int) -> _ReportPage:
    lines: list[list[str]] = []
    last = after
    async for position, reports in saved_reports(page.services.database, page.rules.id, import_id, after):
        text = reports.refused_rows if part == "refused-rows" else reports.ignored_cells
        if text and len(lines) >= _PAGE_SIZE:
            return _ReportPage(lines, last)
        lines += [[without_mark(cell) for cell in line] for line in csv.reader(io.StringIO(text, newline=""))]
        last = position
    return _ReportPage(lines, None)
