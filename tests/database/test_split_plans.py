"""A split finds all that it reads and writes by indexes, also by plans that were made while the tables were empty."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.history.separations import separations_of
from profile_lookup.history.split_request import SplitRequest
from profile_lookup.history.splits import split_or_enqueue
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.splitting import Split
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.ingest.ingest import ingest
from profile_lookup.operations.quotas import Quotas
from profile_lookup.stores.rules_cache import StoreRules
from tests.database.plans import nodes_of, plans_of
from tests.database.stores import make_store
from tests.identity.building import identifiers

pytestmark = pytest.mark.plain_postgresql(
    "it reads plans by the names of tables, and those of Citus have names of shards"
)

# A phone that the limit evicts comes back, unless somebody else has it.
RULES = IdentityResolutionSettings(
    (IdentifierConfig("email"), IdentifierConfig("phone", limit=1), IdentifierConfig("chat")),
    ("email", "phone", "chat"),
)
STATEMENTS = {
    "number of events": "counted",
    "holders": "wanted (id_type, value, position)",
    "aliases": "with revived as",
    "events": "update event",
    "separations": "insert into separation",
    "marks": "set is_separated = true",
    "list": "array_agg(pair.decision",
}


@pytest.mark.parametrize("words", STATEMENTS.values(), ids=STATEMENTS)
async def test_no_statement_of_a_split_reads_a_whole_table_or_store(database_url: str, words: str) -> None:
    one_connection = Database(database_url, pool_size=1)
    store = await make_store(one_connection, RULES)
    await split_twice(one_connection, store)
    async with one_connection.statements() as connection:
        plans = await plans_of(connection, words)
    await one_connection.close()
    assert plans
    for node in (node for plan in plans for node in nodes_of(plan)):
        assert node["Node Type"] != "Seq Scan"
        if node["Node Type"].startswith("Index"):
            conditions = node["Index Cond"]
            assert any(f"{key} = " in conditions for key in ("id", "number", "profile_id", "decision", "value"))


async def split_twice(database: Database, store: StoreRules) -> None:
    """Make a profile of three requests, and split it: first with a separation, and then without one."""
    actor, quotas = Actor("command", "test"), Quotas(10, 10, 10)
    for carried in (("email:a", "phone:1"), ("email:a", "phone:2"), ("email:a", "chat:1")):
        profile_id = await ingest(database, store, partial(_change, carried), datetime.now(UTC))
    for is_kept_apart in (True, False):
        async with database.statements() as connection:
            join = await connection.scalar(_OLDEST_JOIN, {"id": profile_id})
        request = SplitRequest([join], actor, keeps_apart=is_kept_apart)
        done = await split_or_enqueue(database, store, profile_id, request, datetime.now(UTC), quotas)
        assert isinstance(done, Split)
    async with database.statements() as connection:
        separations, _ = await separations_of(connection, store, profile_id)
        assert len((await connection.execute(separations)).all()) == 1


def _change(carried: Sequence[str], _: StoreRules) -> Change:
    return Change(tuple(identifiers(*carried)))


_OLDEST_JOIN = text("select id from event where kind = 'updated' and profile_id = :id order by number limit 1")
