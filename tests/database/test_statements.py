"""Every statement names the store of each distributed table that it touches, so that Citus runs it on one node."""

import re

import pytest
from pglast import parse_sql
from pglast.ast import SelectStmt

from profile_lookup.commands.distribute import STATEMENTS_OF
from profile_lookup.database.citus.placement import DISTRIBUTED, LOCAL, REFERENCE
from profile_lookup.database.citus.statements import IN_STORE, for_citus, routable
from profile_lookup.database.tables import metadata
from tests.database.statements import (
    builders_without_store,
    function_names,
    modules_with_functions,
    statements,
    statements_of_functions,
    texts_within_functions,
    unnamed,
)

CALL = re.compile(rf"\b({'|'.join(function_names())})\(")
STATEMENTS = {**statements(), **statements_of_functions()}
NOT_ON_CITUS = {
    "database/citus/distribution.py",  # distributes the tables
    "database/citus/statements.py",  # makes the statements of other modules
    "imports/dry_runs/overlay.py",  # creates temporary tables
    "testing/snapshot.py",  # resets the database of a server for tests
}


@pytest.mark.parametrize("where", STATEMENTS)
def test_a_statement_names_the_store_of_each_distributed_table(where: str) -> None:
    assert not unnamed(STATEMENTS[where])


def test_all_statements_are_found() -> None:
    assert {each.partition(":")[0] for each in texts_within_functions()} == NOT_ON_CITUS
    touching = [where for where, text in STATEMENTS.items() if any(table in text for table in DISTRIBUTED)]
    assert len(touching) > 80
    assert any(where.startswith("identity_locks.sql") for where in touching)
    assert "profile_lookup.lookup.queries.LOOKUP" in touching


def test_the_command_that_makes_functions_knows_all_modules_that_have_some() -> None:
    assert modules_with_functions() == set(STATEMENTS_OF)


def test_a_statement_that_calls_a_function_of_ours_becomes_one_itself() -> None:
    """Such a function asks distributed tables, which Citus refuses within a statement that it plans."""
    calling = {where: text for where, text in statements().items() if CALL.search(text)}
    assert "profile_lookup.ingest.locked_profiles._PROFILES" in calling
    assert [where for where, text in calling.items() if for_citus(text) == routable(text)] == []


@pytest.mark.parametrize("function", IN_STORE)
def test_a_statement_that_becomes_a_function_returns_columns_if_it_returns_rows(function: str) -> None:
    """PL/pgSQL refuses rows without columns, and a statement that changes something need not return any."""
    (parsed,) = parse_sql(IN_STORE[function].sql)
    assert not isinstance(parsed.stmt, SelectStmt) or parsed.stmt.targetList


def test_functions_that_build_statements_name_the_store() -> None:
    assert builders_without_store() == []


@pytest.mark.parametrize(
    "statement",
    [
        "select value from identifier where profile_id = $1",
        "select value from identifier join store on store.id = $1 where identifier.profile_id = $2",
        "select value from identifier where store_id = $1 or store_id = $2",
        "delete from event where ctid = any (array(select ctid from event where store_id = $1))",
        "select from profile p join lateral (select from identifier i where i.profile_id = p.id) h on p.store_id = $1",
    ],
)
def test_a_statement_without_the_store_is_noticed(statement: str) -> None:
    assert unnamed(statement)


def test_every_table_has_its_place() -> None:
    assert {*REFERENCE, *DISTRIBUTED, *LOCAL} == {*metadata.tables, "alembic_version", "schema_revision"}
