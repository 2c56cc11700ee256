"""The limits of load: how many requests may be under way, and what is refused."""

import asyncio

import pytest

from profile_lookup.errors import Overloaded
from profile_lookup.overload import CALM_AFTER, ConnectionTurn, LoadLimit


async def test_a_request_beyond_the_limit_is_refused_until_another_has_ended() -> None:
    limit = LoadLimit(least=3, most=3, seconds=1.0)
    for _ in range(3):
        limit.begin()
    with pytest.raises(Overloaded):
        limit.begin()
    limit.end()
    limit.begin()
    with pytest.raises(Overloaded):
        limit.begin()


async def test_the_limit_falls_to_the_least_when_requests_are_slow() -> None:
    limit = LoadLimit(least=4, most=1000, seconds=0.001)  # a thousandth of what is done in a second
    for _ in range(8):
        limit.begin()
    for _ in range(40):
        await asyncio.sleep(0.002)
        limit.end()
        limit.resume()
    for _ in range(4):
        limit.end()
    with pytest.raises(Overloaded):
        limit.begin()


async def test_the_limit_rises_when_requests_are_quick() -> None:
    limit = LoadLimit(least=4, most=1000, seconds=60.0)
    for _ in range(4):
        limit.begin()
    for _ in range(1000):
        limit.end()
        limit.begin()
    for _ in range(500):
        limit.begin()


async def test_a_late_request_is_refused_while_half_of_the_limit_is_used_and_for_a_moment_after() -> None:
    limit = LoadLimit(least=2, most=2, seconds=1.0)
    limit.begin()
    with pytest.raises(Overloaded):
        limit.begin(is_late=True)
    limit.end()
    with pytest.raises(Overloaded):
        limit.begin(is_late=True)
    await asyncio.sleep(2 * CALM_AFTER)
    limit.begin(is_late=True)


async def test_a_request_that_waits_for_its_client_does_not_count() -> None:
    limit = LoadLimit(least=1, most=1, seconds=1.0)
    limit.begin()
    with limit.uncounted():
        limit.begin()
        limit.end()
    with pytest.raises(Overloaded):
        limit.begin()


async def test_turns_are_taken_in_the_order_of_arrival_and_a_cancelled_request_leaves_none_behind() -> None:
    limit, turns = LoadLimit(least=10, most=10, seconds=1.0), asyncio.Semaphore(1)
    order: list[int] = []
    may_end = asyncio.Event()

    async def request(number: int) -> None:
        async with ConnectionTurn(limit, turns) as turn:
            await turn.begin()
            order.append(number)
            await may_end.wait()

    requests = [asyncio.create_task(request(number)) for number in range(5)]
    await asyncio.sleep(0)
    requests[0].cancel()
    requests[2].cancel()
    may_end.set()
    await asyncio.gather(*requests, return_exceptions=True)
    assert order == [0, 1, 3, 4]
    for _ in range(10):
        limit.begin()
    assert turns._value == 1


async def test_a_slow_client_occupies_no_turn() -> None:
    limit, turns = LoadLimit(least=10, most=10, seconds=1.0), asyncio.Semaphore(1)
    arrived = asyncio.Event()

    async def slow() -> None:
        async with ConnectionTurn(limit, turns) as turn:
            await turn.begin()
            await turn.interrupted(arrived.wait)()

    waiting = asyncio.create_task(slow())
    await asyncio.sleep(0)
    async with ConnectionTurn(limit, turns) as turn:
        await turn.begin()
        arrived.set()
    await waiting
