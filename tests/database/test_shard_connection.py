"""A connection to a node runs several statements in one round trip. These tests need no Citus."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from profile_lookup.database.citus.places import url_of_node
from profile_lookup.database.citus.shard_connection import ShardConnection, Statement
from profile_lookup.errors import Unavailable
from profile_lookup.lookup.coalesced_statement import decoded_row
from tests.conftest import PATIENCE

REPEATED = "select number, array[]::uuid[] from generate_series(1, $1::bigint) as each (number)"
QUOTIENT = "select 12 / $1::bigint, array[]::uuid[]"


def bigint(number: int) -> Sequence[bytes]:
    return [number.to_bytes(8, signed=True)]


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[ShardConnection]:
    opened = ShardConnection(database_url)
    await opened.open()
    await opened.prepare_all((REPEATED, QUOTIENT), PATIENCE)
    yield opened
    await opened.close()


async def numbers(connection: ShardConnection, statements: Sequence[Statement]) -> list[list[int]] | None:
    rows_of_each: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
    assert connection.begin_all(statements, PATIENCE, decoded_row, rows_of_each.set_result)
    found = await rows_of_each
    return None if found is None else [[row.revision for row in rows] for rows in found]


async def test_each_statement_has_its_own_rows(connection: ShardConnection) -> None:
    statements = [(REPEATED, bigint(3)), (QUOTIENT, bigint(4)), (REPEATED, bigint(0)), (REPEATED, bigint(1))]
    for _ in range(2):
        assert await numbers(connection, statements) == [[1, 2, 3], [3], [], [1]]


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_if_a_statement_fails_none_has_rows_and_the_connection_is_opened_anew(
    connection: ShardConnection, position: int
) -> None:
    statements = [(REPEATED, bigint(2)), (REPEATED, bigint(1))]
    statements.insert(position, (QUOTIENT, bigint(0)))
    assert await numbers(connection, statements) is None
    assert not connection.is_open
    await connection.open()
    await connection.prepare_all([REPEATED], PATIENCE)
    assert await numbers(connection, [(REPEATED, bigint(2))]) == [[1, 2]]


async def test_nothing_is_begun_before_all_statements_are_prepared(connection: ShardConnection) -> None:
    statements = [(REPEATED, bigint(2)), ("select 1::bigint, array[]::uuid[]", [])]
    assert not connection.begin_all(statements, PATIENCE, decoded_row, lambda _: pytest.fail("it was begun"))


async def test_a_node_that_does_not_answer_is_unavailable() -> None:
    connection = ShardConnection("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await connection.open()
    with pytest.raises(Unavailable):
        await connection.prepare_all([REPEATED], PATIENCE)


@pytest.mark.parametrize(
    ("database_url", "expected"),
    [
        ("postgresql://me:a%40b@one:5432/people", "postgresql://me:a%40b@node:9/people"),
        ("postgresql://me@one:5432,two:5432/people?sslmode=require", "postgresql://me@node:9/people?sslmode=require"),
        ("postgresql:///people?host=/run/postgresql&port=5433", "postgresql://node:9/people"),
    ],
)
def test_the_url_of_a_node_keeps_all_but_the_host_and_port(database_url: str, expected: str) -> None:
    assert url_of_node(database_url, "node", 9) == expected


def test_the_url_of_a_node_may_have_a_numerical_host() -> None:
    assert url_of_node("postgresql://me@one/people", "fe80::1", 5432) == "postgresql://me@[fe80::1]:5432/people"
