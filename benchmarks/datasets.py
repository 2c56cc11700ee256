"""Databases of given sizes, which are created once and kept. The product's migrations and plain SQL create them."""

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
from platformdirs import user_cache_path
from sqlalchemy import insert

from benchmarks.population import (
    PEOPLE_OF_HOUSEHOLD,
    PHONE_DIGITS,
    PROFILE_ID_SQL,
    Population,
)
from benchmarks.processes import ROOT
from benchmarks.progress import say
from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import add_key, ensure_account
from profile_lookup.database.documents import settings_document, traits_document
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.database.embedded.server import EmbeddedPostgres
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import store, trait_group
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.identity.values.normalization_version import CURRENT
from profile_lookup.web import ids

ACCOUNT_SID, AUTH_TOKEN = "ACbenchmark", "the benchmark's token, which guards nothing"
API_KEY, API_SECRET = "SKbenchmark", "the benchmark's secret, which guards nothing"
STORE_ID = UUID("01900000-0000-7000-8000-000000000001")

LAYOUT = 1
"""The version of the content of a database. If it or the migrations change, kept databases are created again."""

POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_connections": "800",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "512MB",
}
"""Settings that suit a store of this size. They do not affect durability."""

_SETTINGS = IdentityResolutionSettings(
    (*DEFAULT_SETTINGS.identifier_configs, IdentifierConfig("household", enforce_unique=False)),
    DEFAULT_SETTINGS.matching_rules,
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """`size`: the size in its short form, such as 10k or 1M."""

    size: str
    population: Population
    database: str
    database_url: str

    @property
    def store_path(self) -> str:
        return f"/v1/Stores/{ids.store_id(STORE_ID)}"


def default_directory() -> Path:
    """Return the directory that is kept between runs. For root, the unprivileged user of the server can reach it."""
    if os.geteuid() == 0:
        return Path("/var/tmp/profile-lookup-benchmarks")  # noqa: S108 -- it belongs to root and has mode 0711
    return user_cache_path("profile-lookup") / "benchmarks"


def embedded_postgres(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory, settings=POSTGRES_SETTINGS)


def parse_size(text: str) -> int:
    """Parse a size such as 10k or 1M. Raises `ValueError`."""
    units = {"k": 1_000, "K": 1_000, "M": 1_000_000}
    size = int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text)
    if not 1_000 <= size <= 100_000_000:  # noqa: PLR2004 -- more than 100 people, and no phone number twice
        raise ValueError(text)
    return size


def ensure_dataset(server: EmbeddedPostgres, size: str, *, purpose: str = "lookups") -> Dataset:
    """Return the database of this size. Create it if it is missing, or always for writes, because they change it."""
    name = f"{purpose}_{size}".lower()
    dataset = named_dataset(server, name, size)
    if purpose == "lookups" and asyncio.run(_is_complete(server.url_as(SUPERUSER), name)):
        asyncio.run(_warm(dataset.database_url))
        return dataset
    say(f"Loading {size} identifiers …")
    started_at = time.monotonic()
    _make_database(server, dataset)
    asyncio.run(_load(dataset))
    asyncio.run(_warm(dataset.database_url))
    asyncio.run(_complete(server.url_as(SUPERUSER), name))
    say(f"Loaded in {time.monotonic() - started_at:.0f} s")
    return dataset


def named_dataset(server: EmbeddedPostgres, name: str, size: str) -> Dataset:
    """Return what is known of a database of this name. `size` "": its store is empty."""
    population = Population(parse_size(size) if size else 0)
    return Dataset(size or "0", population, name, server.url_as(SUPERUSER).replace("/profile_lookup?", f"/{name}?"))


def empty_dataset(server: EmbeddedPostgres, name: str) -> Dataset:
    """Create a database with an empty store, and replace any old one."""
    dataset = named_dataset(server, name, "")
    _make_database(server, dataset)
    return dataset


def _make_database(server: EmbeddedPostgres, dataset: Dataset) -> None:
    asyncio.run(_create_database(server.url_as(SUPERUSER), dataset.database))
    migrate(dataset.database_url)
    asyncio.run(_make_store(dataset.database_url))


async def _is_complete(url: str, name: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        query = "select shobj_description(oid, 'pg_database') from pg_database where datname = $1"
        found: str | None = await connection.fetchval(query, name)
        return found == _mark()
    finally:
        await connection.close()


async def _create_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f'drop database if exists "{name}" with (force)')
    await connection.execute(f'create database "{name}"')
    await connection.close()


async def _complete(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"comment on database \"{name}\" is '{_mark()}'")
    await connection.close()


def _mark() -> str:
    """Return the comment of a complete database."""
    return f"complete {LAYOUT} {' '.join(migrations_of(ROOT))}"


def migrations_of(root: Path) -> list[str]:
    """Return the names of a checkout's migrations. Checkouts with the same ones can use the same database."""
    return sorted(path.stem for path in (root / "migrations" / "versions").glob("*.py"))


async def _warm(url: str) -> None:
    """Load the index of lookups into memory. Otherwise the first contenders would do that for the others."""
    connection = await asyncpg.connect(url)
    await connection.execute("create extension if not exists pg_prewarm")
    await connection.execute("select pg_prewarm('identifier_pkey')")
    await connection.close()


async def _make_store(url: str) -> None:
    database, now = Database(url, pool_size=1), datetime.now(UTC)
    async with database.transaction() as connection:
        account_id = await ensure_account(connection, "benchmark", Credentials(ACCOUNT_SID, digest(AUTH_TOKEN)))
        key = Credentials(API_KEY, digest(API_SECRET))
        await add_key(connection, account_id, key, scope="full", name="benchmark")
        await connection.execute(
            insert(store).values(
                account_id=account_id, id=STORE_ID, display_name="benchmark", status="ACTIVE", version=1,
                settings=settings_document(_SETTINGS), settings_version=1, revision=1, created_at=now,
                normalization=CURRENT.to_document(), kept_values=0,
            )
        )  # fmt: skip
        await connection.execute(
            insert(trait_group).values(
                store_id=STORE_ID, name=CONTACT.name, traits=traits_document(CONTACT), version=1, created_at=now
            )
        )
    await database.close()


async def _load(dataset: Dataset) -> None:
    """Insert the rows before keys and indexes exist, because an index that is built at once is faster and denser."""
    connection = await asyncpg.connect(dataset.database_url)
    try:
        create_keys = await _drop_keys(connection)
        for statement in _rows(dataset.population):
            await connection.execute(statement)
        for statement in create_keys:
            await connection.execute(statement)
        # Index-only scans need the visibility map. As all rows are frozen, no vacuum disturbs a measurement.
        await connection.execute("vacuum (freeze, analyze)")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def _drop_keys(connection: asyncpg.Connection) -> list[str]:
    """Drop keys and indexes, and return the statements that create them again, in order: foreign keys last."""
    keys = await connection.fetch("""
        select conrelid::regclass::text as of, quote_ident(conname) as name, pg_get_constraintdef(oid) as definition
        from pg_constraint
        where 'profile'::regclass in (conrelid, confrelid) and contype in ('p', 'f')
            or 'identifier'::regclass = conrelid and contype in ('p', 'f')
        order by contype = 'f'
    """)
    for key in reversed(keys):
        await connection.execute(f"alter table {key['of']} drop constraint {key['name']}")
    indexes = await connection.fetch("""
        select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
        from pg_index where indrelid in ('profile'::regclass, 'identifier'::regclass)
    """)
    for index in indexes:
        await connection.execute(f"drop index {index['name']}")
    constraints = [f"alter table {key['of']} add constraint {key['name']} {key['definition']}" for key in keys]
    return [*(index["definition"] for index in indexes), *constraints]


def _rows(people: Population) -> list[str]:
    persons = f"generate_series(0::bigint, {people.people - 1}) as person (i)"  # bigint, because the numbers are long
    profile_id = PROFILE_ID_SQL.format(i="i")
    identifiers = {
        "phone": (f"'+' || {PHONE_DIGITS.format(i='i')}", "''", ""),
        "email": ("'person.' || i || '@example.com'", "''", ""),
        "household": (
            f"'household-' || i / {PEOPLE_OF_HOUSEHOLD}",
            f"uuid_send({profile_id})",
            f"where i < {people.households * PEOPLE_OF_HOUSEHOLD}",
        ),
    }
    return [
        f"insert into profile (store_id, id, created_at) select '{STORE_ID}', {profile_id}, now() from {persons}",
        *(
            f"""
                insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
                select '{STORE_ID}', '{id_type}', {value}, {profile_id}, {shared_by}, now() from {persons} {condition}
            """
            for id_type, (value, shared_by, condition) in identifiers.items()
        ),
    ]
