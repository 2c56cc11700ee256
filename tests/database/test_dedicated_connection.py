"""A held connection: what is late is given up in time, and nothing else is."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from profile_lookup.database.dedicated_connection import DedicatedConnection
from profile_lookup.database.pool import Database
from profile_lookup.errors import Unavailable
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE
from tests.database.tap import tapped

_SLEEP = "select pg_sleep($1)::text"
_BACKEND = "select pg_backend_pid()"
_BEFORE_THE_SERVER_DOES = 8  # seconds; its own limit of a statement is ten


@pytest.fixture
async def held(settings: Settings) -> AsyncIterator[DedicatedConnection]:
    assert settings.database_url is not None
    connection = DedicatedConnection(settings.database_url.get_secret_value())
    yield connection
    await connection.close()


async def _is_given_up(held: DedicatedConnection, time_left: float, sleep: float = PATIENCE) -> bool:
    async with asyncio.timeout(_BEFORE_THE_SERVER_DOES):
        try:
            await held.fetch(_SLEEP, (sleep,), time_left)
        except Unavailable:
            return True
    return False


@pytest.mark.parametrize("time_before", [PATIENCE, 0.05])
async def test_a_late_question_is_given_up_whatever_time_one_before_it_had(
    held: DedicatedConnection, time_before: float
) -> None:
    await held.fetch(_SLEEP, (0.0,), PATIENCE)
    with suppress(Unavailable):  # on a machine that stood still
        await held.fetch(_SLEEP, (0.0,), time_before)
    assert await _is_given_up(held, 0.2)
    ((two,),) = await held.fetch("select 2", (), PATIENCE)
    assert two == 2


async def test_a_question_that_is_asked_for_the_first_time_is_given_up_as_well(held: DedicatedConnection) -> None:
    assert await _is_given_up(held, 0.2)


async def test_nothing_is_given_up_when_the_time_of_a_question_before_is_over(held: DedicatedConnection) -> None:
    before = await held.fetch(_BACKEND, (), PATIENCE)
    await held.fetch(_BACKEND, (), 0.5)
    await held.fetch(_SLEEP, (0.7,), PATIENCE)
    await held.fetch(_BACKEND, (), 0.5)
    await asyncio.sleep(0.7)
    assert await held.fetch(_BACKEND, (), PATIENCE) == before


async def test_no_connection_is_made_for_a_question_that_is_late(database_url: str) -> None:
    async with tapped(database_url) as tap:
        held = DedicatedConnection(tap.url)
        await held.fetch(_SLEEP, (0.0,), PATIENCE)
        assert await _is_given_up(held, 0.2)
        await asyncio.sleep(0.1)
        assert tap.connections == 1


async def test_both_attempts_have_the_time_of_one(held: DedicatedConnection, database: Database) -> None:
    ((backend,),) = await held.fetch(_BACKEND, (), PATIENCE)
    await held.fetch(_SLEEP, (0.0,), PATIENCE)
    asked = asyncio.create_task(_is_given_up(held, 1.0, sleep=0.7))
    await asyncio.sleep(0.6)
    async with database.statements() as connection:
        await connection.exec_driver_sql(f"select pg_terminate_backend({backend})")
    assert await asked


async def test_a_question_under_way_when_it_is_closed_is_not_asked_again(held: DedicatedConnection) -> None:
    ((backend,),) = await held.fetch(_BACKEND, (), PATIENCE)
    await held.fetch(_SLEEP, (0.0,), PATIENCE)
    os.kill(backend, signal.SIGSTOP)
    try:
        asked = asyncio.create_task(_is_given_up(held, PATIENCE, sleep=0.0))
        await asyncio.sleep(0)
        await held.close()
        assert await asked
    finally:
        os.kill(backend, signal.SIGCONT)


async def test_also_a_closed_one_gives_up_what_is_late(held: DedicatedConnection) -> None:
    with suppress(Unavailable):  # on a machine that stood still
        await held.fetch(_SLEEP, (0.0,), 0.5)
    await held.close()
    await held.fetch(_SLEEP, (0.0,), PATIENCE)
    assert await _is_given_up(held, 1.0)
