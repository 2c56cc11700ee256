"""A statement that is run without a task returns what the driver returns, and hands all but rows over to the driver."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from profile_lookup.database.pool import Database
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.database.single_queries.direct_statement import (
    encoded_bigints,
    encoded_byteas,
    encoded_texts,
    encoded_uuid,
    encoded_uuids,
)
from profile_lookup.lookup.coalesced_statement import decoded_row
from tests.conftest import PATIENCE

_REPEATED = "select 7::bigint, array(select $1::uuid from generate_series(1, $2::bigint))"
_ARRAYS = """
    select case when number > 0 then number end, case when text = encode(bytea, 'escape') then array[uuid] end
    from unnest($1::bigint[], $2::text[], $3::bytea[], $4::uuid[]) as each (number, text, bytea, uuid)
"""
_QUOTIENT = "select 1 / $1::bigint, array[]::uuid[]"
_SLEEP = "select 1::bigint, array[]::uuid[] from pg_sleep(extract(epoch from $1::text::interval))"
_BACKEND = "select pg_backend_pid()"
_SOME_ID = UUID("018bcfe5-ae62-7abe-891e-465b7716462b")


@pytest.fixture
async def dedicated(database_url: str) -> AsyncIterator[DedicatedConnection]:
    connection = DedicatedConnection(database_url)
    yield connection
    await connection.close()


async def _rows(
    dedicated: DedicatedConnection, statement: str, parameters: Sequence[bytes], time_left: float = PATIENCE
) -> list[Any] | None:
    """Return the rows of a statement that is prepared, or None if the driver has to run it."""
    rows: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
    assert dedicated.begin(statement, parameters, time_left, decoded_row, rows.set_result)
    return await rows


def _bigint(number: int) -> bytes:
    return number.to_bytes(8, signed=True)


def _fail(_rows: list[Any] | None) -> None:
    pytest.fail("the driver had to run the statement")


async def _backend(dedicated: DedicatedConnection) -> int:
    ((backend,),) = await dedicated.fetch(_BACKEND, (), PATIENCE)
    return int(backend)


@pytest.mark.parametrize("count", [0, 1, 2, 40_000])
async def test_rows_are_those_that_the_driver_returns_however_long_the_answer_is(
    dedicated: DedicatedConnection, count: int
) -> None:
    fetched = await dedicated.fetch(_REPEATED, (_SOME_ID, count), PATIENCE)
    assert await _rows(dedicated, _REPEATED, (encoded_uuid(_SOME_ID), _bigint(count))) == [
        tuple(row) for row in fetched
    ]


async def test_arrays_arrive_as_those_that_the_driver_sends(dedicated: DedicatedConnection) -> None:
    numbers, texts, byteas, uuids = (
        [-1, 2, 1 << 40],
        ["é", "x", ""],
        [b"\\", b"x", b""],
        [_SOME_ID, UUID(int=1), _SOME_ID],
    )
    await dedicated.fetch(_ARRAYS, (numbers, texts, byteas, uuids), PATIENCE)
    encoded = (encoded_bigints(numbers), encoded_texts(texts), encoded_byteas(byteas), encoded_uuids(uuids))
    assert await _rows(dedicated, _ARRAYS, encoded) == [None, (2, [UUID(int=1)]), (1 << 40, [_SOME_ID])]


async def test_a_statement_is_left_to_the_driver_until_it_is_prepared(dedicated: DedicatedConnection) -> None:
    assert not dedicated.begin(_QUOTIENT, (_bigint(1),), PATIENCE, decoded_row, _fail)


async def test_the_driver_goes_on_with_the_same_connection(dedicated: DedicatedConnection) -> None:
    before = await _backend(dedicated)
    await dedicated.fetch(_QUOTIENT, (1,), PATIENCE)
    for _ in range(3):
        assert await _rows(dedicated, _QUOTIENT, (_bigint(1),)) == [(1, [])]
        assert await _backend(dedicated) == before


async def test_an_error_is_left_to_the_driver(dedicated: DedicatedConnection) -> None:
    await dedicated.fetch(_QUOTIENT, (1,), PATIENCE)
    assert await _rows(dedicated, _QUOTIENT, (_bigint(0),)) is None
    assert not dedicated.begin(_QUOTIENT, (_bigint(0),), PATIENCE, decoded_row, _fail)
    ((one, _),) = await dedicated.fetch(_QUOTIENT, (1,), PATIENCE)
    assert one == 1


async def test_a_connection_that_was_lost_is_left_to_the_driver(
    dedicated: DedicatedConnection, database: Database
) -> None:
    await dedicated.fetch(_SLEEP, ("0s",), PATIENCE)
    ended = await _backend(dedicated)
    async with database.statements() as connection:
        running = asyncio.create_task(_rows(dedicated, _SLEEP, (b"1 hour",)))
        await asyncio.sleep(0)
        await connection.exec_driver_sql(f"select pg_terminate_backend({ended})")
        assert await running is None
    assert await _backend(dedicated) != ended


async def test_a_connection_that_was_lost_while_nobody_used_it_is_left_to_the_driver(
    dedicated: DedicatedConnection, database: Database
) -> None:
    await dedicated.fetch(_SLEEP, ("0s",), PATIENCE)
    ended = await _backend(dedicated)
    async with database.statements() as connection:
        await connection.exec_driver_sql(f"select pg_terminate_backend({ended}, 10000)")
    async with asyncio.timeout(PATIENCE):
        while dedicated.begin(_SLEEP, (b"0s",), PATIENCE, decoded_row, lambda _rows: None):
            await asyncio.sleep(0.01)  # until this process has seen it
    assert await _backend(dedicated) != ended


async def test_a_statement_past_its_deadline_is_left_to_the_driver(dedicated: DedicatedConnection) -> None:
    await dedicated.fetch(_SLEEP, ("0s",), PATIENCE)
    async with asyncio.timeout(PATIENCE):
        assert await _rows(dedicated, _SLEEP, (b"1 hour",), time_left=0.2) is None
    assert await dedicated.fetch(_SLEEP, ("0s",), PATIENCE)


async def test_a_statement_ends_when_its_connection_is_closed(dedicated: DedicatedConnection) -> None:
    await dedicated.fetch(_SLEEP, ("0s",), PATIENCE)
    backend = await _backend(dedicated)
    os.kill(backend, signal.SIGSTOP)
    try:
        running = asyncio.create_task(_rows(dedicated, _SLEEP, (b"0s",)))
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await dedicated.close()
            assert await running is None
    finally:
        os.kill(backend, signal.SIGCONT)
