"""The migration to one document of traits per profile keeps all data, also if it is killed and started again."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from sqlalchemy import exc

from profile_lookup.database.migrations import alembic_config, migrate
from tests.database.contents import TRAITS

BEFORE = "2026_11_28_access"
STORES = [UUID(int=1), UUID(int=2)]
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
VALUES: list[object] = ["Gary", "", "é\u2028\U0001f600", 7, -(2**31), True, [1, "a", False], []]
IDENTIFIERS = "select store_id, id_type, value, profile_id, added_at, fuzzy_key, names"
MANY = 6000  # profiles, several batches


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection to a database of the schema before."""
    await asyncio.to_thread(command.upgrade, alembic_config(empty_database_url), BEFORE)
    opened = await asyncpg.connect(empty_database_url)
    yield opened
    await opened.close()


async def _fill(connection: "asyncpg.Connection[Any]") -> None:
    """Store profiles of all kinds in two stores: with aliases, without traits, with shared and with fuzzy values."""
    for store_id in STORES:
        for number, value in enumerate(VALUES):
            profile_id, at = UUID(int=10 * number + 1), START + timedelta(microseconds=number)
            await connection.execute("insert into profile values ($1, $2, $3)", store_id, profile_id, at)
            for name in ("one", "two")[: number % 3]:
                await connection.execute(
                    "insert into trait values ($1, $2, 'Contact', $3, $4, $5), ($1, $2, $3, 'x', '1', $5)",
                    store_id, profile_id, name, json.dumps(value), at,
                )  # fmt: skip
            for id_type, is_unique, fuzzy_key, names in (
                (f"chat{number}", True, None, [1, -2]),
                ("cookie", False, None, None),
                (f"name{number}", True, 7, None),
            ):
                await connection.execute(
                    "insert into identifier values ($1, $2, 'v', $3, $4, $5, $6, $7)",
                    store_id, id_type, profile_id, is_unique, at, fuzzy_key, names,
                )  # fmt: skip
            await connection.execute(
                "insert into alias values ($1, $2, $3)", store_id, UUID(int=500 + number), profile_id
            )


async def _fill_with_many(connection: "asyncpg.Connection[Any]") -> None:
    await connection.execute(f"""
        with made as (
            insert into profile select '{STORES[0]}', gen_random_uuid(), now() from generate_series(1, {MANY})
            returning *
        ),
        described as (
            insert into trait select store_id, id, 'Contact', name, '"Gary"', now()
            from made cross join unnest(array['city', 'state']) as name
        )
        insert into identifier select store_id, 'chat', id::text, id, true, now() from made
    """)


async def _rows(connection: "asyncpg.Connection[Any]", query: str) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, await connection.fetch(query)), key=str)


async def test_all_rows_are_kept(empty_database_url: str, connection: "asyncpg.Connection[Any]") -> None:
    await _fill(connection)
    queries = ("select store_id, id, created_at from profile", "select * from alias")
    before = [await _rows(connection, query) for query in (*queries, f"{IDENTIFIERS}, is_unique from identifier")]
    traits = await _rows(connection, "select store_id, profile_id, group_name, name, value, written_at from trait")
    assert len(traits) > len(VALUES)
    await asyncio.to_thread(migrate, empty_database_url)
    marked = f"{IDENTIFIERS}, shared_by = '' from identifier"
    assert [await _rows(connection, query) for query in (*queries, marked)] == before
    assert await _rows(connection, f"select * from ({TRAITS})") == traits
    await asyncio.to_thread(command.downgrade, alembic_config(empty_database_url), BEFORE)
    after = [await _rows(connection, query) for query in (*queries, f"{IDENTIFIERS}, is_unique from identifier")]
    assert after == before
    assert (
        await _rows(connection, "select store_id, profile_id, group_name, name, value, written_at from trait") == traits
    )


async def test_a_migration_that_was_killed_goes_on_and_lets_nobody_write_meanwhile(
    empty_database_url: str, connection: "asyncpg.Connection[Any]"
) -> None:
    await _fill_with_many(connection)
    migrating = subprocess.Popen(  # noqa: ASYNC220 -- it starts at once, and ends when it is killed
        [
            sys.executable,
            "-c",
            f"from profile_lookup.database.migrations import migrate; migrate({empty_database_url!r})",
        ]
    )
    while not await connection.fetchval("select to_regclass('rewritten.identifier') is not null"):
        await asyncio.sleep(0.01)
    while not await connection.fetchval("select count(*) from rewritten.profile"):
        await asyncio.sleep(0.001)
    async with connection.transaction():
        await connection.execute("lock table rewritten.identifier in share mode")  # it stops before its next batch
        migrating.kill()
        migrating.wait()
        assert 0 < (copied := await connection.fetchval("select count(*) from rewritten.profile")) < MANY
    for table in ("profile", "identifier", "trait"):
        with pytest.raises(asyncpg.LockNotAvailableError, match="the schema is being migrated"):
            await connection.execute(f"delete from {table}")
    await connection.execute("update rewritten.profile set created_at = '1999-01-01'")
    await asyncio.to_thread(migrate, empty_database_url)
    assert await connection.fetchval("select count(*) from profile") == MANY
    # What was copied before is not copied again.
    assert await connection.fetchval("select count(*) from profile where created_at = '1999-01-01'") == copied
    assert await connection.fetchval(f"select count(*) from ({TRAITS})") == 2 * MANY
    assert await connection.fetchval("select count(distinct profile_id) from identifier") == MANY


async def test_a_migration_may_be_given_up(connection: "asyncpg.Connection[Any]", empty_database_url: str) -> None:
    await _fill(connection)
    await connection.execute("create view dependent as select from trait")  # so the table cannot be dropped
    with pytest.raises(exc.DBAPIError, match="other objects depend on them"):
        await asyncio.to_thread(migrate, empty_database_url)
    with pytest.raises(asyncpg.LockNotAvailableError):
        await connection.execute("delete from identifier")
    await connection.execute("drop schema rewritten cascade")
    await connection.execute("delete from identifier")
