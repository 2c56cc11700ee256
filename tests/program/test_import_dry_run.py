"""`profile-lookup import` shows the first rows before it asks, and `--dry-run` goes through all of them."""

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from profile_lookup.commands.imports.import_beginning import Choices, begin
from profile_lookup.settings import Settings
from tests.program.conftest import command

PEOPLE = """\
E-mail,Phone,First Name
ann@example.com,+13175556789,Ann
bo@example.com,no number,Bo
bo@example.com,+13175556789,Bo
nobody,,Cy
"""
COUNTS = ["2", "0", "1", "1", "0"]


def _write(directory: Path, content: str) -> str:
    path = directory / "people.csv"
    path.write_text(content)
    return str(path)


async def test_a_dry_run_says_what_the_import_would_do_and_writes_no_profile(
    database_url: str, store: str, connection: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    ignored = tmp_path / "ignored.csv"
    arguments = ("import", _write(tmp_path, PEOPLE), "--store", store)
    tried = command(*arguments, "--dry-run", "--ignored", str(ignored), **settings)
    assert (tried.returncode, tried.stderr) == (0, "")
    lines = tried.stdout.splitlines()
    assert "This was a dry run: no profile was written. An import at this moment would have this result:" in lines
    assert "1 cell would be ignored; the rest of its row would be imported" in lines
    assert _counts(lines) == COUNTS
    assert ignored.read_text().startswith('line,column,reason\n3,Phone,"expected digits')
    assert await connection.fetchval("select count(*) from profile") == 0
    (dry_run_id,) = {word for word in tried.stdout.split() if word.startswith("mem_import_")}
    again = command("import", "--resume", dry_run_id, **settings)
    assert (again.returncode, _counts(again.stdout.splitlines())) == (0, COUNTS)
    undone = command("import", "--undo", dry_run_id, "--yes", **settings)
    assert (undone.returncode, undone.stdout) == (0, "This import has written nothing, so there is nothing to undo.\n")
    cancelled = command("import", "--cancel", dry_run_id, **settings)
    assert cancelled.stderr == "profile-lookup: --cancel: the import has ended already\n"
    done = command(*arguments, "--yes", **settings)
    assert (done.returncode, _counts(done.stdout.splitlines())) == (0, COUNTS)
    assert await connection.fetchval("select count(*) from profile") == 1


def _counts(lines: list[str]) -> list[str]:
    (header,) = [number for number, line in enumerate(lines) if line.split()[:2] == ["created", "updated"]]
    return lines[header + 1].split()[:5]


def test_a_dry_run_by_which_no_row_would_be_applied_ends_with_exit_code_1(
    database_url: str, store: str, tmp_path: Path
) -> None:
    file = _write(tmp_path, "E-mail\nnobody\n")
    tried = command("import", file, "--store", store, "--dry-run", DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert tried.returncode == 1


def test_the_first_rows_are_shown_as_they_would_be_imported_but_without_their_values(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(settings, Path(_write(tmp_path, PEOPLE)), store, None, Choices(confirmed=True))
    output = capsys.readouterr().out
    lines = output.partition("What would become of the first rows:\n")[2].splitlines()
    shown = [line.split() for line in lines if not line.startswith(" ")]  # others continue a remark
    assert [line[:2] for line in shown] == [
        ["line", "outcome"], ["2", "create"], ["3", "create"], ["4", "merge"], ["5", "refused"],
    ]  # fmt: skip
    assert shown[2][2:5] == ["Phone:", "expected", "digits,"]
    assert not any(value in output for value in ("example.com", "no number", "nobody", "317555"))


def test_a_column_that_is_called_like_something_else_is_told_before_the_question(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"ann{number}@example.com,{number}" for number in range(1, 9)]
    begin(settings, Path(_write(tmp_path, "\n".join(["City,E-mail", *rows]))), store, None, Choices(confirmed=True))
    output = capsys.readouterr().out
    assert (
        "City is read as Contact.city, but most of its first cells do not look like it: see 8 rows (lines 2, 3, 4, …)."
        in output
    )
    assert "E-mail is read as Contact.email, but most of its first cells do not look like it" in output
    assert '--map "City=…", or leave it out, --leave-out "City"' in output
