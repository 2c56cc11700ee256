"""Workbooks as Excel writes them, but for all that an import does not read."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

Row = Sequence[str | float | None]

_OPEN = "http://schemas.openxmlformats.org"
_HIDDEN = ' state="hidden"'
_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPES = (
    f'{_XML}<Types xmlns="{_OPEN}/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Row]], hidden: Collection[str] = ()) -> Path:
    """Write a workbook with these sheets, of which some are hidden. None is an empty cell; a number is stored as one."""
    numbers = range(1, len(sheets) + 1)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"{_HIDDEN if name in hidden else ""}/>'
        for number, name in zip(numbers, sheets, strict=True)
    )
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", _TYPES)
        packed.writestr("_rels/.rels", _relations({"r1": ("officeDocument", "xl/workbook.xml")}))
        packed.writestr(
            "xl/workbook.xml",
            f'{_XML}<workbook xmlns="{_OPEN}/spreadsheetml/2006/main" '
            f'xmlns:r="{_OPEN}/officeDocument/2006/relationships"><sheets>{listed}</sheets></workbook>',
        )
        parts = {f"r{number}": ("worksheet", f"worksheets/sheet{number}.xml") for number in numbers}
        packed.writestr("xl/_rels/workbook.xml.rels", _relations(parts))
        for number, rows in zip(numbers, sheets.values(), strict=True):
            packed.writestr(f"xl/worksheets/sheet{number}.xml", _sheet(rows))
    return path


def _relations(parts: Mapping[str, tuple[str, str]]) -> str:
    relations = "".join(
        f'<Relationship Id="{name}" Type="{_OPEN}/officeDocument/2006/relationships/{kind}" Target="{target}"/>'
        for name, (kind, target) in parts.items()
    )
    return f'{_XML}<Relationships xmlns="{_OPEN}/package/2006/relationships">{relations}</Relationships>'


def _sheet(rows: Sequence[Row]) -> str:
    written = "".join(
        f'<row r="{number}">{"".join(_cell(place, number, value) for place, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
        if row
    )
    return f'{_XML}<worksheet xmlns="{_OPEN}/spreadsheetml/2006/main"><sheetData>{written}</sheetData></worksheet>'


def _cell(place: int, number: int, value: str | float | None) -> str:
    reference = f"{chr(ord('A') + place)}{number}"
    match value:
        case None:
            return ""
        case str():
            return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case _:
            return f'<c r="{reference}"><v>{value}</v></c>'
