"""Concurrent writes leave exactly the same data as some serial order of them.

The order is known, because each transaction draws a number while it holds all its locks. A pure model replays the
requests in that order, and every answer and every row must be equal. It would not be enough to compare which profiles
were merged in the end, because later merges hide earlier mistakes.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, islice
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import event, text

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.keys import add_key
from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierConflict, OutcomeUnknown, Unavailable
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.merging import combined
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.resolution import Create, profiles_of, resolve
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.ingest.attempts import Attempt
from profile_lookup.ingest.group_ingest import GroupIngest
from profile_lookup.ingest.identity_locks import CandidateMoved, lock_and_gather, write_in_transaction
from profile_lookup.ingest.ingest import ingest, ingest_together
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from tests.citus.store_node import connected
from tests.conftest import WAITING, look_up, make_profile
from tests.database.contents import TRAITS
from tests.database.stores import make_admissions, make_store

T = TypeVar("T")

KEY = Credentials("SKtest", digest("secret"))

SETTINGS = IdentityResolutionSettings(
    (
        IdentifierConfig("email"),
        IdentifierConfig("phone", limit=3),
        IdentifierConfig("device", enforce_unique=False, limit=4, limit_policy="lifo"),
        IdentifierConfig("cookie", enforce_unique=False),
        IdentifierConfig("passport"),  # unique, but not a matching rule: a shared value is a conflict
        IdentifierConfig("request"),  # identifies the request in the log of draws
    ),
    ("email", "phone", "device", "cookie", "request"),
)

# On Citus, each shard has a function of its own, which all nodes know, and the node of the store runs it.
GATHERING = "select proname from pg_proc where proname ~ '^lock_and_gather(_[0-9]+)?$' and pronargs = 10"
DRAW = """
    alter function {name}(
        uuid, bigint, bigint, bigint[], text[], text[], uuid, text[], text[], integer[]
    ) rename to {name}_of_the_product;

    create function {name}(
        in_store uuid, in_revision bigint, store_key bigint, lock_keys bigint[], match_types text[],
        match_values text[], known uuid, shared_types text[], shared_values text[], shared_requests integer[]
    )
    returns table (
        profile_id uuid, is_locked boolean, identifier_types text[], identifier_values text[],
        identifier_times timestamptz[], identifier_names text[], traits jsonb, created_at timestamptz,
        is_as_created boolean, created_by text, separations jsonb
    )
    language plpgsql volatile as $$
    begin
        return query select * from {name}_of_the_product(
            in_store, in_revision, store_key, lock_keys, match_types, match_values, known,
            shared_types, shared_values, shared_requests
        );
        raise notice 'drew % for %', nextval('draw'), (
            select string_agg(match.value, ' ' order by match.place)
            from unnest(match_types, match_values) with ordinality as match (id_type, value, place)
            where match.id_type = 'request'
        );
    end $$;
"""


@dataclass
class Request:
    number: int
    incoming: list[NormalizedIdentifier]
    city: str
    requested_at: datetime
    drawn: tuple[int, int] | None = None
    """The number that its transaction drew, and the position of this request in that transaction."""
    answer: UUID | type[IdentifierConflict] | None = None

    @property
    def change(self) -> Change:
        return Change(tuple(self.incoming), {TraitName("Contact", "city"): self.city})

    def read(self, _store: StoreRules) -> Change:
        return self.change


class Model:
    """A store as dictionaries, which apply one request after another."""

    def __init__(self) -> None:
        self.profiles: dict[UUID, Profile] = {}
        self.aliases: dict[UUID, UUID] = {}

    def replay(self, request: Request) -> None:
        candidates = [
            profile for profile in self.profiles.values() if not profile.identifiers.keys().isdisjoint(request.incoming)
        ]
        try:
            resolution = resolve(SETTINGS, request.incoming, candidates)
        except IdentifierConflict:
            assert request.answer is IdentifierConflict
            return
        assert isinstance(request.answer, UUID)
        before = profiles_of(resolution)
        if isinstance(resolution, Create):
            assert request.answer not in self.profiles.keys() | self.aliases.keys()
            canonical_id = request.answer
        else:
            canonical_id = before[0].id
            assert request.answer == canonical_id
        for absorbed in before[1:]:
            del self.profiles[absorbed.id]
            self.aliases |= {alias: canonical_id for alias, of in self.aliases.items() if of == absorbed.id}
            self.aliases[absorbed.id] = canonical_id
        identifiers, all_traits = combined(SETTINGS, before, request.change, request.requested_at)
        self.profiles[canonical_id] = Profile(canonical_id, identifiers, all_traits)


def _requests(seed: int, count: int, shared_values: int) -> list[Request]:
    """Return requests that use small, moving pools of values, so that they overlap, chain and merge all the time.

    `shared_values`: the size of the pools of the types that are not unique.
    """
    pool_sizes = {"device": shared_values, "cookie": shared_values}
    chance = random.Random(seed)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    requests = []
    for number in range(count):
        window = number // 150
        types = chance.choices(
            ("email", "phone", "device", "cookie", "passport"),
            (4, 4, 4, 4, 1),
            k=chance.choice((1, 2, 2, 3, 3, 4, 6)),
        )
        named = [Identifier(id_type, f"{window}.{chance.randrange(pool_sizes.get(id_type, 12))}") for id_type in types]
        named.append(Identifier("request", str(number)))
        incoming = list(dict.fromkeys(map(SETTINGS.normalize, named)))
        requests.append(Request(number, incoming, f"city {number}", began + timedelta(seconds=number)))
    return requests


async def _repeated(write: Callable[[], Awaitable[T]]) -> T:
    """Return what a write returns. As a client would, repeat it if it waits too long for locks on a busy machine."""
    while True:
        try:
            return await write()
        except OutcomeUnknown:
            raise
        except Unavailable:
            pass


async def _ingest(database: Database, store: StoreRules, queue: Iterator[Request]) -> None:
    for request in queue:
        try:
            request.answer = await _repeated(partial(ingest, database, store, request.read, request.requested_at))
        except IdentifierConflict:
            request.answer = IdentifierConflict


async def _ingest_together(database: Database, store: StoreRules, queue: Iterator[Request], size: int) -> None:
    while chunk := list(islice(queue, size)):
        attempts: list[Attempt] = [Attempt(request.change, request.requested_at) for request in chunk]
        write = partial(ingest_together, store=store, attempts=attempts)
        written = partial(write_in_transaction, database, store, lambda _: write)  # noqa: B023 -- awaited at once
        for request, outcome in zip(chunk, await _repeated(written), strict=True):
            request.answer = outcome.profile_id if isinstance(outcome, Written) else IdentifierConflict


async def _ingest_in_groups(group: GroupIngest, store: StoreRules, queue: Iterator[Request]) -> None:
    for request in queue:
        try:
            create = partial(group.ingest, KEY, ids.store_id(store.id), request.read, request.requested_at)
            request.answer = await _repeated(create)
        except IdentifierConflict:
            request.answer = IdentifierConflict


@pytest.mark.parametrize(
    ("seed", "chunk_sizes", "in_groups", "shared_values"),
    [
        (0, (), 0, 12),
        (1, (), 24, 12),
        pytest.param(2, (6, 12, 30), 0, 12, marks=pytest.mark.slow),
        (3, (6, 12, 30), 12, 12),
        (4, (), 0, 2),
        pytest.param(5, (6, 12, 30), 12, 2, marks=pytest.mark.slow),
    ],
)
async def test_a_serial_order_explains_concurrent_writes(
    database_urls: Sequence[str], seed: int, chunk_sizes: tuple[int, ...], in_groups: int, shared_values: int
) -> None:
    """Some transactions write a single request, some a chunk, and some a group of concurrent requests.

    With few shared values, each is held by so many profiles that most of these are not locked.
    """
    databases = [Database(url, pool_size=24) for url in database_urls]
    requests = _requests(seed, 900, shared_values)

    def on_notice(_connection: object, message: Any) -> None:
        found = re.fullmatch(r"drew (\d+) for ([\d ]+)", message.message)
        if found is None:  # nodes of Citus also send warnings
            return
        drawn, numbers = found.groups()
        for place, number in enumerate(numbers.split(" ")):
            requests[int(number)].drawn = int(drawn), place  # the last draw belongs to the run that was committed

    def listen(connection: Any, _record: object) -> None:
        connection.driver_connection.add_log_listener(on_notice)

    for each in databases:
        event.listen(each.engine.sync_engine.pool, "connect", listen)
    database = databases[0]
    store = await make_store(database, SETTINGS)
    groups = [GroupIngest(each, make_admissions(each)) for each in databases]
    try:
        for url in database_urls:
            await _let_locks_draw(url)
        async with database.transaction() as connection:
            await add_key(connection, store.account_id, KEY, name="")
        queue, turns, group_turns = iter(requests), cycle(databases), cycle(groups)
        writers = (
            *[_ingest_together(next(turns), store, queue, size) for size in chunk_sizes],
            *[_ingest_in_groups(next(group_turns), store, queue) for _ in range(in_groups)],
            *[_ingest(next(turns), store, queue) for _ in range(24 - len(chunk_sizes) - in_groups)],
        )
        async with asyncio.TaskGroup() as tasks:
            for writer in writers:
                tasks.create_task(writer)
        assert len({request.drawn for request in requests} - {None}) == len(requests)

        model = Model()
        for request in sorted(requests, key=lambda request: request.drawn or (0, 0)):
            model.replay(request)
        assert await _stored(database) == (model.profiles, model.aliases)
        # The run contained conflicts and merges, so the comparison means something.
        assert any(request.answer is IdentifierConflict for request in requests)
        assert len(model.aliases) > 25
        assert len(model.profiles) > 25
    finally:
        await asyncio.gather(*[group.close() for group in groups])
        await asyncio.gather(*[each.close() for each in databases])


async def _let_locks_draw(database_url: str) -> None:
    """Let each function of locks on this node draw a number while it holds the locks, and send it as a notice."""
    async with connected(database_url) as connection:
        await connection.execute("set citus.enable_ddl_propagation = off; create sequence draw")
        for (name,) in await connection.fetch(GATHERING):
            await connection.execute(DRAW.format(name=name))


async def _stored(database: Database) -> tuple[dict[UUID, Profile], dict[UUID, UUID]]:
    async with database.statements() as connection:
        profiles = {
            profile_id: Profile(profile_id, {}, {})
            for (profile_id,) in await connection.execute(text("select id from profile"))
        }
        query = "select profile_id, id_type, value, added_at, shared_by = '' from identifier"
        for profile_id, id_type, value, added_at, is_unique in await connection.execute(text(query)):
            assert is_unique == SETTINGS.is_unique(id_type)
            profiles[profile_id].identifiers[NormalizedIdentifier(id_type, value)] = added_at  # type: ignore[index]
        query = f"select profile_id, group_name, name, value, written_at from ({TRAITS})"
        for profile_id, group, name, value, written_at in await connection.execute(text(query)):
            trait = Trait(value, written_at)
            profiles[profile_id].traits[TraitName(group, name)] = trait  # type: ignore[index]
        aliases = {row.id: row.profile_id for row in await connection.execute(text("select * from alias"))}
    return profiles, aliases


async def test_64_concurrent_requests_with_the_same_new_phone_leave_one_profile(
    client: httpx.AsyncClient, store_id: str
) -> None:
    answers = await asyncio.gather(*[make_profile(client, store_id, phone="+13175556789") for _ in range(64)])
    assert len(set(answers)) == 1
    assert await look_up(client, store_id, "phone", "+13175556789") == [answers[0]]


async def test_64_concurrent_chained_pairs_leave_the_earliest_profile(client: httpx.AsyncClient, store_id: str) -> None:
    # (chat c0, e-mail 0), (chat c0, e-mail 1), (chat c1, e-mail 1), …: each request shares one value with the next.
    pairs = [{"chat": f"c{number // 2}", "email": f"{(number + 1) // 2}@example.com"} for number in range(64)]
    answers = await asyncio.gather(*[make_profile(client, store_id, **pair) for pair in pairs])
    found = {tuple(await look_up(client, store_id, "chat", pair["chat"])) for pair in pairs}
    assert found == {(min(answers),)}


async def test_a_transaction_starts_over_if_a_profile_is_merged_while_it_waits(database: Database) -> None:
    """This race, here in slow motion, is the reason why `lock_and_gather` reads the candidates a second time."""
    email, phone, device = (SETTINGS.normalize(Identifier(id_type, "x")) for id_type in ("email", "phone", "device"))
    now = datetime.now(UTC)
    store = await make_store(database, SETTINGS)
    canonical_id = await ingest(database, store, lambda _: Change((email,)), now)
    await ingest(database, store, lambda _: Change((phone, device)), now)
    async with database.transaction() as merging:
        replay = ProfileReplay(SETTINGS, await lock_and_gather(merging, store, [[email, phone]]), new_id)
        assert replay.apply(Change((email, phone)), now).how == "merged"
        await write(merging, store, replay.difference())

        async def gather() -> list[Profile]:
            async with database.transaction() as waiting:
                return await lock_and_gather(
                    waiting, store, [[device]]
                )  # the key of the identifier is free, but the profile is locked

        gathered = asyncio.create_task(gather())
        async with asyncio.timeout(30), database.statements() as watching:
            while not await watching.scalar(text(WAITING)):
                await asyncio.sleep(0.01)
    with pytest.raises(CandidateMoved):
        await gathered
    assert await ingest(database, store, lambda _: Change((device,)), now) == canonical_id
