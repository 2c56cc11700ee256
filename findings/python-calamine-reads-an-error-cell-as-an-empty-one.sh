#!/bin/sh
# python-calamine reads a cell whose formula failed as an empty one, and does not say so.
#
# A list of people often gets its phone numbers by VLOOKUP from another sheet. Where nothing was found, the workbook
# holds the error #N/A, with a type of its own (t="e") in the sheet's XML.
# Expected: the error as text (as the Rust library below it and openpyxl give it), or an exception.
# Seen: the empty text, which is also what an empty cell gives. So a reader cannot tell a person who has no number from
# one whose number was lost, and an import ends with exit code 0. The product says in docs/imports.md that such cells
# count as empty: see decision record 0050.
#
# It installs python-calamine, and XlsxWriter and openpyxl to make and check the workbook, into a temporary virtual
# environment, and exits with 1 if the behaviour has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install \
    python-calamine==0.9.1 openpyxl==3.1.5 xlsxwriter==3.2.9
"$directory/venv/bin/python" - "$directory/people.xlsx" <<'PYTHON'
import sys
from importlib.metadata import version

import openpyxl
import python_calamine
import xlsxwriter

path = sys.argv[1]
print(f"python-calamine {version('python-calamine')}, openpyxl {version('openpyxl')}")
with xlsxwriter.Workbook(path) as workbook:
    sheet = workbook.add_worksheet()
    sheet.write_row("A1", ["Name", "Phone"])
    sheet.write("A2", "Ann")
    sheet.write_formula("B2", '=VLOOKUP("Ann",D1:E2,2,FALSE)', None, "#N/A")
    sheet.write("A3", "Bob")  # he has no number
by_openpyxl = [list(row) for row in openpyxl.load_workbook(path, data_only=True).active.iter_rows(values_only=True)]
by_calamine = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
print(f"openpyxl: {by_openpyxl[1:]}")
print(f"python-calamine: {by_calamine[1:]}")
unchanged = by_openpyxl[1:] == [["Ann", "#N/A"], ["Bob", None]] and by_calamine[1:] == [["Ann", ""], ["Bob", ""]]
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
