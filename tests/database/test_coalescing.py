"""Coalesced lookups give the same answers as single ones, even if the server is killed, paused or busy."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.keys import remove_key
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.database.single_queries import busy_poll
from profile_lookup.database.single_queries.busy_poll import BusyPoll
from profile_lookup.errors import Unavailable
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.lookup import lookup_queue
from profile_lookup.lookup.coalescing import Lookups
from tests.conftest import PATIENCE, WAITING
from tests.database.conftest import CountingPoll, own_server, postmaster
from tests.database.filled_store import FilledStore, fill_store

pytestmark = pytest.mark.plain_postgresql(
    "it counts the sessions and statements of one server; tests/citus/test_lookups.py has those of nodes"
)

_SESSIONS_OF_LOOKUPS = """
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query like '%from credential%'
"""


@pytest.fixture
async def filled(database: Database) -> FilledStore:
    return await fill_store(database)


@pytest.fixture
async def lookups(database_url: str, filled: FilledStore) -> AsyncIterator[Lookups]:
    opened = Lookups(database_url, _busy_poll())
    yield opened
    await opened.close()


async def test_concurrent_lookups_each_get_their_own_answer(lookups: Lookups, filled: FilledStore) -> None:
    numbers = [number % 13 for number in range(500)]
    answers = await asyncio.gather(*[filled.found(lookups, number) for number in numbers])
    assert answers == [filled.expected(number) for number in numbers]


async def test_coalesced_lookups_check_the_credentials_of_each_caller(
    lookups: Lookups, filled: FilledStore, database: Database
) -> None:
    other = await fill_store(database)
    wrong_secret = Credentials(filled.key.sid, digest("guessed"))
    asked = [(filled, filled.key), (filled, wrong_secret), (other, filled.key), (other, other.key)] * 40
    answers = await asyncio.gather(*[of.found(lookups, 3, caller) for of, caller in asked])
    assert answers == [filled.expected(3), None, None, other.expected(3)] * 40


async def test_a_revoked_key_is_refused(lookups: Lookups, filled: FilledStore, database: Database) -> None:
    assert await filled.found(lookups, 1) == filled.expected(1)
    async with database.transaction() as connection:
        assert await remove_key(connection, filled.key.sid)
    assert await asyncio.gather(*[filled.found(lookups, 1) for _ in range(20)]) == [None] * 20


@pytest.mark.plain_postgresql("on Citus, each store has a connection of its own at a time")
async def test_a_busy_store_does_not_delay_other_stores(
    lookups: Lookups, filled: FilledStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise a second connection answers others while the first one prepares.
    monkeypatch.setattr(lookup_queue, "SLOW", 60.0)
    other = await fill_store(database)
    await asyncio.gather(*[filled.found(lookups, 1) for _ in range(200)])  # now the connection exists
    done: list[str] = []

    async def ask(of: FilledStore, name: str) -> None:
        await of.found(lookups, 1)
        done.append(name)

    busy = [ask(filled, "busy") for _ in range(1000)]
    await asyncio.gather(*busy, *[ask(other, "other") for _ in range(10)])
    assert max(index for index, name in enumerate(done) if name == "other") < 600


async def test_lookups_beyond_the_queue_limit_are_refused_and_the_others_answered(
    lookups: Lookups, filled: FilledStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_queue, "SLOW", 60.0)
    too_many = 10
    asked = [filled.found(lookups, 1) for _ in range(lookup_queue.MAX_WAITING + too_many)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    turned_away = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(turned_away) == too_many
    assert [answer for answer in answers if answer not in turned_away] == [filled.expected(1)] * (len(asked) - too_many)


async def test_cancelled_lookups_do_not_affect_the_others(lookups: Lookups, filled: FilledStore) -> None:
    asked = [asyncio.ensure_future(filled.found(lookups, 1)) for _ in range(100)]
    await asyncio.sleep(0)
    for gone in asked[::2]:
        gone.cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers[1::2] == [filled.expected(1)] * 50
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert await filled.found(lookups, 2) == filled.expected(2)


async def test_no_query_is_run_for_a_client_that_has_disconnected(
    lookups: Lookups, filled: FilledStore, database: Database
) -> None:
    chat = DEFAULT_SETTINGS.normalize(Identifier("chat", "c-1"))
    async with database.transaction() as connection:
        await connection.execute(text("lock table credential in access exclusive mode"))  # so that all lookups wait
        there = [asyncio.ensure_future(filled.found(lookups, 1)) for _ in range(lookup_queue.CONNECTIONS + 5)]
        gone = [asyncio.ensure_future(lookups.find(filled.key, filled.store.id, chat, lambda: True)) for _ in range(5)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*there) == [filled.expected(1)] * len(there)
    assert [str(answer) for answer in await asyncio.gather(*gone, return_exceptions=True)] == [
        "Service Unavailable: the client has gone"
    ] * 5


@pytest.mark.plain_postgresql("on Citus, each store has a connection of its own at a time")
async def test_a_lost_connection_is_replaced_without_an_error(
    lookups: Lookups, filled: FilledStore, database: Database
) -> None:
    await asyncio.gather(*[filled.found(lookups, 1) for _ in range(10)])
    async with database.statements() as connection:
        ended = await connection.execute(text(f"select pg_terminate_backend(pid) {_SESSIONS_OF_LOOKUPS}"))
        assert set(ended.scalars()) == {True}
    answers = await asyncio.gather(*[filled.found(lookups, 4) for _ in range(50)])
    assert answers == [filled.expected(4)] * 50


@pytest.mark.plain_postgresql("on Citus, each store has a connection of its own at a time")
async def test_a_slow_lookup_does_not_delay_the_others(
    lookups: Lookups, filled: FilledStore, database: Database
) -> None:
    assert await filled.found(lookups, 1) == filled.expected(1)
    async with database.statements() as connection:
        (pid,) = (await connection.execute(text(f"select pid {_SESSIONS_OF_LOOKUPS}"))).scalars()
    os.kill(pid, signal.SIGSTOP)  # simulates a slow disk
    try:
        async with asyncio.timeout(PATIENCE):
            slow = asyncio.create_task(filled.found(lookups, 2))
            for _ in range(2):  # those that arrive in the same turn of the loop share the statement
                await asyncio.sleep(0)
            for number in (3, 4):
                assert await filled.found(lookups, number) == filled.expected(number)
        assert not slow.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await slow == filled.expected(2)


@pytest.mark.plain_postgresql("on Citus, each store has a connection of its own at a time")
async def test_polling_ends_when_an_answer_is_slow_and_is_not_tried_for_the_next(
    database_url: str, filled: FilledStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy_poll, "LONGEST", 0.01)
    monkeypatch.setattr(lookup_queue, "SLOW", 60.0)
    polling = CountingPoll(has_processor_to_spare=True)
    lookups = Lookups(database_url, polling)
    async with database.transaction() as connection:
        await connection.execute(text("lock table credential in access exclusive mode"))
        slow = asyncio.create_task(filled.found(lookups, 1))
        await asyncio.sleep(0.2)
        polls = polling.polls
        company = asyncio.create_task(filled.found(lookups, 1))
        await asyncio.sleep(0.2)
        company.cancel()
    assert await slow == filled.expected(1)
    async with database.transaction() as connection:
        await connection.execute(text("lock table credential in access exclusive mode"))
        together = [asyncio.create_task(filled.found(lookups, number)) for number in range(8)]
        await asyncio.sleep(0.2)
        assert polling.polls == polls > 1  # polling ended, and did not begin again after a slow answer
    assert await asyncio.gather(*together) == [filled.expected(number) for number in range(8)]
    await lookups.close()


async def test_waiting_lookups_are_refused_when_the_service_ends(
    database_url: str, filled: FilledStore, database: Database
) -> None:
    lookups = Lookups(database_url, _busy_poll())
    async with database.transaction() as connection:
        await connection.execute(text("lock table credential in access exclusive mode"))
        waiting = [asyncio.create_task(filled.found(lookups, 1)) for _ in range(200)]
        async with asyncio.timeout(PATIENCE), database.statements() as watching:
            while await watching.scalar(text(WAITING)) < lookup_queue.CONNECTIONS:
                await asyncio.sleep(0.01)
        alone, *others = waiting
        await lookups.close()
        answers = await asyncio.gather(*others, return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    with pytest.raises(Unavailable):
        await alone


async def test_one_connection_is_enough_while_answers_are_quick(
    lookups: Lookups, filled: FilledStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_queue, "SLOW", 60.0)
    await asyncio.gather(*[filled.found(lookups, number % 10) for number in range(1000)])
    async with database.statements() as connection:
        assert await connection.scalar(text(f"select count(*) {_SESSIONS_OF_LOOKUPS}")) == 1


async def test_a_lookup_past_its_deadline_is_refused_and_the_next_one_is_answered(
    lookups: Lookups, filled: FilledStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_queue, "DEADLINE", 0.5)
    await filled.found(lookups, 1)
    async with database.transaction() as connection:
        await connection.execute(text("lock table credential in access exclusive mode"))
        asked = [asyncio.ensure_future(filled.found(lookups, 1)) for _ in range(200)]
        async with asyncio.timeout(PATIENCE):
            answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)
    monkeypatch.setattr(lookup_queue, "DEADLINE", 30.0)
    assert await filled.found(lookups, 1) == filled.expected(1)
    async with asyncio.timeout(PATIENCE), database.statements() as connection:
        while await connection.scalar(text(WAITING)):  # no query is left waiting in the server
            await asyncio.sleep(0.01)


async def test_lookups_work_again_after_the_server_was_killed_and_restarted(own_directory: Path) -> None:
    with own_server(own_directory) as server:
        await asyncio.to_thread(migrate, server.url)
        database = Database(server.url, pool_size=2)
        filled = await fill_store(database)
        await database.close()
        lookups = Lookups(server.url, _busy_poll())
        assert await filled.found(lookups, 1) == filled.expected(1)
        os.kill(postmaster(own_directory), signal.SIGKILL)
        answers = await asyncio.gather(*[filled.found(lookups, 1) for _ in range(20)], return_exceptions=True)
        assert all(isinstance(answer, Unavailable) or answer == filled.expected(1) for answer in answers)
        async with asyncio.timeout(PATIENCE):
            while await _is_answered(filled, lookups):  # until the last of its processes has ended
                await asyncio.sleep(0.01)
    with own_server(own_directory) as server:
        assert await filled.found(lookups, 1) == filled.expected(1)
        await lookups.close()


async def test_lookups_on_a_paused_server_end_at_their_deadline(
    own_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_server(own_directory) as server:
        await asyncio.to_thread(migrate, server.url)
        database = Database(server.url, pool_size=2)
        filled = await fill_store(database)
        await database.close()
        lookups = Lookups(server.url, _busy_poll())
        await asyncio.gather(*[filled.found(lookups, 1) for _ in range(10)])
        monkeypatch.setattr(lookup_queue, "DEADLINE", 0.5)
        server_pid = postmaster(own_directory)
        processes = [server_pid, *_children(server_pid)]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE):
                asked = [filled.found(lookups, 1) for _ in range(100)]
                answers = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(answer, Unavailable) for answer in answers)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)
        monkeypatch.setattr(lookup_queue, "DEADLINE", 30.0)
        assert await asyncio.gather(*[filled.found(lookups, 1) for _ in range(10)]) == [filled.expected(1)] * 10
        await lookups.close()


def _busy_poll() -> BusyPoll:
    return BusyPoll(has_processor_to_spare=True)


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


async def _is_answered(filled: FilledStore, lookups: Lookups) -> bool:
    try:
        return await filled.found(lookups, 1) == filled.expected(1)
    except Unavailable:
        return False
