"""A held connection: what is late is given up in time, and nothing else is."""

import asyncio

import pytest

from profile_lookup.database.held import HeldConnection
from profile_lookup.errors import Unavailable
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE

_SLEEP = "select pg_sleep($1)::text"
_BACKEND = "select pg_backend_pid()"
_BEFORE_THE_SERVER_DOES = 8  # seconds; its own limit of a statement is ten


def _held(settings: Settings) -> HeldConnection:
    assert settings.database_url is not None
    return HeldConnection(settings.database_url.get_secret_value())


@pytest.mark.parametrize("time_before", [PATIENCE, 0.05])
async def test_a_late_question_is_given_up_whatever_time_one_before_it_had(
    settings: Settings, time_before: float
) -> None:
    held = _held(settings)
    await held.fetch(_SLEEP, (0.0,), PATIENCE)
    await held.fetch(_SLEEP, (0.0,), time_before)
    async with asyncio.timeout(_BEFORE_THE_SERVER_DOES):
        with pytest.raises(Unavailable):
            await held.fetch(_SLEEP, (PATIENCE,), 0.2)
    ((two,),) = await held.fetch("select 2", (), PATIENCE)
    assert two == 2
    await held.close()


async def test_so_is_one_that_is_not_prepared_yet(settings: Settings) -> None:
    held = _held(settings)
    async with asyncio.timeout(_BEFORE_THE_SERVER_DOES):
        with pytest.raises(Unavailable):
            await held.fetch(_SLEEP, (PATIENCE,), 0.2)
    await held.close()


async def test_nothing_is_given_up_when_the_time_of_a_question_before_is_over(settings: Settings) -> None:
    held = _held(settings)
    before = await held.fetch(_BACKEND, (), PATIENCE)
    await held.fetch(_BACKEND, (), 0.1)
    await held.fetch(_SLEEP, (0.3,), PATIENCE)
    await held.fetch(_BACKEND, (), 0.1)
    await asyncio.sleep(0.3)
    assert await held.fetch(_BACKEND, (), PATIENCE) == before
    await held.close()
