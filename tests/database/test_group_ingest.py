"""Concurrent creates share a transaction, and each has the same result as if it were alone."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.grants import Grant
from profile_lookup.accounts.keys import add_key
from profile_lookup.database.connections import TimeLimits
from profile_lookup.database.migrations import migrate
from profile_lookup.database.pool import Database
from profile_lookup.errors import (
    IdentifierConflict,
    OutcomeUnknown,
    ProfileLookupError,
    ScopeMissing,
    StoreNotFound,
    TraitsRefused,
    Unauthenticated,
    Unavailable,
)
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest import group_ingest
from profile_lookup.ingest.group_ingest import MAX_GROUP_BYTES, MAX_TRANSACTIONS, GroupIngest
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from tests.conftest import PATIENCE, WAITING
from tests.database.conftest import own_server, postmaster
from tests.database.stores import make_admissions, make_store

pytestmark = pytest.mark.plain_postgresql(
    "it locks tables on the node that has them, and counts the transactions there"
)

KEY = Credentials("SKtest", digest("secret"))


class Writer:
    """Creates profiles in a store through a `GroupIngest`."""

    def __init__(self, database: Database, store: StoreRules) -> None:
        self.database = database
        self.group = GroupIngest(database, make_admissions(database))
        self.store_id = ids.store_id(store.id)

    async def create(self, *chats: str, caller: Credentials = KEY, size: int = 0, **more: str) -> UUID:
        named = [*(("chat", chat) for chat in chats), *more.items()]
        change = Change(tuple(NormalizedIdentifier(id_type, NormalizedValue(value)) for id_type, value in named))
        return await self.create_as_read(lambda _: change, caller, size)

    async def create_as_read(
        self, read: Callable[[StoreRules], Change], caller: Credentials = KEY, size: int = 0
    ) -> UUID:
        return await self.group.ingest(caller, self.store_id, read, datetime.now(UTC), size)


async def _make_writer(database: Database, settings: IdentityResolutionSettings = DEFAULT_SETTINGS) -> Writer:
    store = await make_store(database, settings)
    async with database.transaction() as connection:
        await add_key(connection, store.account_id, KEY, name="")
    return Writer(database, store)


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[Writer]:
    writer = await _make_writer(database)
    yield writer
    await writer.group.close()


_LOCK = text("lock table identifier in access exclusive mode")


async def _begin_alone(writer: Writer, chats: list[str], monkeypatch: pytest.MonkeyPatch) -> "list[asyncio.Task[UUID]]":
    """Start creates that each have their own transaction, which waits for a lock and stays one of the `MAX_TRANSACTIONS`."""
    monkeypatch.setattr(group_ingest, "SOLO_TURN", PATIENCE)
    tasks = []
    async with asyncio.timeout(PATIENCE), writer.database.statements() as connection:
        for chat in chats:
            tasks.append(asyncio.create_task(writer.create(chat)))
            while await connection.scalar(text(WAITING)) < len(tasks):
                await asyncio.sleep(0.01)
    return tasks


async def _stored(database: Database, column: str) -> list[str]:
    async with database.statements() as connection:
        return list((await connection.execute(text(f"select {column} from identifier"))).scalars())


async def test_concurrent_creates_share_a_transaction(writer: Writer, database: Database) -> None:
    profile_ids = await asyncio.gather(*[writer.create(f"c-{number}") for number in range(50)])
    assert len(set(profile_ids)) == 50
    assert sorted(await _stored(database, "value")) == sorted(f"c-{number}" for number in range(50))
    assert len(set(await _stored(database, "xmin::text"))) == 1


async def test_creates_queue_up_while_earlier_transactions_are_running(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as connection:
        await connection.execute(_LOCK)
        under_way = await _begin_alone(writer, [f"first-{number}" for number in range(MAX_TRANSACTIONS)], monkeypatch)
        queued = [asyncio.create_task(writer.create(f"c-{number}")) for number in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*under_way, *queued)
    assert len(set(await _stored(database, "xmin::text"))) == MAX_TRANSACTIONS + 1


async def test_creates_of_a_few_turns_share_a_transaction_while_another_is_under_way(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.create("hot")
    async with database.transaction() as connection:
        await connection.execute(text("select from profile for update"))
        under_way = await _begin_alone(writer, ["hot"], monkeypatch)
        joining = []
        for number in range(3):
            joining.append(asyncio.create_task(writer.create(f"c-{number}")))
            await asyncio.sleep(0)
        await asyncio.gather(*joining)
    await asyncio.gather(*under_way)
    assert len(set(await _stored(database, "xmin::text"))) == 2


async def test_large_bodies_are_split_over_several_transactions(writer: Writer, database: Database) -> None:
    await asyncio.gather(*[writer.create(f"c-{number}", size=MAX_GROUP_BYTES // 2) for number in range(10)])
    assert len(set(await _stored(database, "xmin::text"))) == 5


async def test_a_create_that_waits_for_a_lock_does_not_delay_others(database_url: str) -> None:
    """Neither the creates of the same transaction nor later ones are delayed."""
    limits = TimeLimits(lock=None, statement=None, command=None, idle_in_transaction=None)
    database = Database(database_url, pool_size=16, limits=limits)  # it must not pass thanks to the limits of a write
    writer = await _make_writer(database)
    await writer.create("hot")
    async with database.transaction() as connection:
        await connection.execute(text("select from profile for update"))
        waiting = []
        for number in range(MAX_TRANSACTIONS):  # each has its own transaction
            waiting.append(asyncio.create_task(writer.create("hot", f"a-{number}")))
            await asyncio.sleep(0.01)
        waiting += [asyncio.create_task(writer.create("hot", f"h-{number}")) for number in range(MAX_TRANSACTIONS)]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*[writer.create(f"c-{number}") for number in range(20)])
            await asyncio.gather(*[writer.create(f"later-{number}") for number in range(20)])
        assert not any(each.done() for each in waiting)
    assert len(set(await asyncio.gather(*waiting))) == 1
    await writer.group.close()
    await database.close()


async def test_creates_of_one_group_match_each_other(writer: Writer) -> None:
    first, second, merged = await asyncio.gather(writer.create("a"), writer.create("b"), writer.create("a", "b"))
    assert first < second
    assert merged == first
    assert await writer.create("b") == first


async def test_a_refused_create_fails_alone(writer: Writer, database: Database) -> None:
    refusal = TraitsRefused("a reason")

    def refuse(_store: StoreRules) -> Change:
        raise refusal

    first, refused, empty, last = await asyncio.gather(
        writer.create("a"), writer.create_as_read(refuse), writer.create(), writer.create("a", "b"),
        return_exceptions=True,
    )  # fmt: skip
    assert refused is refusal
    assert isinstance(empty, TraitsRefused)
    assert first == last
    assert sorted(await _stored(database, "value")) == ["a", "b"]


async def test_a_conflicting_create_fails_alone(database: Database) -> None:
    without_email = IdentityResolutionSettings(DEFAULT_SETTINGS.identifier_configs, ("chat",))
    writer = await _make_writer(database, without_email)
    answers = await asyncio.gather(
        writer.create("a", email="a@example.com"), writer.create("b", email="a@example.com"), writer.create("c"),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(answer) for answer in answers] == [UUID, IdentifierConflict, UUID]
    assert sorted(await _stored(database, "value")) == ["a", "a@example.com", "c"]
    await writer.group.close()


async def test_a_create_that_crashes_fails_alone(writer: Writer, database: Database) -> None:
    answers = await asyncio.gather(
        writer.create("a"), writer.create("NUL, which no reading lets through: \0"), writer.create("c"),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(answers[1], Exception)
    assert not isinstance(answers[1], ProfileLookupError)
    assert sorted(await _stored(database, "value")) == ["a", "c"]


async def test_a_transaction_that_may_have_been_committed_is_not_retried(writer: Writer, database: Database) -> None:
    async with database.transaction() as connection:
        for statement in (
            """
            create function lose_connection() returns trigger language plpgsql as $$
            begin
                perform pg_terminate_backend(pg_backend_pid());
                return null;
            end $$
            """,
            """
            create constraint trigger lost_at_commit after insert on identifier
            deferrable initially deferred for each row when (new.value = 'last') execute function lose_connection()
            """,
        ):
            await connection.execute(text(statement))
    answers = await asyncio.gather(writer.create("a"), writer.create("last"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown]
    assert await _stored(database, "value") == []


async def test_creates_without_permission_are_refused_and_the_others_are_written(
    writer: Writer, database: Database
) -> None:
    other = await make_store(database, DEFAULT_SETTINGS)
    stranger, reader = Credentials("SKother", digest("secret")), Credentials("SKreader", digest("secret"))
    async with database.transaction() as connection:
        await add_key(connection, other.account_id, stranger, name="")
        (account_id,) = (
            await connection.execute(text("select account_id from credential where sid = 'SKtest'"))
        ).scalars()
        await add_key(connection, account_id, reader, name="", grant=Grant(frozenset({"lookup"})))
    guessed = Credentials(KEY.sid, digest("guessed"))
    answers = await asyncio.gather(
        *[
            writer.create(f"c-{number}", caller=caller)
            for number, caller in enumerate((KEY, stranger, reader, guessed))
        ],
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [UUID, StoreNotFound, ScopeMissing, Unauthenticated]
    assert await _stored(database, "value") == ["c-0"]


async def test_more_identifiers_than_fit_in_a_transaction_are_split_over_several(
    writer: Writer, database: Database
) -> None:
    size = group_ingest.MAX_GROUP_KEYS // 3
    await asyncio.gather(*[writer.create(*(f"{row}.{value}" for value in range(size))) for row in range(9)])
    assert len(await _stored(database, "value")) == 9 * size
    assert len(set(await _stored(database, "xmin::text"))) == 3


async def test_creates_beyond_the_queue_limit_are_refused_and_the_others_written(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_ingest, "MAX_WAITING", 20)
    guessed = Credentials(KEY.sid, digest("guessed"))
    strangers = asyncio.gather(
        *[writer.create(f"s-{number}", caller=guessed) for number in range(30)], return_exceptions=True
    )  # they fill only their own queue
    answers = await asyncio.gather(*[writer.create(f"c-{number}") for number in range(30)], return_exceptions=True)
    assert [isinstance(answer, Unavailable) for answer in answers] == [False] * 20 + [True] * 10
    assert len(await _stored(database, "value")) == 20
    assert {type(answer) for answer in await strangers} == {Unauthenticated, Unavailable}


async def test_a_create_that_waits_too_long_is_refused_and_not_written(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as connection:
        await connection.execute(_LOCK)
        under_way = await _begin_alone(writer, [f"first-{number}" for number in range(MAX_TRANSACTIONS)], monkeypatch)
        monkeypatch.setattr(group_ingest, "MAX_WAIT", 0.01)
        with pytest.raises(Unavailable):
            await writer.create("late")
    await asyncio.gather(*under_way)
    assert "late" not in await _stored(database, "value")


async def test_waiting_creates_are_refused_when_the_service_ends(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as connection:
        await connection.execute(_LOCK)
        waiting = await _begin_alone(writer, [f"first-{number}" for number in range(MAX_TRANSACTIONS)], monkeypatch)
        waiting += [asyncio.create_task(writer.create(f"c-{number}")) for number in range(10)]
        await asyncio.sleep(0)
        await writer.group.close()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert await _stored(database, "value") == []


async def test_every_answered_create_survives_a_kill_of_the_server(own_directory: Path) -> None:
    answered: list[str] = []
    with own_server(own_directory) as server:
        await asyncio.to_thread(migrate, server.url)
        database = Database(server.url, pool_size=8)
        writer = await _make_writer(database)

        async def create_repeatedly(number: int) -> None:
            for count in range(100_000):
                try:
                    await writer.create(f"{number}.{count}")
                except Unavailable:
                    return
                answered.append(f"{number}.{count}")

        creating = asyncio.gather(*[create_repeatedly(number) for number in range(16)])
        async with asyncio.timeout(PATIENCE):
            while len(answered) < 200:
                await asyncio.sleep(0.01)
            os.kill(postmaster(own_directory), signal.SIGKILL)
            await creating
        await writer.group.close()
        await database.close()
    with own_server(own_directory) as server:
        database = Database(server.url, pool_size=2)
        assert set(answered) <= set(await _stored(database, "value"))
        await database.close()
