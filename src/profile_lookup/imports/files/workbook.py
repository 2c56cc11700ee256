"""Reads a sheet of an Excel workbook (.xlsx) as CSV, in a process of its own.

A workbook is a packed file that anybody may have made, and it is in memory as a whole while it is read. So its size is
bounded before it is opened, and memory beyond that ends the reader's process alone. Each row of the sheet becomes one
line, so that a line's number is that of its row.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from zipfile import BadZipFile, ZipFile

from profile_lookup.errors import FileRefused

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MAX_SIZE = 20 << 20  # bytes
MAX_UNPACKED_SIZE = 256 << 20  # bytes
MAX_MEMORY = 3 << 30  # bytes of addresses that the reader's process may have
MAX_SECONDS = 300

LINE_BREAK = "\N{LINE SEPARATOR}"
"""Stands for a line break within a cell, which would begin a new line of CSV."""

_SIGNATURE = b"PK\x03\x04"
_NOT_READABLE = (
    'this workbook cannot be read: open it in Excel, and save it as "Excel Workbook (.xlsx)" without a password, '
    'or as "CSV UTF-8"'
)


class ReadSheet(NamedTuple):
    """The name of the sheet that was read, and the names of the workbook's other sheets, fit for a terminal."""

    name: str
    others: Sequence[str]


def is_workbook(file: BinaryIO) -> bool:
    """Return whether the file is packed, as a workbook is. No CSV file begins like it."""
    file.seek(0)
    return file.read(len(_SIGNATURE)) == _SIGNATURE


def write_sheet_as_csv(workbook: BinaryIO, sheet: str | None, target: BinaryIO) -> ReadSheet:
    """Write a sheet of the workbook to the target, as CSV with commas, and return which sheet it is.

    Without a name, it is the first one that is not hidden and not empty. Raises `FileRefused`.
    """
    if find_spec("python_calamine") is None:
        raise FileRefused(
            "this is an Excel workbook. To read it, install profile-lookup[xlsx]; or save it as CSV UTF-8 in Excel "
            "(File, Save As, CSV UTF-8), and import that file"
        )
    _refuse_large(workbook)
    workbook.seek(0)
    try:
        done = subprocess.run(  # noqa: S603 -- this very module
            [sys.executable, "-m", __name__, *([] if sheet is None else [sheet])],
            stdin=workbook,
            stdout=target,
            stderr=subprocess.PIPE,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FileRefused(_NOT_READABLE) from None
    if done.returncode == _REFUSED:
        raise FileRefused(done.stderr.decode().strip())
    if done.returncode != 0:
        raise FileRefused(_NOT_READABLE)
    return ReadSheet(*json.loads(done.stderr.splitlines()[-1]))


def _refuse_large(workbook: BinaryIO) -> None:
    size = os.fstat(workbook.fileno()).st_size
    if size > MAX_SIZE:
        raise FileRefused(f"this workbook is larger than {MAX_SIZE >> 20} MiB: save it as CSV UTF-8, and import that")
    try:
        with ZipFile(workbook) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
    except (BadZipFile, ValueError, OSError):
        raise FileRefused(_NOT_READABLE) from None
    if unpacked > MAX_UNPACKED_SIZE:
        raise FileRefused(
            f"this workbook has more than {MAX_UNPACKED_SIZE >> 20} MiB when it is unpacked: save it as CSV UTF-8, and "
            "import that"
        )


# What follows runs in the process of its own.

_REFUSED = 3
"""The exit code of that process when its only line says what a person can do."""


def _main() -> None:
    _limit_memory()
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 -- installed with the extra only

    try:
        with CalamineWorkbook.from_filelike(sys.stdin.buffer) as workbook:
            sheet = _named_sheet(workbook, sys.argv[1]) if len(sys.argv) > 1 else _first_sheet(workbook)
            rows = sheet.iter_rows()
            with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as target:
                csv.writer(target, lineterminator="\n").writerows(list(_cells(row)) if any(row) else [] for row in rows)
            others = [_printable(each) for each in workbook.sheet_names if each != sheet.name]
            json.dump(ReadSheet(_printable(sheet.name), others), sys.stderr)
    except CalamineError:
        sys.exit(1)


def _named_sheet(workbook: "CalamineWorkbook", wanted: str) -> "CalamineSheet":
    """Return the sheet with this name. As in Excel, case does not count."""
    names = {name.casefold(): name for name in workbook.sheet_names}
    if wanted.casefold() not in names:
        known = ", ".join(map(_printable, workbook.sheet_names))
        sys.stderr.write(f"this workbook has no such sheet; it has {known}")
        sys.exit(_REFUSED)
    return workbook.get_sheet_by_name(names[wanted.casefold()])


def _first_sheet(workbook: "CalamineWorkbook") -> "CalamineSheet":
    """Return the first sheet that people see and that holds something; if there is none, the first one."""
    from python_calamine import SheetVisibleEnum  # noqa: PLC0415 -- installed with the extra only

    visible = [each.name for each in workbook.sheets_metadata if each.visible == SheetVisibleEnum.Visible]
    filled = (sheet for sheet in map(workbook.get_sheet_by_name, visible) if sheet.height)
    return next(filled, None) or workbook.get_sheet_by_index(0)


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 -- there is none on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def _cells(row: Sequence[object]) -> Iterator[str]:
    for value in row:
        match value:
            case bool():
                yield "TRUE" if value else "FALSE"
            case float() if value.is_integer():
                yield str(int(value))
            case date():
                yield value.isoformat()
            case _:
                yield LINE_BREAK.join(str(value).splitlines())


if __name__ == "__main__":
    _main()
