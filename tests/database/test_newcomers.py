"""Requests about new people are written together, and leave exactly the same data as one request after another."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.errors import TraitsRefused
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.profile_replay import Written
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.attempts import MIN_COPIED, Attempt
from profile_lookup.ingest.ingest import ingest_together
from tests.database.stores import make_store
from tests.database.test_ingest_together import EXAMPLES, ID_TYPES, START, any_settings, in_chunks, one_by_one, stored

TRAITS = [TraitName("Contact", name) for name in ("firstName", "lastName", "city")]
VALUES: list[TraitValue | None] = ["x", "y", ["x", 1, True], None]


def _identifier(id_type: str, value: str) -> NormalizedIdentifier:
    return NormalizedIdentifier(id_type, NormalizedValue(value))


def _attempts(seed: int) -> Iterator[Attempt]:
    """Yield attempts of which two thirds are about new people. Of the others, many share values, and some are refused.

    New people may have more values of a type than its limit allows.
    """
    chosen = random.Random(seed)
    for number in range(3 * MIN_COPIED):
        own = [_identifier(chosen.choice(ID_TYPES), f"own {number} {place}") for place in range(chosen.randrange(1, 5))]
        shared = [_identifier(chosen.choice(ID_TYPES), chosen.choice("abcdef")) for _ in range(chosen.randrange(1, 4))]
        incoming = chosen.choice((own, own, own, own, shared, [*own, *shared]))
        traits = {name: chosen.choice(VALUES) for name in TRAITS if chosen.random() < 0.5}
        requested_at = START + timedelta(seconds=10 * number + chosen.randrange(20))
        kind = chosen.randrange(30)
        if kind == 0:
            yield Attempt(TraitsRefused("a reason"), requested_at)
        else:
            yield Attempt(Change(() if kind == 1 else tuple(dict.fromkeys(incoming)), traits), requested_at)


@settings(
    max_examples=max(1, EXAMPLES // 2),
    derandomize="MODEL_STEPS" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    rules=any_settings(),
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.sampled_from((5, 2 * MIN_COPIED, 3 * MIN_COPIED)), min_size=1, max_size=3),
    limit=st.sampled_from((None, 2)),
)
async def test_newcomers_in_chunks_equal_single_requests(
    database: Database, rules: IdentityResolutionSettings, seed: int, sizes: list[int], limit: int | None
) -> None:
    blocked_values = BlockedValues(max_profiles_per_value=limit)
    single, chunked = [
        replace(await make_store(database, rules), blocked_values=blocked_values) for _ in ("single", "chunked")
    ]
    attempts = list(_attempts(seed))
    answers = await one_by_one(database, single, attempts)
    outcomes = await in_chunks(database, chunked, attempts, sizes)
    assert await stored(database, chunked, outcomes) == await stored(database, single, answers)


@pytest.mark.parametrize("count", [MIN_COPIED - 1, MIN_COPIED])
async def test_new_people_have_the_times_of_their_requests(database: Database, count: int) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    attempts = [
        Attempt(
            Change(
                (_identifier("email", f"{number}@example.com"), _identifier("chat", f"chat {number}")),
                {TraitName("Contact", "city"): "Gary", TraitName("Contact", "state"): None},
            ),
            START + timedelta(seconds=number),
        )
        for number in range(count)
    ]
    async with database.transaction() as connection:
        outcomes = await ingest_together(connection, store, attempts)
        query = text("""
            select p.created_at, p.traits, array_agg(i.added_at order by i.added_at) as added_at
            from profile p join identifier i on i.store_id = p.store_id and i.profile_id = p.id
            where p.store_id = :store_id and p.id = :id group by p.store_id, p.id
        """)
        last = outcomes[-1]
        assert isinstance(last, Written)
        row = (await connection.execute(query, {"store_id": store.id, "id": last.profile_id})).one()
    time = START + timedelta(seconds=count - 1)
    assert (row.created_at, row.added_at) == (time, [time, time + timedelta(microseconds=1)])
    assert row.traits == {"Contact": {"city": ["Gary"]}}


async def test_a_value_that_neither_matches_nor_is_unique_makes_nobody_known(database: Database) -> None:
    configs = [replace(each, enforce_unique=each.id_type != "chat") for each in DEFAULT_SETTINGS.identifier_configs]
    store = await make_store(database, IdentityResolutionSettings(tuple(configs), ("email",)))
    chat = _identifier("chat", "shared")
    attempts: list[Attempt] = [
        Attempt(Change((_identifier("email", f"{number}@example.com"), chat)), START)
        for number in range(2 * MIN_COPIED)
    ]
    outcomes = await in_chunks(database, store, attempts)
    assert {outcome.how for outcome in outcomes if isinstance(outcome, Written)} == {"created"}
    async with database.statements() as connection:
        query = text("select count(distinct profile_id) from identifier where store_id = :id and value = 'shared'")
        assert await connection.scalar(query, {"id": store.id}) == len(attempts)
