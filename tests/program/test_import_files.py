"""Files as people have them, with invented people: the command for each, and what comes of it in a new store."""

import asyncio
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.imports.workbooks import Row, write_workbook
from tests.program.conftest import command

FILES = Path(__file__).parent.parent / "imports" / "files"
BENIN_ARCHIVE = Path(__file__).parent.parent / "database" / "benin-before-2024.jsonl"

ANA, BO = {"ana@example.com", "+34612345678"}, {"bo@example.com", "+14155550121"}
OUTLOOK = [{"juergen@example.com", "+4930901820", "+4915123456789"}, {"zoe@example.com", "+46701234567"}]
PEOPLE = "select array_agg(value) as values from identifier group by profile_id"


@dataclass(frozen=True)
class Outcome:
    """What comes of a file.

    - `people`: the identifiers of each person; None if there are too many to list
    - `counts`: created, updated, merged and refused rows
    - `ignored`, `refused`: the lines of the cells and rows, each with words of its reason
    - `printed`: what the command also says
    """

    file: str
    people: list[set[str]] | None
    counts: tuple[int, int, int, int]
    options: tuple[str, ...] = ()
    ignored: tuple[tuple[int, str], ...] | int = ()
    refused: tuple[tuple[int, str], ...] = ()
    printed: tuple[str, ...] = ()
    exit_code: int = 0


MANY = "(lines 2, 3, 4, …)"
OUTCOMES = [
    Outcome(
        "placeholder-email.csv", None, (150, 0, 0, 0), ignored=150,
        printed=("150 cells were ignored", f"One value of email stood in 150 rows {MANY}: a placeholder"),
    ),
    Outcome(
        "shared-office.csv", None, (1, 149, 0, 0),
        printed=(
            f"One value of email stands for 150 names: it stood in 150 rows {MANY}.",
            "50 identifiers were dropped by the limit of their type",
        ),
    ),
    Outcome(
        "placeholder-phones.csv", [], (0, 0, 0, 8), exit_code=1,
        refused=(
            (2, "ten equal digits"), (3, "ten equal digits"), (4, "ten equal digits"), (5, "ten equal digits"),
            (6, "UNAVAILABLE"), (7, "UNAVAILABLE"), (8, "RESTRICTED"), (9, "RESTRICTED"),
        ),
    ),
    Outcome(
        "pandas-float.csv",
        [
            {"ana@example.com", "+14155550121"}, {"bo@example.com", "+16175550123"},
            {"cy@example.com", "+13175556789"}, {"di@example.com", "+12125550123"},
        ],
        (4, 0, 0, 0),
    ),
    Outcome(
        "bad-phone-good-email.csv",
        [
            {"ana@example.com"}, {"bo@example.com"}, {"cy@example.com"}, {"di@example.com", "+2290197123456"},
            {"ed@example.com"},
        ],
        (5, 0, 0, 0),
        ignored=(
            (2, "expected a phone number"), (3, "a word that stands for no value"),
            (4, "a word that stands for no value"), (6, "letters and extensions have no place in E.164"),
        ),
    ),
    Outcome(
        "two-emails-in-cell.csv",
        [{"ana@example.com", "ana@work.example", "+34612345678", "+34612345680"}, {"+34612345679"}],
        (2, 1, 0, 0),
        ignored=((3, "expected an e-mail address: one @"),),
    ),
    Outcome(
        "two-phones.csv",
        [{"ana@example.com", "ana@work.example", "+34911234567", "+34612345678"}],
        (1, 0, 0, 0),
    ),
    Outcome(
        "google-2024.csv",
        [
            {"nadia.berg@example.com", "n.berg@example.org", "+14155550111", "+14155550112"},
            {"omar@example.com", "+14155550113"},
        ],
        (2, 0, 0, 0),
    ),
    Outcome("outlook-utf8.csv", OUTLOOK, (2, 0, 0, 0)),
    Outcome("outlook-cp1252.csv", OUTLOOK, (2, 0, 0, 0), options=("--encoding", "cp1252")),
    Outcome(
        "shopify.csv",
        [{"ana@example.com", "+34612345678"}, {"bo@example.com", "+14155550121"}, {"cy@example.com"}],
        (3, 0, 0, 0),
    ),
    Outcome("mailchimp.csv", [ANA], (1, 0, 0, 0)),
    Outcome("salesforce-dataloader.csv", [ANA], (1, 0, 0, 0)),
    Outcome("excel-de-utf8.csv", [{"juergen@example.com", "+4930901820"}], (1, 0, 0, 0)),
    Outcome(
        "excel-de.csv", [{"juergen@example.com", "+4930901820"}], (1, 0, 0, 0),
        options=("--encoding", "cp1252", "--country", "DE"),
    ),
    Outcome("excel-sep-en.csv", [ANA], (1, 0, 0, 0)),
    Outcome(
        "excel-scientific.csv",
        [
            {"a1@example.com"}, {"a2@example.com"}, {"a3@example.com"}, {"a6@example.com"}, {"a7@example.com"},
            {"a4@example.com", "a5@example.com", "a8@example.com", "+447911123456"},
        ],
        (6, 2, 0, 0),
        ignored=(
            (2, "a spreadsheet shortened this number"), (3, "a spreadsheet shortened this number"),
            (4, "a spreadsheet shortened this number"), (7, "make the column wider"), (8, "correct its formula"),
        ),
    ),
    Outcome("trailing-delimiter.csv", [ANA, BO], (2, 0, 0, 0)),
    Outcome(
        "dup-headers.csv", [{"ana@example.com", "ana2@example.com", "+34612345678", "+34612345679"}], (1, 0, 0, 0)
    ),
    Outcome("email-only.csv", [{"ana@example.com"}, {"bo@example.com"}], (2, 0, 0, 0)),
    Outcome("mac-cr.csv", [ANA, {"bo@example.com", "+34612345679"}], (2, 0, 0, 0)),
    Outcome(
        "quotes.csv", [ANA, {"cy@example.com", "+14155550122"}], (2, 0, 0, 2),
        refused=((3, "expected nothing between a closing quote and the delimiter"), (5, "expected 3 fields")),
    ),
]  # fmt: skip
FILES_THAT_ARE_REFUSED = {
    "outlook-cp1252.csv": "It looks like Windows-1252, in which Excel writes CSV files for western languages: save it "
    'as "CSV UTF-8" (in Excel: File, Save As, CSV UTF-8), or name its encoding: cp1252. The option for it is --encoding',
    "excel-de.csv": "name its encoding: cp1252. The option for it is --encoding",
}


def test_every_file_has_an_outcome() -> None:
    assert {outcome.file for outcome in OUTCOMES} == {path.name for path in FILES.glob("*.csv")}


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.file)
async def test_a_file_becomes_the_people_who_are_in_it(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path, outcome: Outcome
) -> None:
    refused, ignored = tmp_path / "refused.csv", tmp_path / "ignored.csv"
    arguments = ("import", str(FILES / outcome.file), "--store", store, "--yes", *outcome.options)
    reports = ("--refused", str(refused), "--ignored", str(ignored))
    done = await asyncio.to_thread(command, *arguments, *reports, DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert done.returncode == outcome.exit_code, done.stderr
    counts = await connection.fetchrow("select created, updated, merged, refused, cells_ignored from profile_import")
    ignored_lines, refused_lines = _lines(ignored), _lines(refused)
    assert tuple(counts or ()) == (*outcome.counts, len(ignored_lines))
    _compare(refused_lines, outcome.refused)
    if isinstance(outcome.ignored, int):
        assert len(ignored_lines) == outcome.ignored
    else:
        _compare(ignored_lines, outcome.ignored)
    people = [set(row["values"]) for row in await connection.fetch(PEOPLE)]
    if outcome.people is not None:
        assert sorted(map(sorted, people)) == sorted(map(sorted, outcome.people))
    assert all(text in done.stdout for text in outcome.printed)
    told = done.stdout + done.stderr + refused.read_text() + ignored.read_text()
    assert not any(value in told for values in people for value in values)


async def test_a_placeholder_joins_nobody_and_the_address_of_an_office_joins_as_many_phones_as_a_profile_may_have(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    people = "select count(distinct profile_id), count(*) from identifier where id_type = 'phone'"
    for file, expected in (("placeholder-email.csv", (150, 150)), ("shared-office.csv", (151, 250))):
        arguments = ("import", str(FILES / file), "--store", store, "--yes")
        done = await asyncio.to_thread(command, *arguments, DATABASE_URL=database_url, DATA_DIR=tmp_path)
        assert done.returncode == 0
        assert tuple(await connection.fetchrow(people) or ()) == expected


@pytest.mark.parametrize(("file", "reason"), FILES_THAT_ARE_REFUSED.items())
def test_a_file_in_another_encoding_is_refused_with_what_to_do(
    database_url: str, store: str, tmp_path: Path, file: str, reason: str
) -> None:
    path = str(FILES / file)
    done = command("import", path, "--store", store, "--yes", DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert reason in done.stderr


async def test_a_sheet_of_a_workbook_is_imported_and_its_lines_have_the_numbers_of_its_rows(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    rows: list[Row] = [
        ["Customers of 2026"], [], ["E-Mail", "Telefon", "Vorname"], ["ana@example.com\nana@work.example", 30901820, "Ana"],
        ["bo@example.com", 12, "Bo"], ["n/a", None, "Cy"],
    ]  # fmt: skip
    path = write_workbook(tmp_path / "people.xlsx", {"Notes": [["Nothing"]], "People": rows})
    ignored = tmp_path / "ignored.csv"
    options = ("--sheet", "People", "--country", "DE", "--ignored", str(ignored), "--yes")
    arguments = ("import", str(path), "--store", store, *options)
    done = await asyncio.to_thread(command, *arguments, DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'The sheet "People" is imported. The workbook also has Notes: see --sheet.' in done.stdout
    assert "The names of the columns stand in line 3; what is above them is skipped." in done.stdout
    people = [set(row["values"]) for row in await connection.fetch(PEOPLE)]
    assert sorted(map(sorted, people)) == [["+4930901820", "ana@example.com", "ana@work.example"], ["bo@example.com"]]
    _compare(_lines(ignored), ((5, "valid in DE"),))
    assert "\n6 " in done.stdout  # the refused row


async def test_a_number_finds_its_person_in_an_archive_that_is_older_than_the_numbers_of_its_country(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    restored = await asyncio.to_thread(command, "restore", str(BENIN_ARCHIVE), "--store", store, **settings)
    assert restored.stdout.startswith("Restored 5 profiles"), restored.stderr
    path = tmp_path / "numbers.csv"
    path.write_text("Phone\n+22997123456\n+2290197123456\n")
    done = await asyncio.to_thread(command, "import", str(path), "--store", store, "--yes", **settings)
    assert done.returncode == 0, done.stderr
    counts = await connection.fetchrow("select created, updated, merged from profile_import")
    assert tuple(counts or ()) == (0, 2, 0)
    holders = await connection.fetch("select profile_id from identifier where value = '+2290197123456'")
    assert len(holders) == 1


def _lines(report: Path) -> list[list[str]]:
    with report.open(newline="") as file:
        return list(csv.reader(file))[1:]


def _compare(lines: list[list[str]], expected: tuple[tuple[int, str], ...]) -> None:
    assert [int(line) for line, _, _ in lines] == [line for line, _ in expected]
    for (_, _, reason), (_, words) in zip(lines, expected, strict=True):
        assert words in reason
