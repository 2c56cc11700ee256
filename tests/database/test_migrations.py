"""The migrations give the tables, whoever runs them, and however many at once."""

import asyncio
import sys

import asyncpg
from alembic import command

from profile_lookup.database.migrations import alembic_config, migrate


def _ask(url: str, question: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_the_migrations_give_exactly_the_tables_of_the_program(database_url: str) -> None:
    command.check(alembic_config(database_url))  # raises when they differ


def test_a_downgrade_leaves_nothing_and_an_upgrade_brings_all_back(database_url: str) -> None:
    command.downgrade(alembic_config(database_url), "base")
    left = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relname !~ 'alembic'"
    assert _ask(database_url, left) == 0
    assert _ask(database_url, "select count(*) from pg_proc where pronamespace = 'public'::regnamespace") == 0
    migrate(database_url)
    command.check(alembic_config(database_url))


def test_replicas_may_migrate_at_once(empty_database_url: str) -> None:
    # In processes of their own, as replicas are: Alembic's environment is global to a process.
    script = f"from profile_lookup.database.migrations import migrate; migrate({empty_database_url!r})"

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
        return await process.wait()

    async def run_all() -> list[int]:
        return await asyncio.gather(*[run() for _ in range(4)])

    assert asyncio.run(run_all()) == [0] * 4
    command.check(alembic_config(empty_database_url))
