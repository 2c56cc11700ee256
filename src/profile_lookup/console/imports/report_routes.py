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

_PAGE_SIZE = 100  # lines

Part = Annotated[Literal["refused-rows", "ignored-cells"], Path()]


class _Place(NamedTuple):
    """Where a page begins: with the report after the one at this position, without its first `skip` lines."""

    after: int
    skip: int


@router.get("/stores/{storeId}/imports/{importId}/{part}")
async def show_report(
    page: ReadPage,
    import_id: ImportInPath,
    part: Part,
    after: Annotated[int, Query(ge=-1, lt=1 << 31)] = -1,
    skip: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Show a page of the report. Each step of the import has saved a part of it at a position."""
    row = await fetch_import(page, import_id)
    lines, following = await _read(page, import_id, part, _Place(after, skip))
    return await page.render(
        "imports/report.html",
        import_row=row,
        address=import_address(page, import_id),
        part=part,
        count=row.refused if part == "refused-rows" else row.cells_ignored,
        most=MAX_REPORTED,
        lines=lines,
        following=following,
        is_first=(after, skip) == (-1, 0),
    )


@router.get("/stores/{storeId}/imports/{importId}/{part}/file")
async def save_report(page: ReadPage, import_id: ImportInPath, part: Part) -> Response:
    addressed = AddressedImport(page.rules, import_id)
    fetch = fetch_refused_rows if part == "refused-rows" else fetch_ignored_cells
    return await fetch(addressed, page.services.database)


async def _read(page: StorePage, import_id: UUID, part: str, place: _Place) -> tuple[list[list[str]], _Place | None]:
    """Return the lines of a page, and where the next one begins; None if there is no other."""
    lines: list[list[str]] = []
    async for position, reports in saved_reports(page.services.database, page.rules.id, import_id, place.after):
        report = _lines(reports.refused_rows if part == "refused-rows" else reports.ignored_cells)[place.skip :]
        room = _PAGE_SIZE - len(lines)
        lines += report[:room]
        if len(report) > room:
            return lines, _Place(place.after, place.skip + room)
        place = _Place(position, 0)
    return lines, None


def _lines(report: str) -> list[list[str]]:
    return [[without_mark(cell) for cell in line] for line in csv.reader(io.StringIO(report, newline=""))]
