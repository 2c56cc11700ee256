#!/usr/bin/env bash
# clevercsv takes the @ of a list of e-mail addresses for its delimiter, and the + of a list of phone numbers.
#
# Expected: one column. clevercsv judges a dialect by how many cells have a known type, and an e-mail address is one.
# Seen: a file with a single column of addresses gets the delimiter "@" and two columns, so that the column `email`
# holds local parts. A column of numbers in E.164 gets the delimiter "+": each number loses its plus and moves into a
# second column, which has no name. Nothing is raised or warned of. With both columns, the delimiter is found. The
# product chooses among , ; | and a tab, by the names of the columns: see docs/imports.md.
#
# It installs clevercsv into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install clevercsv==0.8.5
"$directory/venv/bin/python" - "$directory" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import clevercsv

PEOPLE = ["ann", "bob.jones", "carol", "dave_lee", "eve", "frank"]
ADDRESSES = [f"{person}@example.com" for person in PEOPLE]
NUMBERS = [f"+1317555010{place}" for place in range(len(PEOPLE))]
print(f"clevercsv {version('clevercsv')}, Python {sys.version.split()[0]}")


def first_row(header, cells):
    path = Path(sys.argv[1], "people.csv")
    path.write_text("\n".join([header, *cells, ""]))
    row = clevercsv.read_table(path)[1]
    print(f"{header}: {cells[0]} is {row}")
    return row


rows = [
    first_row("email", ADDRESSES),
    first_row("phone", NUMBERS),
    first_row("email,phone", [",".join(each) for each in zip(ADDRESSES, NUMBERS)]),
]
unchanged = rows == [["ann", "example.com"], ["", "13175550100"], ["ann@example.com", "+13175550100"]]
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
