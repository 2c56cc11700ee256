"""Few of the profiles that share a value are locked and read, and the outcome is the same as with all of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierConflict, Unavailable
from profile_lookup.identity.change import Change
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay, Written
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.attempts import Attempt
from profile_lookup.ingest.identity_locks import lock_and_gather
from profile_lookup.ingest.ingest import ingest, ingest_together
from profile_lookup.ingest.writes import write
from profile_lookup.stores.rules_cache import StoreRules
from tests.database.stores import make_store
from tests.database.test_ingest_together import EXAMPLES

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = IdentityResolutionSettings(
    (
        IdentifierConfig("email"),
        IdentifierConfig("cookie", enforce_unique=False, limit=1),
        IdentifierConfig("device", enforce_unique=False, limit=2, limit_policy="lifo"),
        IdentifierConfig("visit", enforce_unique=False),
        IdentifierConfig("passport"),
        IdentifierConfig("tag", enforce_unique=False),
    ),
    ("email", "cookie", "device", "visit"),
)

Held = Mapping[int, Sequence[NormalizedIdentifier]]
"""The identifiers of each profile, by the number in its ID."""


def identifier(text: str) -> NormalizedIdentifier:
    id_type, _, value = text.partition(":")
    return NormalizedIdentifier(id_type, NormalizedValue(value))


def crowd(numbers: Iterable[int], text: str) -> dict[int, list[str]]:
    """Return profiles with these numbers that hold the same identifier."""
    return {number: [text] for number in numbers}


def normalized(held: Mapping[int, Iterable[str]]) -> Held:
    return {number: [*map(identifier, texts)] for number, texts in held.items()}


def change(*identifiers: str) -> Change:
    return Change(tuple(map(identifier, identifiers)))


def profile_id(number: int) -> UUID:
    return UUID(int=number)


SHARED = st.sampled_from([identifier(each) for each in ("cookie:a", "device:a", "visit:a", "visit:b", "tag:a")])
UNIQUE = st.builds(
    NormalizedIdentifier,
    st.sampled_from(("email", "email", "passport")),
    st.sampled_from("abcdefgh").map(NormalizedValue),
)
CHANGES = st.lists(SHARED | UNIQUE, min_size=1, max_size=4, unique=True).map(tuple).map(Change)


@st.composite
def stores(draw: st.DrawFn) -> Held:
    """Return crowds that share one value each, and then profiles that hold several values."""
    crowds = [[each] for each in draw(st.lists(SHARED, max_size=3, unique=True)) for _ in range(3)]
    unique = iter(draw(st.permutations([identifier(f"{t}:{v}") for t in ("email", "passport") for v in "abcde"])))
    others = [
        [*([next(unique)] if draw(st.booleans()) else []), *shared]
        for shared in draw(st.lists(st.lists(SHARED, min_size=1, max_size=3, unique=True), min_size=1, max_size=8))
    ]
    return dict(enumerate([*crowds, *others], start=1))


async def fill(connection: AsyncConnection, store: StoreRules, held: Held) -> list[Profile]:
    """Store the profiles without resolving anything, and return them."""
    profiles = [
        Profile(profile_id(number), {each: START + timedelta(seconds=number) for each in identifiers}, {})
        for number, identifiers in held.items()
    ]
    difference = Difference(
        created={each.id: START for each in profiles},
        upserted_identifiers=[(each.id, held, at) for each in profiles for held, at in each.identifiers.items()],
    )
    await write(connection, store, difference)
    return profiles


def replayed(stored: Iterable[Profile], changes: Iterable[Change]) -> tuple[list[Written | str], Difference]:
    numbers = count(1000)
    replay = ProfileReplay(RULES, stored, lambda: profile_id(next(numbers)))
    outcomes: list[Written | str] = []
    for place, each in enumerate(changes):
        try:
            outcomes.append(replay.apply(each, START + timedelta(days=1, seconds=place)))
        except IdentifierConflict as conflict:
            outcomes.append(str(conflict))
    return outcomes, replay.difference()


def rows_of(difference: Difference) -> tuple[object, ...]:
    """Return the difference without the order of its rows, which decides nothing but that of the events."""
    return (
        difference.created,
        set(difference.upserted_identifiers),
        set(difference.deleted_identifiers),
        difference.aliases,
        difference.events,
    )


@settings(
    max_examples=EXAMPLES * 10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(held=stores(), changes=st.lists(CHANGES, min_size=1, max_size=6))
async def test_the_outcome_is_the_same_as_with_all_holders(
    database: Database, held: Held, changes: list[Change]
) -> None:
    store = await make_store(database, RULES)
    async with database.transaction() as connection:
        everybody = await fill(connection, store, held)
        gathered = await lock_and_gather(connection, store, [each.incoming for each in changes])
        with_few, with_all = replayed(gathered, changes), replayed(everybody, changes)
        assert with_few[0] == with_all[0]
        assert rows_of(with_few[1]) == rows_of(with_all[1])


async def locked_numbers(database: Database, store: StoreRules) -> set[int]:
    """Return the numbers of the profiles whose rows are locked."""
    async with database.transaction() as connection:
        query = "select id from profile where store_id = :store_id"
        free = await connection.execute(text(f"{query} for update skip locked"), {"store_id": store.id})
        everybody = await connection.execute(text(query), {"store_id": store.id})
        return {each.int for each in set(everybody.scalars()) - set(free.scalars())}


@pytest.mark.parametrize(
    ("held", "requests", "expected"),
    [
        pytest.param(crowd(range(1, 51), "cookie:a"), [["cookie:a"]], {1, 2}, id="one value"),
        pytest.param(
            crowd(range(1, 51), "cookie:a") | crowd(range(51, 60), "device:a"),
            [["cookie:a", "device:a"]],
            {1, 2, *range(51, 60)},
            id="the rarer of two values",
        ),
        pytest.param(
            {**crowd(range(1, 51), "cookie:a"), 51: ["cookie:a", "device:a"]},
            [["cookie:a"], ["device:a"]],
            {1, 2, 51},
            id="two values of two requests",
        ),
        pytest.param(
            {1: ["email:a", "cookie:a"], 2: ["email:b", "cookie:a"], **crowd(range(3, 9), "cookie:a")},
            [["email:a", "email:b"], ["cookie:a"]],
            {1, 2, 3, 4},
            id="holders that a request before may merge",
        ),
        pytest.param(
            {1: ["visit:a", "cookie:a"], 2: ["cookie:a"], 3: ["cookie:a"], 4: ["cookie:a"]},
            [["visit:a", "cookie:b"], ["cookie:a"]],
            {1, 2, 3},
            id="a holder from whom a request before may take the value",
        ),
        pytest.param(crowd(range(1, 9), "tag:a"), [["tag:a", "email:a"]], set(), id="no rule"),
    ],
)
async def test_few_of_those_who_share_a_value_are_locked(
    database: Database, held: dict[int, list[str]], requests: list[list[str]], expected: set[int]
) -> None:
    store = await make_store(database, RULES)
    async with database.transaction() as connection:
        await fill(connection, store, normalized(held))
    async with database.transaction() as connection:
        gathered = await lock_and_gather(connection, store, [[*map(identifier, each)] for each in requests])
        assert {each.id.int for each in gathered} == expected
        assert await locked_numbers(database, store) == expected


async def test_a_known_profile_is_locked_beside_two_who_share_a_value(database: Database) -> None:
    store = await make_store(database, RULES)
    async with database.transaction() as connection:
        await fill(connection, store, normalized(crowd(range(1, 9), "cookie:a")))
    async with database.transaction() as connection:
        gathered = await lock_and_gather(connection, store, [[identifier("cookie:a")]], known=profile_id(7))
    assert {each.id.int for each in gathered} == {1, 2, 7}


async def test_a_profile_is_gathered_with_everything_that_it_holds(database: Database) -> None:
    store = await make_store(database, RULES)
    async with database.transaction() as connection:
        held = crowd(range(1, 4), "cookie:a") | {1: ["cookie:a", "visit:a", "email:a", "tag:a"]}
        stored = await fill(connection, store, normalized(held))
    async with database.transaction() as connection:
        gathered = await lock_and_gather(connection, store, [[identifier("cookie:a")]])
    assert sorted(gathered, key=lambda each: each.id) == stored[:2]


async def test_a_merge_that_would_give_a_profile_two_of_our_values_waits_for_us(database: Database) -> None:
    """Of those who share the cookie, most are not locked. One that gets the device by a merge would match strongly."""
    store = await make_store(database, RULES)
    async with database.transaction() as connection:
        held = {
            **crowd(range(1, 6), "cookie:a"),
            **crowd(range(6, 9), "device:a"),
            9: ["cookie:a", "email:a"],
            10: ["device:a", "email:b"],
        }
        await fill(connection, store, normalized(held))
    async with database.transaction() as ours:
        await lock_and_gather(ours, store, [change("cookie:a", "device:a").incoming])
        async with database.transaction() as theirs:
            await theirs.execute(text("set local lock_timeout = '50ms'"))
            with pytest.raises(Unavailable):
                await ingest_together(theirs, store, [Attempt(change("email:a", "email:b"), START)])
    merged = await ingest(database, store, lambda _: change("email:a", "email:b"), START)
    assert await ingest(database, store, lambda _: change("cookie:a", "device:a"), START) == merged
