"""The busy poll looks for an answer in every turn of the event loop, for as long as that helps."""

import asyncio

import pytest

from profile_lookup.database.single_queries import busy_poll
from tests.database.conftest import CountingPoll


@pytest.fixture(autouse=True)
def _poll_for_a_long_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy_poll, "LONGEST", 60.0)


async def test_every_turn_of_the_loop_polls_until_the_answer_arrives() -> None:
    polling = CountingPoll(has_processor_to_spare=True)
    polling.start()
    assert await polling.polls_in_ten_turns() >= 9
    polling.stop()
    await polling.polls_in_ten_turns()
    assert await polling.polls_in_ten_turns() == 0


async def test_consecutive_queries_are_polled_for_once_per_turn() -> None:
    polling = CountingPoll(has_processor_to_spare=True)
    for _ in range(5):
        polling.start()
        polling.stop()
        polling.start()
        await asyncio.sleep(0)
    assert await polling.polls_in_ten_turns() <= 10


async def test_polling_stops_after_a_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    polling = CountingPoll(has_processor_to_spare=True)
    polling.start()
    monkeypatch.setattr(busy_poll, "LONGEST", 0.0)
    polling.stop()
    monkeypatch.setattr(busy_poll, "LONGEST", 60.0)
    polling.start()
    await asyncio.sleep(0)  # a poll that had already begun ends
    assert await polling.polls_in_ten_turns() == 0


async def test_there_is_no_polling_without_a_spare_processor() -> None:
    polling = CountingPoll(has_processor_to_spare=False)
    polling.start()
    assert await polling.polls_in_ten_turns() == 0
