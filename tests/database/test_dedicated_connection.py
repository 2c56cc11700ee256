"""A dedicated connection gives up a query exactly when its time is over."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from profile_lookup.database.pool import Database
from profile_lookup.database.single_queries.dedicated_connection import DedicatedConnection
from profile_lookup.errors import Unavailable
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE
from tests.database.tap import tapped

_SLEEP = "select pg_sleep($1)::text"
_BACKEND = "select pg_backend_pid()"
_BELOW_SERVER_TIMEOUT = 8  # seconds; the server itself cancels a statement after ten


@pytest.fixture
async def dedicated(settings: Settings) -> AsyncIterator[DedicatedConnection]:
    assert settings.database_url is not None
    connection = DedicatedConnection(settings.database_url.get_secret_value())
    yield connection
    await connection.close()


async def _is_given_up(dedicated: DedicatedConnection, time_left: float, sleep: float = PATIENCE) -> bool:
    async with asyncio.timeout(_BELOW_SERVER_TIMEOUT):
        try:
            await dedicated.fetch(_SLEEP, (sleep,), time_left)
        except Unavailable:
            return True
    return False


@pytest.mark.parametrize("time_before", [PATIENCE, 0.05])
async def test_a_late_query_is_given_up_whatever_deadline_the_previous_one_had(
    dedicated: DedicatedConnection, time_before: float
) -> None:
    await dedicated.fetch(_SLEEP, (0.0,), PATIENCE)
    with suppress(Unavailable):  # if the machine was too slow
        await dedicated.fetch(_SLEEP, (0.0,), time_before)
    assert await _is_given_up(dedicated, 0.2)
    ((two,),) = await dedicated.fetch("select 2", (), PATIENCE)
    assert two == 2


async def test_a_late_query_is_given_up_even_on_a_new_connection(dedicated: DedicatedConnection) -> None:
    assert await _is_given_up(dedicated, 0.2)


async def test_the_deadline_of_an_earlier_query_does_not_end_a_later_one(dedicated: DedicatedConnection) -> None:
    before = await dedicated.fetch(_BACKEND, (), PATIENCE)
    await dedicated.fetch(_BACKEND, (), 0.5)
    await dedicated.fetch(_SLEEP, (0.7,), PATIENCE)
    await dedicated.fetch(_BACKEND, (), 0.5)
    await asyncio.sleep(0.7)
    assert await dedicated.fetch(_BACKEND, (), PATIENCE) == before


async def test_no_connection_is_made_for_a_late_query(database_url: str) -> None:
    async with tapped(database_url) as tap:
        dedicated = DedicatedConnection(tap.url)
        await dedicated.fetch(_SLEEP, (0.0,), PATIENCE)
        assert await _is_given_up(dedicated, 0.2)
        await asyncio.sleep(0.1)
        assert tap.connections == 1


async def test_a_retry_shares_the_deadline_of_the_first_attempt(
    dedicated: DedicatedConnection, database: Database
) -> None:
    ((backend,),) = await dedicated.fetch(_BACKEND, (), PATIENCE)
    await dedicated.fetch(_SLEEP, (0.0,), PATIENCE)
    async with database.statements() as connection:
        giving_up = asyncio.create_task(_is_given_up(dedicated, 1.0, sleep=0.7))
        await asyncio.sleep(0.6)
        await connection.exec_driver_sql(f"select pg_terminate_backend({backend})")
        assert await giving_up


async def test_a_query_in_progress_is_not_retried_after_close(dedicated: DedicatedConnection) -> None:
    ((backend,),) = await dedicated.fetch(_BACKEND, (), PATIENCE)
    await dedicated.fetch(_SLEEP, (0.0,), PATIENCE)
    os.kill(backend, signal.SIGSTOP)
    try:
        giving_up = asyncio.create_task(_is_given_up(dedicated, PATIENCE, sleep=0.0))
        await asyncio.sleep(0)
        await dedicated.close()
        assert await giving_up
    finally:
        os.kill(backend, signal.SIGCONT)


async def test_a_late_query_is_given_up_even_on_a_closed_connection(dedicated: DedicatedConnection) -> None:
    with suppress(Unavailable):  # if the machine was too slow
        await dedicated.fetch(_SLEEP, (0.0,), 0.5)
    await dedicated.close()
    await dedicated.fetch(_SLEEP, (0.0,), PATIENCE)
    assert await _is_given_up(dedicated, 1.0)
