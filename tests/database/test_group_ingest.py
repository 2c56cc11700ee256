"""Profiles that are created at the same time are written together, and each of them as if it had come alone."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import add_key
from profile_lookup.database.embedded import EmbeddedPostgres
from profile_lookup.database.engine import Database
from profile_lookup.database.migrations import migrate
from profile_lookup.errors import (
    IdentifierConflict,
    ProfileLookupError,
    ScopeMissing,
    StoreNotFound,
    TraitsRefused,
    Unauthenticated,
    Unavailable,
)
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier, NormalizedValue
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentityResolutionSettings
from profile_lookup.profiles import group_ingest
from profile_lookup.profiles.group_ingest import GroupIngest
from profile_lookup.stores.admission import Store
from profile_lookup.web import ids
from tests.conftest import PATIENCE
from tests.database.stores import make_store

KEY = Credentials("SKtest", digest("secret"))


class Writer:
    """Who creates profiles in a store, all in groups."""

    def __init__(self, database: Database, store: Store) -> None:
        self.group = GroupIngest(database)
        self.store_id = ids.store_id(store.id)

    async def create(self, *chats: str, caller: Credentials = KEY, **more: str) -> UUID:
        named = [*(("chat", chat) for chat in chats), *more.items()]
        change = Change(tuple(NormalizedIdentifier(id_type, NormalizedValue(value)) for id_type, value in named))
        return await self.create_as_read(lambda _: change, caller)

    async def create_as_read(self, read: Callable[[Store], Change], caller: Credentials = KEY) -> UUID:
        return await self.group.ingest(caller, self.store_id, read, datetime.now(UTC))


async def _writer(database: Database, settings: IdentityResolutionSettings = DEFAULT_SETTINGS) -> Writer:
    store = await make_store(database, settings)
    async with database.transaction() as connection:
        await add_key(connection, store.account_id, KEY, scope="full", name="")
    return Writer(database, store)


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[Writer]:
    writer = await _writer(database)
    yield writer
    await writer.group.close()


async def _stored(database: Database, column: str) -> list[str]:
    async with database.statements() as connection:
        return list((await connection.execute(text(f"select {column} from identifier"))).scalars())


async def test_those_that_come_at_the_same_time_are_of_one_transaction(writer: Writer, database: Database) -> None:
    profile_ids = await asyncio.gather(*[writer.create(f"c-{number}") for number in range(50)])
    assert len(set(profile_ids)) == 50
    assert sorted(await _stored(database, "value")) == sorted(f"c-{number}" for number in range(50))
    assert len(set(await _stored(database, "xmin::text"))) == 1


async def test_while_their_store_is_busy_they_gather(writer: Writer, database: Database) -> None:
    async def create(number: int) -> None:
        await asyncio.sleep(number / 10_000)
        await writer.create(f"c-{number}")

    async with asyncio.TaskGroup() as at_once:
        for number in range(200):
            at_once.create_task(create(number))
    assert len(await _stored(database, "value")) == 200
    assert len(set(await _stored(database, "xmin::text"))) < 100


async def test_within_a_group_they_meet_each_other(writer: Writer) -> None:
    first, second, merged = await asyncio.gather(writer.create("a"), writer.create("b"), writer.create("a", "b"))
    assert first < second
    assert merged == first
    assert await writer.create("b") == first


async def test_one_that_is_refused_fails_alone(writer: Writer, database: Database) -> None:
    refusal = TraitsRefused("a reason")

    def refuse(_store: Store) -> Change:
        raise refusal

    first, refused, empty, last = await asyncio.gather(
        writer.create("a"), writer.create_as_read(refuse), writer.create(), writer.create("a", "b"),
        return_exceptions=True,
    )  # fmt: skip
    assert refused is refusal
    assert isinstance(empty, TraitsRefused)
    assert first == last
    assert sorted(await _stored(database, "value")) == ["a", "b"]


async def test_one_that_conflicts_fails_alone(database: Database) -> None:
    without_email = IdentityResolutionSettings(DEFAULT_SETTINGS.identifier_configs, ("chat",))
    writer = await _writer(database, without_email)
    answers = await asyncio.gather(
        writer.create("a", email="a@example.com"), writer.create("b", email="a@example.com"), writer.create("c"),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(answer) for answer in answers] == [UUID, IdentifierConflict, UUID]
    assert sorted(await _stored(database, "value")) == ["a", "a@example.com", "c"]
    await writer.group.close()


async def test_one_that_meets_a_defect_of_ours_fails_alone(writer: Writer, database: Database) -> None:
    answers = await asyncio.gather(
        writer.create("a"), writer.create("NUL, which no reading lets through: \0"), writer.create("c"),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(answers[1], Exception)
    assert not isinstance(answers[1], ProfileLookupError)
    assert sorted(await _stored(database, "value")) == ["a", "c"]


async def test_whoever_is_not_admitted_is_told_and_the_others_are_written(writer: Writer, database: Database) -> None:
    other = await make_store(database, DEFAULT_SETTINGS)
    stranger, reader = Credentials("SKother", digest("secret")), Credentials("SKreader", digest("secret"))
    async with database.transaction() as connection:
        await add_key(connection, other.account_id, stranger, scope="full", name="")
        (account_id,) = (
            await connection.execute(text("select account_id from credential where sid = 'SKtest'"))
        ).scalars()
        await add_key(connection, account_id, reader, scope="lookup", name="")
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


async def test_more_identifiers_than_fit_in_a_transaction_are_of_several(writer: Writer, database: Database) -> None:
    await asyncio.gather(*[writer.create(*(f"{row}.{value}" for value in range(400))) for row in range(9)])
    assert len(await _stored(database, "value")) == 9 * 100  # as many as a profile keeps
    assert len(set(await _stored(database, "xmin::text"))) == 3


async def test_more_than_can_wait_are_turned_away_and_the_others_written(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_ingest, "MAX_WAITING", 20)
    answers = await asyncio.gather(*[writer.create(f"c-{number}") for number in range(30)], return_exceptions=True)
    assert [isinstance(answer, Unavailable) for answer in answers] == [False] * 20 + [True] * 10
    assert len(await _stored(database, "value")) == 20


async def test_who_waited_too_long_for_a_turn_is_told_so_and_nothing_is_written(
    writer: Writer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_ingest, "LONGEST_WAIT", 0.0)
    with pytest.raises(Unavailable):
        await writer.create("a")
    assert await _stored(database, "value") == []


async def test_who_waits_when_the_service_ends_is_told_so(writer: Writer, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("lock table identifier in access exclusive mode"))
        waiting = []
        for number in range(10):
            waiting.append(asyncio.create_task(writer.create(f"c-{number}")))
            await asyncio.sleep(0.01)
        await writer.group.close()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert await _stored(database, "value") == []


@pytest.fixture
def own_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="writes-") as path:
        Path(path).chmod(0o711)  # as root, PostgreSQL runs as somebody who has to pass through
        yield Path(path) / "pg"


async def test_what_was_answered_is_there_after_a_server_is_killed_in_the_middle(own_directory: Path) -> None:
    answered: list[str] = []
    with EmbeddedPostgres(own_directory, settings={"fsync": "off", "shared_buffers": "16MB"}) as server:
        await asyncio.to_thread(migrate, server.url)
        database = Database(server.url, pool_size=8)
        writer = await _writer(database)

        async def create_on_and_on(number: int) -> None:
            for count in range(100_000):
                try:
                    await writer.create(f"{number}.{count}")
                except Unavailable:
                    return
                answered.append(f"{number}.{count}")

        at_work = asyncio.gather(*[create_on_and_on(number) for number in range(16)])
        async with asyncio.timeout(PATIENCE):
            while len(answered) < 200:
                await asyncio.sleep(0.01)
            os.kill(int((own_directory / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
            await at_work
        await writer.group.close()
        await database.close()
    with EmbeddedPostgres(own_directory, settings={"fsync": "off", "shared_buffers": "16MB"}) as server:
        database = Database(server.url, pool_size=2)
        assert set(answered) <= set(await _stored(database, "value"))
        await database.close()
