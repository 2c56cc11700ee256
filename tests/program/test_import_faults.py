"""A large file in which one of a hundred rows has each kind of fault: all that is good is imported, all else is told."""

import asyncio
import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from tests.program.conftest import MIB
from tests.program.measuring import measured

ROWS = int(os.environ.get("FAULTY_ROWS", "20000"))
"""A million takes some minutes; see CONTRIBUTING.md."""
MAX_MEMORY = 150 * MIB
MAX_REPORTED = 100_000

IGNORED_CELLS = {
    1: ("030 901820 11 22", "expected"), 2: ("n/a", "a word that stands for no value"),
    3: ("4,47911E+11", "a spreadsheet shortened this number"), 4: ("#####", "make the column wider"),
    5: ("=A1", "this is a formula"), 6: ("+14155550121 ext 5", "letters and extensions"),
}  # fmt: skip
"""Faults of the phone number, by the last two digits of the row's number, and words of the reason."""
REFUSED_ROWS = {
    21: ('"a"b@example.com,,', "expected nothing between a closing quote"),
    22: ("{email},{phone},Ann,surplus", "expected 3 fields"),
    23: (",,Ann", "expected a value in a column that identifies"),
    24: ("nobody,,Ann", "expected an e-mail address"),
    25: ("n/a,-,Ann", "blocked"),
}
HARMLESS = {
    31: "{email},{phone},Ann,", 32: "{email},{phone}", 33: "'{email},'{phone},Ann", 34: '"=""{email}""",{phone}.0,Ann',
    35: '"Ann <{email}>","{phone} ::: {phone}",Ann', 36: "{email},tel:{phone},Ann",
}  # fmt: skip


def _lines() -> Iterator[str]:
    yield "Email,Phone,First name\r\n"
    for number in range(ROWS):
        values = {"email": f"p{number}@example.com", "phone": f"+1{2125550000 + number}"}
        kind = number % 100
        if kind in IGNORED_CELLS:
            line = f'{{email}},"{IGNORED_CELLS[kind][0]}",Ann'
        elif kind in REFUSED_ROWS:
            line = REFUSED_ROWS[kind][0]
        else:
            line = HARMLESS.get(kind, "{email},{phone},Ann")
        yield line.format_map(values) + "\r\n"


async def test_all_good_rows_and_cells_are_imported_and_each_bad_one_is_told_in_little_memory(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    path, refused, ignored = (tmp_path / f"{name}.csv" for name in ("people", "refused", "ignored"))
    with path.open("w", newline="") as file:
        file.writelines(_lines())
    arguments = ("import", path, "--store", store, "--yes", "--refused", refused, "--ignored", ignored)
    done, peak = await asyncio.to_thread(measured, *map(str, arguments), DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert done.returncode == 0, done.stderr
    assert peak < MAX_MEMORY
    hundreds = ROWS // 100
    bad, refusals = len(IGNORED_CELLS) * hundreds, len(REFUSED_ROWS) * hundreds
    counts = await connection.fetchrow("select created, updated, merged, refused, cells_ignored from profile_import")
    assert tuple(counts or ()) == (ROWS - refusals, 0, 0, refusals, bad)
    identifiers = "select count(*) filter (where id_type = 'email'), count(*) from identifier"
    assert tuple(await connection.fetchrow(identifiers) or ()) == (ROWS - refusals, 2 * (ROWS - refusals) - bad)
    _compare(ignored, {kind: reason for kind, (_, reason) in IGNORED_CELLS.items()})
    _compare(refused, {kind: reason for kind, (_, reason) in REFUSED_ROWS.items()})


def _compare(report: Path, reasons: dict[int, str]) -> None:
    """Compare a report with the reasons by the last two digits of the rows' numbers; the header is line 1."""
    found = Counter[int]()
    with report.open(newline="") as file:
        for line, _, reason in list(csv.reader(file))[1:]:
            kind = (int(line) - 2) % 100
            assert reasons[kind] in reason
            found[kind] += 1
    assert sum(found.values()) == min(MAX_REPORTED, len(reasons) * (ROWS // 100))
    assert found.keys() == reasons.keys()
