"""`profile-lookup import`, run by a person at a terminal and by a script."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.imports.import_beginning import Choices, begin
from profile_lookup.commands.imports.import_run import report, watch
from profile_lookup.errors import FileRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.columns.column_fit import SAMPLE_ROWS
from profile_lookup.settings import Settings
from profile_lookup.web import ids
from tests.conftest import PATIENCE
from tests.database.contents import TRAITS
from tests.program.conftest import command, environment, serving, wait_until_blocked
from tests.program.forked import ForkedCommand

FILES = Path(__file__).parent.parent / "imports" / "files"
INSERT_KNOWN_PROFILE = """
    with made as (
        insert into profile (store_id, id, created_at) select id, gen_random_uuid(), now() from store returning *
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, 'chat', '600', id, '', now() from made
"""
PEOPLE = """\
E-mail;Phone number;First Name;Points
a@example.com;+13175550001;Ada;1
b@example.com;none at all;Bob;2

c@example.com;+13175550003;Cid;3
c@example.com;+13175550001;;4
A@example.com;;Ada;5
"""


def _write_file(directory: Path, content: str) -> str:
    path = directory / "people.csv"
    path.write_text(content)
    return str(path)


def _start_import(settings: dict[str, Any], *arguments: str) -> ForkedCommand:
    return ForkedCommand(["import", *arguments], environment(**settings))


def _import_ids(text: str) -> set[str]:
    return {word for word in text.split() if word.startswith("mem_import_")}


async def test_a_file_is_imported_by_the_names_of_its_columns(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    refused = tmp_path / "refused.csv"
    arguments = ("import", _write_file(tmp_path, PEOPLE), "--store", store, "--refused", str(refused))
    done = command(*arguments, "--strict", **settings)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1:5] == [
        ["E-mail", "Contact.email"], ["Phone", "number", "Contact.phone"], ["First", "Name", "Contact.firstName"],
        ["Points", "(left", "out)"],
    ]  # fmt: skip
    header_line = lines.index(["created", "updated", "merged", "refused", "empty", "lines", "seconds", "rows/s"])
    assert lines[header_line + 1][:5] == ["2", "1", "1", "1", "1"]
    assert lines[header_line + 4][:3] == ["3", "Phone", "number"]
    assert refused.read_text().startswith('line,column,reason\n3,Phone number,"expected digits')
    assert not any(value in done.stdout + refused.read_text() for value in ("none at all", "@example.com", "317555"))
    assert await connection.fetchval("select count(*) from identifier") == 4
    # Once more without --strict: nothing is created twice, and the bad cell costs its row nothing.
    again = command(*arguments[:4], "--map", "Points=Contact.city", "--leave-out", "First Name", **settings)
    assert (again.returncode, again.stderr) == (0, "")
    assert "\n1 cell was ignored; the rest of its row was imported\n" in again.stdout
    assert await connection.fetchval("select count(*) from identifier") == 5
    assert await connection.fetchval(f"select value from ({TRAITS}) where name = 'city'") == '"5"'


def test_ignored_cells_and_evicted_identifiers_are_counted(database_url: str, store: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    rows = [f"a@x.org,{number}" for number in range(102)]
    path = _write_file(tmp_path, "\n".join(["email,chat", *rows, "n/a,0.5", "b@x.org,null"]))
    done = command("import", path, "--store", store, **settings)
    assert done.returncode == 0
    assert "\n3 cells were ignored;" in done.stdout  # n/a, null, and the chat 0
    assert "\n1 identifier was dropped" in done.stdout
    assert '"evicted": {"chat": 1}' in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("email,phone\n", "The file has no rows below the names of its columns"),
        ("email\nnobody\n", "Not a single row was imported: each of them was refused"),
    ],
)
def test_an_import_without_a_single_row_fails_and_says_why(
    database_url: str, store: str, tmp_path: Path, content: str, message: str
) -> None:
    path = _write_file(tmp_path, content)
    done = command("import", path, "--store", store, DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert message in done.stdout


@pytest.mark.parametrize(
    "reports", [("--refused", "people.csv"), ("--ignored", "link"), ("--refused", "x", "--ignored", "x")]
)
def test_no_report_replaces_the_file_or_another_report(
    database_url: str, store: str, tmp_path: Path, reports: tuple[str, ...]
) -> None:
    path = _write_file(tmp_path, PEOPLE)
    (tmp_path / "link").symlink_to(path)
    options = [each if each.startswith("--") else str(tmp_path / each) for each in reports]
    failed = command("import", path, "--store", store, *options, DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr == "profile-lookup: FILE, --refused, --ignored: expected a file of its own for each\n"
    assert Path(path).read_text() == PEOPLE


@pytest.mark.parametrize(
    ("file", "notice"),
    [
        ("placeholder-email.csv", "One value of email stood in 150 rows (lines 2, 3, 4, …): a placeholder"),
        ("shared-office.csv", "One value of email stands for 150 names: it stood in 150 rows (lines 2, 3, 4, …)."),
    ],
)
def test_a_value_that_stood_in_many_rows_is_noticed(
    database_url: str, store: str, tmp_path: Path, file: str, notice: str
) -> None:
    path = str(FILES / file)
    done = command("import", path, "--store", store, "--yes", DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert done.returncode == 0
    assert notice in done.stdout
    assert not any(value in done.stdout for value in ("acme", "n/a", "415555"))


async def test_ctrl_c_leaves_an_import_that_can_be_resumed_and_each_row_is_applied_once(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    rows = [f"{number}@x.org,{number % 700 or 700}" for number in range(1000)]
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    await connection.execute(INSERT_KNOWN_PROFILE)
    path = _write_file(tmp_path, "\n".join(["email,chat", *rows]))
    async with connection.transaction():
        # This blocks the import after its first steps.
        await connection.execute("select from profile where store_id = $1 for update", ids.decoded(store))
        process = _start_import(settings, path, "--store", store)
        await wait_until_blocked(connection)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (130, "")
    (import_id,) = _import_ids(output)
    assert output.rstrip().endswith(f"profile-lookup import --resume {import_id}")
    assert 0 < await connection.fetchval("select max(created) from profile_import") < 699
    resumed = await asyncio.to_thread(command, "import", "--resume", import_id, **settings)
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert ["699", "301", "0", "0", "0"] in [line.split()[:5] for line in resumed.stdout.splitlines()]
    assert await connection.fetchval("select count(*) from identifier") == 1700
    assert await connection.fetchval("select count(*) from operation_piece") == 0


async def test_each_row_is_applied_once_while_a_service_works_on_imports_too(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    path = _write_file(tmp_path, "\n".join(["email", *(f"{number % 900}@x.org" for number in range(1000))]))
    with serving(**settings):
        done = await asyncio.to_thread(command, "import", path, "--store", store, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    counts = await connection.fetchrow("select created, updated, merged, refused from profile_import")
    assert tuple(counts or ()) == (900, 100, 0, 0)


def test_at_a_terminal_the_command_asks_to_confirm_the_mapping(database_url: str, store: str, tmp_path: Path) -> None:
    terminal, stdin = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "profile_lookup", "import", _write_file(tmp_path, PEOPLE), "--store", store],
        env=environment(DATABASE_URL=database_url, DATA_DIR=tmp_path),
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.write(terminal, b"n\n")
    output, _ = process.communicate(timeout=PATIENCE)
    os.close(terminal)
    os.close(stdin)
    assert process.returncode == 1
    assert "Contact.phone" in output
    assert "Import the file like this?" in output
    assert _import_ids(output) == set()


@pytest.mark.parametrize(
    ("content", "arguments", "output"),
    [
        (
            PEOPLE,
            {"Mail": "Contact.email"},
            "line 1 has no column Mail; it has E-mail, Phone number, First Name, Points",
        ),
        (PEOPLE, {"Points": "Contact.points"}, "there is no trait Contact.points; expected one of Contact.chat,"),
        (PEOPLE, {"E-mail": None, "Phone number": None}, "no column is known to hold phone numbers"),
        ("a@example.com,+13175550001\n", {"Mail": "Contact.email"}, "it has nothing that looks like a name"),
        ("email\na@example.com\n\udcff", {}, "line 3, byte 21 of the file: expected UTF-8"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_in_one_line_without_values(
    settings: Settings, store: str, tmp_path: Path, content: str, arguments: dict[str, str | None], output: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content.encode(errors="surrogateescape"))
    mapping = {column: TraitName(*trait.split(".")) if trait else None for column, trait in arguments.items()}
    with pytest.raises((CommandError, FileRefused), match=re.escape(output)) as refused:
        begin(settings, path, store, None, Choices(mapping, confirmed=True))
    assert len(str(refused.value).splitlines()) == 1
    assert "@" not in str(refused.value)


def test_a_failed_import_reports_its_reason(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["a@example.com"] * SAMPLE_ROWS  # those after them are not read before the import begins
    path = Path(_write_file(tmp_path, "\n".join(["email", *rows, '"b@example.com', ""])))
    row = watch(settings, begin(settings, path, store, None, Choices(confirmed=True)))
    report(settings, row, None, None)
    assert row.status == "FAILED"
    assert (
        f"FAILED: file: line {SAMPLE_ROWS + 2}: a quote is opened here that is never closed" in capsys.readouterr().out
    )
