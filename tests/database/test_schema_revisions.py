"""Code is served by a schema that is newer, until a migration takes away what that code needs."""

import re
from pathlib import Path
from types import ModuleType

import asyncpg
import httpx
import pytest

from profile_lookup.database.migrations import head
from profile_lookup.database.schema_revisions import CONTRACT, EXPAND, served
from tests.program.conftest import command

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


def migration(revision: str, phase: str = EXPAND, serves_from: str | None = None) -> ModuleType:
    module = ModuleType(revision)
    vars(module).update(revision=revision, phase=phase, serves_from=serves_from)
    return module


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda path: path.stem)
def test_every_migration_says_whether_it_expands_or_contracts(path: Path) -> None:
    header = path.read_text().partition("\ndef ")[0]
    (phase,) = re.findall(r'^phase = "(.*)"$', header, re.MULTILINE)
    serves_from = re.findall(r"^serves_from = (.*)$", header, re.MULTILINE)
    assert (phase, len(serves_from)) in {(EXPAND, 0), (CONTRACT, 1)}
    known = {each.stem for each in VERSIONS.glob("*.py")}
    assert all(each == "revision" or each.strip('"') in known for each in serves_from)


def test_expanding_migrations_serve_all_code() -> None:
    chain = [migration("c"), migration("b"), migration("a")]
    assert list(served(chain)) == [("c", True), ("b", True), ("a", True)]


def test_a_contracting_migration_serves_code_from_the_revision_on_that_it_names() -> None:
    chain = [migration("e"), migration("d", CONTRACT, "b"), migration("c"), migration("b"), migration("a")]
    assert dict(served(chain)) == {"e": True, "d": True, "c": True, "b": True, "a": False}


def test_the_strictest_of_several_contracting_migrations_decides() -> None:
    chain = [migration("d", CONTRACT, "a"), migration("c", CONTRACT, "c"), migration("b"), migration("a")]
    assert dict(served(chain)) == {"d": True, "c": True, "b": False, "a": False}


async def test_readiness_asks_whether_the_schema_serves_this_version(
    client: httpx.AsyncClient, database_url: str
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    connection = await asyncpg.connect(database_url)
    await connection.execute("update alembic_version set version_num = '9999_of_the_future'")
    await connection.execute("insert into schema_revision values ('9999_of_the_future', true)")
    assert (await client.get("/readyz")).status_code == 200
    await connection.execute("update schema_revision set is_served = false where revision = $1", head())
    too_new = await client.get("/readyz")
    assert (too_new.status_code, "newer version" in too_new.text) == (503, True)
    await connection.execute("delete from schema_revision where revision = $1", head())
    missing = await client.get("/readyz")
    assert (missing.status_code, "profile-lookup migrate" in missing.text) == (503, True)
    await connection.close()


async def test_commands_say_in_one_line_if_a_schema_does_not_serve_them(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert command("migrate", "--check", DATABASE_URL=database_url).stdout == "The schema is up to date.\n"
    await connection.execute("update alembic_version set version_num = '9999_of_the_future'")
    assert (
        command("migrate", DATABASE_URL=database_url).stdout == "The schema is up to date.\n"
    )  # it is newer, and serves
    await connection.execute("update schema_revision set is_served = false")
    for arguments in (("migrate",), ("migrate", "--check"), ("accounts", "list")):
        failed = command(*arguments, DATABASE_URL=database_url)
        assert failed.returncode == 1
        assert failed.stderr == (
            "profile-lookup: The schema is of a newer version and no longer serves this one: install a newer version\n"
        )
    await connection.close()


def test_migrate_check_names_missing_migrations_with_their_phases(empty_database_url: str) -> None:
    failed = command("migrate", "--check", DATABASE_URL=empty_database_url)
    assert failed.returncode == 1
    assert failed.stderr.startswith("profile-lookup: The schema lacks migrations: 2026_11_24_identity (expand), ")
