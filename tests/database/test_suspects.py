"""Suspects are kept up to date by the writes, and a page of them is read by an index."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.keyset import Position, fetch_rows
from profile_lookup.database.pool import Database
from profile_lookup.errors import NothingToRemove, ProfileMoved
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.profile_replay import Written
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.attempts import Attempt, Outcome
from profile_lookup.ingest.removals import Removal, erase_profile, remove_identifiers
from profile_lookup.profiles.suspects import SHARED_VALUES, WORST_KEY, shared_values, suspects_of
from profile_lookup.stores.rules_cache import StoreRules
from tests.database.stores import make_store
from tests.database.test_ingest_together import EXAMPLES, ID_TYPES, START, any_settings, in_chunks

COUNTED_ANEW = """
    select profile_id, 'manyIdentifiers', '', 0, count(*) from identifier
    where store_id = :store_id
    group by profile_id
    having count(*) >= 20
    union all
    select profile_id, 'sharedValue', id_type, hashtextextended(value, 0), cardinality(names) from identifier
    where store_id = :store_id and cardinality(names) >= 2
    union all
    select profile_id, 'namesDisagree', '', 0, count(distinct name) from identifier cross join unnest(names) as name
    where store_id = :store_id
    group by profile_id
    having count(distinct name) >= 2
"""

KEPT = "select profile_id, reason, id_type, value_hash, severity from suspect where store_id = :store_id"


def _attempts(chosen: random.Random) -> list[Attempt]:
    """Return attempts whose values are few, and so are shared, or many of one person."""
    attempts: list[Attempt] = []
    for number in range(60):
        incoming = [
            NormalizedIdentifier(chosen.choice(ID_TYPES), NormalizedValue(value))
            for value in (chosen.choice("abcdef"), *(f"{number} {place}" for place in range(chosen.choice((0, 3, 25)))))
        ]
        name = chosen.choice(("Ann", "Bob", "Cid", None))
        traits = {} if name is None else {TraitName("Contact", "firstName"): name}
        attempts.append(Attempt(Change(tuple(dict.fromkeys(incoming)), traits), START + timedelta(seconds=number)))
    return attempts


async def _remove_some(database: Database, store: StoreRules, chosen: random.Random, outcomes: list[Outcome]) -> None:
    written = [outcome.profile_id for outcome in outcomes if isinstance(outcome, Written)]
    for profile_id in chosen.sample(sorted(set(written)), 3):
        for id_type in ID_TYPES:
            try:
                removal = Removal(id_type, is_of_all=chosen.random() < 0.5)
                await remove_identifiers(database, store, profile_id, removal, START, None)
            except (NothingToRemove, ProfileMoved):
                continue
    last = max(written)
    try:
        await erase_profile(database, store, last, START, None)
    except ProfileMoved:
        return


async def _rows(connection: AsyncConnection, query: str, store: StoreRules) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in await connection.execute(text(query), {"store_id": store.id})}


@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(rules=any_settings(), seed=st.integers(0, 2**32), size=st.sampled_from((1, 20)))
async def test_after_any_writes_the_suspects_are_those_that_a_scan_finds(
    database: Database, rules: IdentityResolutionSettings, seed: int, size: int
) -> None:
    chosen = random.Random(seed)
    store = await make_store(database, rules)
    outcomes = await in_chunks(database, store, _attempts(chosen), (size,))
    await _remove_some(database, store, chosen, outcomes)
    async with database.transaction() as connection:
        assert await _rows(connection, KEPT, store) == await _rows(connection, COUNTED_ANEW, store)


_THREE_PEOPLE = """
    with made as (
        insert into profile (store_id, id, created_at)
        select :store_id, gen_random_uuid(), now() from generate_series(1, 3)
        returning store_id, id
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, id_type, id_type || id, id, '', now() from made, unnest(array['chat', 'email']) as id_type
"""

# Citus refuses a cast of text to an array in an update, since that depends on settings.
_SET_NAMES = """
    update identifier
    set names = cast(string_to_array(changed.names, ',') as bigint[])
    from (
        select id_type, value, row_number() over (order by id_type, value) as place
        from identifier where store_id = :store_id
    ) row_of
    join unnest(cast(:names as text[])) with ordinality as changed (names, place) using (place)
    where identifier.store_id = :store_id and identifier.id_type = row_of.id_type and identifier.value = row_of.value
"""


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["1,2,3", "1,2", "5,6", "2,3", "8,9", None], id="names_are_added_and_replaced"),
        pytest.param(["1", None, "5,6", None, "4,5", "5"], id="some_values_lose_names_and_others_get_some"),
        pytest.param([None] * 6, id="all_names_are_deleted"),
    ],
)
async def test_a_statement_that_changes_the_names_of_many_values_counts_them_all(
    database: Database, names: list[str | None]
) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    async with database.transaction() as connection:
        await connection.execute(text(_THREE_PEOPLE), {"store_id": store.id})
        for each in (["1,2", "1,2", None, "2,3", None, None], names):
            await connection.execute(text(_SET_NAMES), {"store_id": store.id, "names": each})
            assert await _rows(connection, KEPT, store) == await _rows(connection, COUNTED_ANEW, store)


_FILL = """
    with made as (
        insert into profile (store_id, id, created_at)
        select id, gen_random_uuid(), now() from store, generate_series(1, 10000)
        returning store_id, id
    ),
    suspects as (
        insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
        select store_id, id, 'sharedValue', 'chat', hashtextextended('chat-' || id, 0), 2 + abs(hashtext(id::text)) % 50
        from made
        union all
        select store_id, id, 'namesDisagree', '', 0, 2 + abs(hashtext(id::text)) % 50 from made
    )
    insert into identifier (store_id, id_type, value, profile_id, shared_by, added_at)
    select store_id, 'chat', 'chat-' || id, id, '', now() from made
"""
"""The triggers would count the names one by one, so the suspects are filled in directly."""


async def _plan(connection: AsyncConnection, statement: str, parameters: dict[str, object]) -> dict[str, Any]:
    explained = await connection.execute(text(f"explain (analyze, buffers, format json) {statement}"), parameters)
    plan: dict[str, Any] = explained.scalar_one()[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]


def _pages_read(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.plain_postgresql("it reads plans by the names of tables, and those of Citus have names of shards")
async def test_a_page_of_suspects_reads_a_bounded_part_of_a_large_store(database: Database) -> None:
    store, _ = [await make_store(database, DEFAULT_SETTINGS) for _ in ("read", "other")]
    async with database.transaction() as connection:
        await connection.execute(text(_FILL))
    async with database.statements() as connection:
        await connection.execute(text("vacuum analyze"))
    async with database.statements() as connection:
        first = await fetch_rows(connection, suspects_of(store), WORST_KEY, Position(), "DESC", 50)
        assert first.following is not None
        second = await fetch_rows(connection, suspects_of(store), WORST_KEY, first.following, "DESC", 50)
        assert len(await shared_values(connection, store, second.rows)) == sum(
            row.reason == "sharedValue" for row in second.rows
        )
        key = ", ".join(f"suspect.{column.name} desc" for column in WORST_KEY.columns)
        last = dict(zip(("severity", "reason", "profile_id", "id_type", "value_hash"), first.rows[-1], strict=True))
        columns = "(severity, reason, profile_id, id_type, value_hash)"
        place = "(:severity, :reason, :profile_id, :id_type, :value_hash)"
        plans = [
            await _plan(
                connection,
                f"select * from suspect where store_id = :store_id {condition} order by {key} limit 51",
                {"store_id": store.id, **parameters},
            )
            for condition, parameters in (("", {}), (f"and {columns} < {place}", last))
        ]
        shared = [row for row in first.rows if row.id_type]
        sought = {
            "store_id": store.id,
            "places": list(range(len(shared))),
            "profile_ids": [row.profile_id for row in shared],
            "id_types": [row.id_type for row in shared],
            "value_hashes": [row.value_hash for row in shared],
        }
        values = await _plan(connection, str(SHARED_VALUES), sought)
    for plan in plans:
        (scan,) = [node for node in _nodes(plan) if "Relation Name" in node]
        assert scan["Index Name"] == "suspect_worst_idx"
        assert _pages_read(plan) < 100
    (scan,) = [node for node in _nodes(values) if node.get("Relation Name") == "identifier"]
    assert scan["Index Name"] == "identifier_profile_id_idx"
    assert _pages_read(values) < 10 * len(shared)
