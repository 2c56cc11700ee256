"""The migrations create the tables of the program, even if several processes run them at once."""

import asyncio
import sys
from importlib.resources import files

import asyncpg
import pytest
from alembic import command

from profile_lookup.database.engines import create_engine
from profile_lookup.database.migrations import alembic_config, migrate
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import metadata
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentityResolutionSettings
from profile_lookup.stores.admission import rules_in_force
from tests.database.stores import make_store

pytestmark = pytest.mark.plain_postgresql("it compares or changes the schema, and a distributed one has shards")


def _fetch_value(url: str, query: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(fetch())


DEFINITIONS = """
    select string_agg(definition, E'\\n' order by definition) from (
        select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace and conrelid::regclass::text not in ('alembic_version', 'schema_revision') and contype not in ('n', 't')
        union all
        select indexdef from pg_indexes where schemaname = 'public' and tablename not in ('alembic_version', 'schema_revision')
        union all
        select table_name || '.' || column_name || ' ' || udt_name || ' ' || is_nullable
        from information_schema.columns where table_schema = 'public' and table_name not in ('alembic_version', 'schema_revision')
    ) as defined (definition)
"""


def test_the_migrations_create_exactly_the_tables_of_the_program(database_url: str, empty_database_url: str) -> None:
    """Columns, constraints and indexes are compared literally; Alembic's own comparison ignores most of them."""

    async def create_all() -> None:
        engine = create_engine(empty_database_url, pool_size=None)
        async with engine.begin() as connection:
            for extension in ("pg_trgm", "btree_gin"):
                await connection.exec_driver_sql(f"create extension {extension}")
            await connection.run_sync(metadata.create_all)
            await connection.exec_driver_sql("create table alembic_version ()")
        await engine.dispose()

    asyncio.run(create_all())
    migrated, created = _fetch_value(database_url, DEFINITIONS), _fetch_value(empty_database_url, DEFINITIONS)
    assert isinstance(migrated, str)
    assert "identifier_pkey PRIMARY KEY (store_id, id_type, value, shared_by) INCLUDE (profile_id)" in migrated
    assert migrated == created


def test_functions_and_triggers_are_those_in_their_files(database_url: str, empty_database_url: str) -> None:
    package = files("profile_lookup.database")

    async def create() -> None:
        connection = await asyncpg.connect(empty_database_url)
        await connection.execute("create table operation (completed_at timestamptz, waits_until timestamptz)")
        await connection.execute("create table identifier (names bigint[])")
        for file in ("identity_locks.sql", "operation_turns.sql", "suspects.sql"):
            await connection.execute((package / file).read_text())
        await connection.close()

    asyncio.run(create())
    functions = (
        "select string_agg(pg_get_functiondef(oid), '' order by proname, pronargs) from pg_proc where proname = "
    )
    triggers = """
        select string_agg(pg_get_triggerdef(oid), '' order by tgname) from pg_trigger
        where tgname = 'operation_enters_queue' or tgname like 'identifier%' and not tgisinternal
    """
    names = (
        "lock_and_gather",
        "deciding_holders",
        "separations_of",
        "take_turn",
        "make_turn",
        "count_names",
        "count_updated_names",
    )
    for definition in (*[f"{functions}'{name}'" for name in names], triggers):
        assert _fetch_value(database_url, definition) == _fetch_value(empty_database_url, definition)


def test_a_downgrade_removes_everything_and_an_upgrade_creates_it_again(database_url: str) -> None:
    command.downgrade(alembic_config(database_url), "base")
    left = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relname !~ 'alembic|schema_revision'"
    assert _fetch_value(database_url, left) == 0
    functions = """
        select count(*) from pg_proc where pronamespace = 'public'::regnamespace
            and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
    """
    assert _fetch_value(database_url, functions) == 0
    migrate(database_url)
    assert _fetch_value(database_url, "select count(*) from identifier") == 0


async def test_stores_of_an_earlier_version_keep_their_identifier_types(database_url: str, database: Database) -> None:
    """The settings are a document of each store, so no migration is needed, and none may change it."""
    four = ("email", "whatsapp", "phone", "chat")
    configs = tuple(each for each in DEFAULT_SETTINGS.identifier_configs if each.id_type in four)
    store = await make_store(database, IdentityResolutionSettings(configs, four))
    await asyncio.to_thread(migrate, database_url)
    async with database.transaction() as connection:
        kept = await rules_in_force(connection, store.account_id, store.id)
    assert (kept.settings, kept.settings_version) == (store.settings, 1)
    assert kept.settings.id_types == four


def test_replicas_may_migrate_at_once(empty_database_url: str) -> None:
    # Each runs in its own process, as replicas do, because Alembic's environment is global to a process.
    script = f"from profile_lookup.database.migrations import migrate; migrate({empty_database_url!r})"

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
        return await process.wait()

    async def run_all() -> list[int]:
        return await asyncio.gather(*[run() for _ in range(4)])

    assert asyncio.run(run_all()) == [0] * 4
    assert _fetch_value(empty_database_url, "select count(*) from identifier") == 0
