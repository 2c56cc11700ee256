"""An import is undone from the command line: the store is what it was, but for what others wrote meanwhile."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from profile_lookup.archives.wire.lines import ArchivedProfile
from profile_lookup.database.pool import Database
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.ingest.ingest import ingest
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from tests.conftest import PATIENCE
from tests.database.archived_stores import exported, rules_of
from tests.program.conftest import MIB, command, environment, wait_until_blocked
from tests.program.forked import ForkedCommand
from tests.program.measuring import measured

ROWS = int(os.environ.get("UNDO_ROWS", "600"))
"""The rows of the import; the store has half as many profiles before it. 200,000 take some minutes: CONTRIBUTING.md."""
MAX_MEMORY = 200 * MIB
OTHERS = 100  # writes


def _base_lines() -> Iterator[str]:
    yield "Email,Phone,First name\r\n"
    for number in range(ROWS // 2):
        yield f"p{number}@example.com,+1{2125550000 + number},Ann {number}\r\n"


def _lines() -> Iterator[str]:
    """A third of the rows is about profiles of the store, and joins some of them; the others make new ones."""
    yield "Email,Phone,First name\r\n"
    for number in range(ROWS):
        known = number // 3
        if number % 3:
            yield f"new{number}@example.com,+1{3125550000 + number},Bob\r\n"
        elif known % 10:
            yield f"p{known}@example.com,+1{4125550000 + known},Anna\r\n"
        else:
            yield f"p{known}@example.com,+1{2125550000 + known + 1},Anna\r\n"


def _write(path: Path, lines: Iterator[str]) -> str:
    with path.open("w", newline="") as file:
        file.writelines(lines)
    return str(path)


def _imported(path: str, store: str, **settings: object) -> str:
    """Import a file, and return the import's ID."""
    done = command("import", path, "--store", store, "--yes", **settings)
    assert done.returncode == 0, done.stderr
    (import_id,) = set(re.findall("mem_import_[0-9a-z]{26}", done.stdout))
    return str(import_id)


def _counts(output: str) -> list[int]:
    """Return the last counts that the command printed: erased, split, restored, left."""
    lines = output.splitlines()
    places = [place for place, line in enumerate(lines) if line.split() == ["erased", "split", "restored", "left"]]
    return [int(each.replace(",", "")) for each in lines[places[-1] + 1].split()]


async def write_as_others(database: Database, store: StoreRules, first: int, count: int) -> None:
    """Write a city of a few profiles that were there before the import, and make some new ones."""

    def change(number: int) -> Change:
        sent = f"p{number}@example.com" if number % 2 else f"other{number}@example.com"
        email = store.settings.normalize(Identifier("email", sent))
        return Change((email,), {TraitName("Contact", "city"): f"City {number}"})

    for number in range(first, first + count):
        at = datetime(2026, 1, 1, microsecond=number, tzinfo=UTC)
        await ingest(database, store, lambda _, number=number: change(number), at, actor=Actor("key", "SK0"))  # type: ignore[misc]


def _by_id(lines: Sequence[bytes]) -> dict[UUID, bytes]:
    return {ArchivedProfile.model_validate_json(line).id: line for line in lines[1:]}


async def test_the_store_is_what_it_was_but_for_what_others_wrote_meanwhile(
    database: Database, database_url: str, store: str, tmp_path: Path
) -> None:
    settings: Mapping[str, object] = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    await asyncio.to_thread(_imported, _write(tmp_path / "base.csv", _base_lines()), store, **settings)
    before = await exported(database, store)
    rules = await rules_of(database, store)
    began = time.monotonic()
    importing = asyncio.to_thread(_imported, _write(tmp_path / "people.csv", _lines()), store, **settings)
    import_id, _ = await asyncio.gather(importing, write_as_others(database, rules, 0, OTHERS // 2))
    await write_as_others(database, rules, OTHERS // 2, OTHERS // 2)
    imported_in = time.monotonic() - began
    during = await exported(database, store)
    assert len(during) > ROWS

    began = time.monotonic()
    done, peak = await asyncio.to_thread(measured, "import", "--undo", import_id, "--yes", **settings)
    undone_in = time.monotonic() - began
    assert done.returncode == 0, done.stderr + done.stdout
    print(f"{ROWS:,} rows: {imported_in:.1f} s; tried and undone: {undone_in:.1f} s, {peak / MIB:.0f} MiB")  # noqa: T201
    print(done.stdout)  # noqa: T201
    assert peak < MAX_MEMORY
    known = len(range(0, ROWS, 3))
    erased, split, restored, left = _counts(done.stdout)
    assert (erased, left) == (ROWS - known, 0)
    assert split + restored >= known * 9 // 10

    after, former = _by_id(await exported(database, store)), _by_id(before)
    others = {number for number in range(OTHERS) if number % 2}
    touched = {
        profile_id
        for profile_id, line in former.items()
        if any(f'"p{number}@example.com"'.encode() in line for number in others)
    }
    assert {each: after[each] for each in former.keys() - touched} == {
        each: former[each] for each in former.keys() - touched
    }
    for profile_id in touched:
        _compare_but_for_the_city(former[profile_id], after[profile_id])
    new = [ArchivedProfile.model_validate_json(after[each]) for each in after.keys() - former.keys()]
    assert sorted(each.identifiers[0].value for each in new) == sorted(
        f"other{number}@example.com" for number in range(0, OTHERS, 2)
    )
    async with database.statements() as connection:
        assert await connection.scalar(text("select count(*) from separation")) == 0


def _compare_but_for_the_city(before: bytes, after: bytes) -> None:
    one, other = (ArchivedProfile.model_validate_json(each) for each in (before, after))
    assert [each for each in other.traits if each.name != "city"] == one.traits
    assert len(other.traits) == len(one.traits) + 1
    assert (other.identifiers, other.aliases) == (one.identifiers, one.aliases)


@pytest.mark.parametrize(
    ("lock", "erased"),
    [
        ("lock table identifier in share mode", 0),
        pytest.param(
            "select from event where document #>> '{o,0}' = 'import' order by number limit 1 for key share",
            ROWS - len(range(0, ROWS, 3)),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["while it erases", "afterwards"],
)
async def test_an_undo_that_is_killed_goes_on_when_the_command_is_run_again(
    database: Database,
    database_url: str,
    store: str,
    connection: "asyncpg.Connection[Any]",
    tmp_path: Path,
    lock: str,
    erased: int,
) -> None:
    settings: Mapping[str, object] = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    await asyncio.to_thread(_imported, _write(tmp_path / "base.csv", _base_lines()), store, **settings)
    before = await exported(database, store)
    import_id = await asyncio.to_thread(_imported, _write(tmp_path / "people.csv", _lines()), store, **settings)
    profiles = await connection.fetchval("select count(*) from profile")
    async with connection.transaction():
        # The dry run only reads. The undo deletes identifiers first, and events of the import after all erasures.
        await connection.execute(lock)
        process = _start_undo(import_id, **settings)
        await wait_until_blocked(connection)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    assert await connection.fetchval("select count(*) from profile") == profiles - erased
    done = await asyncio.to_thread(command, "import", "--undo", import_id, **settings)  # it does not ask again
    assert done.returncode == 0, done.stderr + done.stdout
    assert await exported(database, store) == before


def _start_undo(import_id: str, **settings: object) -> ForkedCommand:
    return ForkedCommand(["import", "--undo", import_id, "--yes"], environment(**settings))


async def test_the_command_shows_what_it_would_do_and_asks(
    database: Database, database_url: str, store: str, tmp_path: Path
) -> None:
    settings: Mapping[str, object] = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    path = tmp_path / "people.csv"
    path.write_text("Email,Phone\na@example.com,+13175550001\nb@example.com,\n")
    import_id = await asyncio.to_thread(_imported, str(path), store, **settings)
    before = await exported(database, store)
    asked = await asyncio.to_thread(command, "import", "--undo", import_id, **settings)
    assert asked.returncode == 1
    assert "Undo this import?" in asked.stdout
    assert _counts(asked.stdout) == [2, 0, 0, 0]
    assert await exported(database, store) == before
    done = await asyncio.to_thread(command, "import", "--undo", import_id, "--yes", **settings)
    assert (done.returncode, done.stdout.rstrip().splitlines()[-1]) == (0, "The import is undone.")
    again = await asyncio.to_thread(command, "import", "--undo", import_id, **settings)
    assert (again.returncode, again.stdout.rstrip().splitlines()[-1]) == (0, "Nothing is left of this import.")
    cancelled = await asyncio.to_thread(command, "import", "--cancel", import_id, **settings)
    assert cancelled.returncode != 0
    assert "the import has ended already" in cancelled.stderr


@pytest.mark.parametrize("option", ["--undo", "--cancel"])
def test_an_unknown_import_is_refused(database_url: str, store: str, tmp_path: Path, option: str) -> None:
    unknown = ids.import_id(UUID(int=0))
    done = command("import", option, unknown, DATABASE_URL=database_url, DATA_DIR=tmp_path)
    assert store
    assert done.returncode != 0
    assert f"{option}: this account has no such import" in done.stderr
