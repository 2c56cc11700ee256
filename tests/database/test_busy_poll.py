"""Polling for an answer: in every turn of the loop, for as long as it helps."""

import asyncio

import pytest

from profile_lookup.database import busy_poll
from tests.database.conftest import WatchedPoll


@pytest.fixture(autouse=True)
def _for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy_poll, "LONGEST", 60.0)


async def test_every_turn_of_the_loop_looks_until_the_answer_is_here() -> None:
    polling = WatchedPoll(has_processor_to_spare=True)
    polling.start()
    assert await polling.polls_in_ten_turns() >= 9
    polling.stop()
    await polling.polls_in_ten_turns()
    assert await polling.polls_in_ten_turns() == 0


async def test_questions_that_follow_each_other_are_polled_for_once_a_turn() -> None:
    polling = WatchedPoll(has_processor_to_spare=True)
    for _ in range(5):
        polling.start()
        polling.stop()
        polling.start()
        await asyncio.sleep(0)
    assert await polling.polls_in_ten_turns() <= 10


async def test_nothing_is_polled_for_after_an_answer_that_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    polling = WatchedPoll(has_processor_to_spare=True)
    polling.start()
    monkeypatch.setattr(busy_poll, "LONGEST", 0.0)
    polling.stop()
    monkeypatch.setattr(busy_poll, "LONGEST", 60.0)
    polling.start()
    await asyncio.sleep(0)  # what had begun ends
    assert await polling.polls_in_ten_turns() == 0


async def test_nothing_is_polled_for_without_a_processor_to_spare() -> None:
    polling = WatchedPoll(has_processor_to_spare=False)
    polling.start()
    assert await polling.polls_in_ten_turns() == 0
