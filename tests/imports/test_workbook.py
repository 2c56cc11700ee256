"""Sheets of Excel workbooks, read as CSV in a process of its own."""

from pathlib import Path
from tempfile import TemporaryFile
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from profile_lookup.errors import FileRefused
from profile_lookup.imports.files import workbook
from profile_lookup.imports.files.workbook import ReadSheet, is_workbook, write_sheet_as_csv
from tests.imports.workbooks import Row, write_workbook

SHEETS: dict[str, list[Row]] = {
    "Leute": [
        [], ["List of 2026"], ["E-mail", "Phone", "First"],
        ["ann@example.com", 4155550121, "Ann"], [None, 447911123456.0, 'B, "o"'], [], ["a\nb", 1.5, None],
    ],
    "Zwei": [["Phone"], ["+34612345678"]],
}  # fmt: skip


def _read(path: Path, sheet: str | None = None) -> str:
    return _read_sheet(path, sheet)[1]


def _read_sheet(path: Path, sheet: str | None = None) -> tuple[ReadSheet, str]:
    with path.open("rb") as file, TemporaryFile() as target:
        assert is_workbook(file)
        read = write_sheet_as_csv(file, sheet, target)
        target.seek(0)
        return read, target.read().decode()


def test_each_row_becomes_a_line_and_a_whole_number_its_digits(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "people.xlsx", SHEETS)
    assert _read(path).split("\n") == [
        "", "List of 2026,,", "E-mail,Phone,First", "ann@example.com,4155550121,Ann", ',447911123456,"B, ""o"""', "",
        "a\u2028b,1.5,", "",
    ]  # fmt: skip


def test_a_sheet_can_be_named(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "people.xlsx", SHEETS)
    for name in ("Zwei", "zwei"):
        assert _read_sheet(path, name) == (ReadSheet("Zwei", ["Leute"]), "Phone\n+34612345678\n")
    with pytest.raises(FileRefused, match="file: this workbook has no such sheet; it has Leute, Zwei"):
        _read(path, "Drei")


def test_the_first_sheet_is_one_that_people_see_and_that_holds_something(tmp_path: Path) -> None:
    sheets: dict[str, list[Row]] = {"Codes": [["Code"]], "Empty": [], "People": [["Phone"]], "Old": [["Phone"]]}
    path = write_workbook(tmp_path / "people.xlsx", sheets, hidden=["Codes"])
    assert _read_sheet(path) == (ReadSheet("People", ["Codes", "Empty", "Old"]), "Phone\n")
    path = write_workbook(tmp_path / "empty.xlsx", {"Empty": []})
    assert _read_sheet(path) == (ReadSheet("Empty", []), "")


def test_a_csv_file_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("Phone\n")
    with path.open("rb") as file:
        assert not is_workbook(file)


def test_a_workbook_that_is_large_when_unpacked_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "people.xlsx", SHEETS)
    with ZipFile(path, "a", ZIP_DEFLATED) as packed, packed.open("xl/media/image.png", "w") as image:
        for _ in range(workbook.MAX_UNPACKED_SIZE >> 20):
            image.write(bytes(1 << 20))
    assert path.stat().st_size < workbook.MAX_SIZE
    with pytest.raises(FileRefused, match="more than 256 MiB when it is unpacked"):
        _read(path)


def test_a_workbook_of_many_bytes_is_refused(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "people.xlsx", SHEETS)
    with path.open("r+b") as file:
        file.truncate(workbook.MAX_SIZE + 1)
    with pytest.raises(FileRefused, match="larger than 20 MiB"):
        _read(path)


def test_another_packed_file_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with ZipFile(other, "w") as packed:
        packed.writestr("people.csv", "Phone\n")
    damaged = tmp_path / "damaged.xlsx"
    damaged.write_bytes(write_workbook(tmp_path / "people.xlsx", SHEETS).read_bytes()[:400])
    for path in (other, damaged):
        with pytest.raises(FileRefused, match="this workbook cannot be read: open it in Excel"):
            _read(path)
