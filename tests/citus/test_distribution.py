"""On real nodes of Citus, the schema is distributed, each node plans all statements, and all locks meet."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import asyncpg
import pytest

from profile_lookup.database.citus.distribution import DETECTION_ADVICE, CitusMissing
from profile_lookup.database.citus.statements import for_citus
from tests.citus.distributed import distribute
from tests.database.statements import statements

NOT_ON_CITUS = {"jobs.history_end._STORES", "lookup.queries.LOOKUPS"}
"""The statements that the service does not run on Citus: they are of many stores."""

NEED_OTHER_TABLES = (
    "database.citus.",
    "imports.dry_runs.holders._CHANGED",
    "imports.dry_runs.holders._HOLDERS",
    "imports.dry_runs.overlay.",
    "jobs.renormalized_values.",
    "testing.",
)
IMPORTED = ("lookup.coalesced_statement.", "lookup.batch_lookup.")

PLANNED = {
    name: text
    for name, text in ((where.removeprefix("profile_lookup."), text) for where, text in statements().items())
    if not name.startswith((*NEED_OTHER_TABLES, *IMPORTED))
}

LOCK = """
    select * from lock_profiles(
        $1, 1, 1, cast(cast($2 as bigint[]) as text), '{email}', '{grace@example.com}', null, '{}', '{}', '{}'
    )
"""
WAITING = "select result from run_command_on_all_nodes($$ select count(*) from pg_locks where not granted $$)"


@pytest.fixture
async def store_id(nodes: Sequence[asyncpg.Connection]) -> AsyncIterator[UUID]:
    """A store that has no settings, and so would break the other tests if it stayed."""
    store_id, account_id = uuid4(), uuid4()
    await nodes[0].execute(
        "insert into account (id, sid, name, created_at) values ($1, $2, 'citus', now())", account_id, str(account_id)
    )
    await nodes[0].execute(
        """
        insert into store (account_id, id, display_name, status, version, settings, settings_version, revision, created_at)
        values ($1, $2, 'customers', 'ACTIVE', 1, '{}', 1, 1, now())
        """,
        account_id,
        store_id,
    )
    yield store_id
    await nodes[0].execute("delete from store where id = $1", store_id)


def test_a_database_without_the_extension_is_refused(empty_database_url: str) -> None:
    with pytest.raises(CitusMissing, match="create extension citus"):
        asyncio.run(distribute(empty_database_url))


def test_distributing_again_distributes_nothing(citus_urls: Sequence[str]) -> None:
    steps = asyncio.run(distribute(citus_urls[0]))
    assert [step for step in steps if step != DETECTION_ADVICE] == [
        "The locks of a store are taken on its node, and its writes run there."
    ]


async def test_every_node_plans_all_statements_of_one_store(nodes: Sequence[asyncpg.Connection]) -> None:
    for node in nodes:
        refused = {name for name, text in PLANNED.items() if not await is_planned(node, for_citus(text))}
        assert refused == NOT_ON_CITUS


async def is_planned(node: asyncpg.Connection, statement: str) -> bool:
    types = [parameter.name for parameter in (await node.prepare(statement)).get_parameters()]
    values = ", ".join(f"cast({_example(name)} as {name})" for name in types)
    transaction = node.transaction()
    await transaction.start()
    try:
        await node.execute(f"prepare planned as {statement}")
        await node.execute(f"explain execute planned{f'({values})' if values else ''}")
    except asyncpg.FeatureNotSupportedError:
        return False
    finally:
        await transaction.rollback()  # which keeps the prepared statement
        await node.execute("deallocate planned")
    return True


def _example(type_name: str) -> str:
    if type_name.endswith("[]") or type_name in {"text", "varchar", "jsonb", "json"}:
        return "'{}'"
    examples = {
        "uuid": "'00000000-0000-7000-8000-000000000001'",
        "timestamptz": "'2026-01-01'",
        "interval": "'1s'",
        "bytea": "''",
        "bool": "true",
    }
    return examples.get(type_name, "'1'")


async def test_a_write_does_not_wait_longer_than_requests_may(
    nodes: Sequence[asyncpg.Connection], store_id: UUID
) -> None:
    first, second, _ = nodes
    async with first.transaction():
        await first.fetch(LOCK, store_id, [11])
        with pytest.raises(asyncpg.LockNotAvailableError):
            await second.fetch(LOCK, store_id, [11])


async def test_a_write_waits_for_the_locks_of_one_by_another_node(
    nodes: Sequence[asyncpg.Connection], store_id: UUID
) -> None:
    first, second, third = nodes
    async with first.transaction():
        assert await first.fetch(LOCK, store_id, [11]) == []  # nobody has the identifier, and the rules are in force
        waiting = asyncio.create_task(second.fetch(LOCK, store_id, [11]))
        other = await third.fetch(LOCK, store_id, [12])
        while not sum(int(result) for (result,) in await third.fetch(WAITING)):
            assert not waiting.done()
    # The first transaction has ended, and so has the wait.
    assert (await waiting, other) == ([], [])
