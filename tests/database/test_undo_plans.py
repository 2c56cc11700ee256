"""The undo of an import finds all that it reads and writes by indexes, also by plans made while the tables were empty."""

import pytest

from profile_lookup.database.pool import Database
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from tests.database.plans import nodes_of, plans_of
from tests.database.stores import make_store
from tests.database.undoes import ROW, undo, write

pytestmark = pytest.mark.plain_postgresql(
    "it reads plans by the names of tables, and those of Citus have names of shards"
)

# A phone that the limit evicts comes back, unless somebody else has it.
RULES = IdentityResolutionSettings(
    (IdentifierConfig("email"), IdentifierConfig("phone", limit=1), IdentifierConfig("chat")),
    ("email", "phone", "chat"),
)
STATEMENTS = {
    "created": "starts_with(created_by",
    "locked": "creation_number is not null\n    order by id",
    "changed": "'{o,1}' = %\n    order by number",
    "touched": "starts_with(profile.created_by",
    "people": "select canonical.id, canonical.id as profile_id",
    "holders": "wanted (id_type, value, place)",
    "aliases": "delete from alias where store_id = %profile_id = any",
    "profiles": "with unidentified as (%delete from profile where",
    "events": "delete from event where store_id = % and number = any",
    "creations": "with as_created as",
    "results": "insert into undo_result",
}


@pytest.mark.parametrize("words", STATEMENTS.values(), ids=STATEMENTS)
async def test_no_statement_of_an_undo_reads_a_whole_table_or_store(database_url: str, words: str) -> None:
    one_connection = Database(database_url, pool_size=1)
    store = await make_store(one_connection, RULES)
    ann = await write(one_connection, store, "email:a", "phone:1")
    bob = await write(one_connection, store, "email:b", "phone:2")
    await write(one_connection, store, "email:c", actor=ROW)
    await write(one_connection, store, "email:c", "chat:1", actor=ROW)
    assert await write(one_connection, store, "email:a", "phone:3", actor=ROW) == ann
    assert await write(one_connection, store, "email:b", "phone:4", actor=ROW) == bob
    assert await write(one_connection, store, "phone:1", actor=ROW) not in (ann, bob)
    other = await write(one_connection, store, "email:d")
    assert await write(one_connection, store, "email:d", "chat:2", actor=ROW) == other
    for is_dry_run in (True, False):
        job = await undo(one_connection, store, is_dry_run=is_dry_run)
        assert job.progress["counts"] == {"erased": 2, "restored": 3}
    async with one_connection.statements() as connection:
        plans = await plans_of(connection, words)
    await one_connection.close()
    assert plans
    for node in (node for plan in plans for node in nodes_of(plan)):
        assert node["Node Type"] != "Seq Scan"
        if node["Node Type"].startswith("Index"):
            conditions = node["Index Cond"]
            assert any(
                f"{key} {sign} " in conditions
                for key in ("id", "number", "creation_number", "profile_id", "value", "operation_id")
                for sign in "=>"
            )
