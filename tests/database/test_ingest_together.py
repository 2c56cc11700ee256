"""Many requests in one transaction leave exactly the same data as one request after another."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierConflict, ProfileLookupError, TraitsRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_document import event_of_document, short_id
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.profile_replay import Written
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.attempts import MAX_IDENTIFIERS, MAX_KEYS_TOGETHER, Attempt, Outcome
from profile_lookup.ingest.identity_locks import RulesChanged
from profile_lookup.ingest.ingest import ingest, ingest_together
from profile_lookup.stores.rules_cache import StoreRules
from tests.database.contents import TRAITS
from tests.database.stores import make_store

EXAMPLES = int(os.environ.get("MODEL_STEPS", "0")) or 20
"""The number of random batches. Without the variable, they are the same each time."""

START = datetime(2026, 1, 1, tzinfo=UTC)
ID_TYPES = ("email", "phone", "cookie", "device", "passport")


@dataclass(frozen=True)
class Case:
    settings: IdentityResolutionSettings
    attempts: list[Attempt]
    sizes: list[int]
    """The sizes of the chunks, used cyclically."""


@st.composite
def any_settings(draw: st.DrawFn) -> IdentityResolutionSettings:
    configs = [
        IdentifierConfig(
            id_type,
            limit=draw(st.sampled_from((1, 2, 3, 100))),
            limit_policy=draw(st.sampled_from(("fifo", "lifo"))),
            enforce_unique=draw(st.sampled_from((True, True, False))),
            matching_algo=draw(st.sampled_from(("exact", "exact", "fuzzy"))),
        )
        for id_type in ID_TYPES
    ]
    rules = draw(st.permutations(ID_TYPES))[: draw(st.sampled_from((5, 4, 4, 3, 2)))]
    return IdentityResolutionSettings(tuple(configs), tuple(rules))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    identifiers = st.builds(
        NormalizedIdentifier, st.sampled_from(ID_TYPES), st.sampled_from("abcdef").map(NormalizedValue)
    )
    incoming = st.lists(identifiers, min_size=1, max_size=4, unique=True)
    traits = st.dictionaries(
        st.sampled_from(("city", "firstName")).map(lambda name: TraitName("Contact", name)),
        st.sampled_from(("x", "y", ["x", 1, True], None)),
    )
    changes = st.builds(Change, incoming.map(tuple), traits)
    attempts = draw(st.lists(st.tuples(changes, st.integers(0, 50)), min_size=10, max_size=40))
    return Case(
        draw(any_settings()),
        # Most times are later than the one before, but not all.
        [
            Attempt(change, START + timedelta(seconds=10 * place + delay))
            for place, (change, delay) in enumerate(attempts)
        ],
        draw(st.lists(st.integers(1, 15), min_size=1, max_size=5)),
    )


async def one_by_one(database: Database, store: StoreRules, attempts: Sequence[Attempt]) -> list[Outcome]:
    """Apply the attempts one by one. `ingest` does not return how it wrote a profile, so that is not compared."""
    outcomes: list[Outcome] = []
    for change, requested_at, _ in attempts:
        if isinstance(change, ProfileLookupError):
            outcomes.append(change)
            continue
        try:
            profile_id = await ingest(database, store, lambda _, change=change: change, requested_at)  # type: ignore[misc]
        except ProfileLookupError as error:
            outcomes.append(error)
        else:
            outcomes.append(Written("updated", profile_id))
    return outcomes


async def in_chunks(
    database: Database, store: StoreRules, attempts: Sequence[Attempt], sizes: Sequence[int] = (300,)
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for turn in count():
        if len(outcomes) == len(attempts):
            return outcomes
        size = sizes[turn % len(sizes)]
        async with database.transaction() as connection:
            outcomes += await ingest_together(connection, store, attempts[len(outcomes) :][:size])
    raise AssertionError


async def stored(database: Database, store: StoreRules, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return everything that is stored. Each profile ID is replaced by its position in the order of creation."""
    ids = sorted({outcome.profile_id for outcome in outcomes if isinstance(outcome, Written)})
    async with database.statements() as connection:

        async def rows(query: str) -> list[Any]:
            return list(await connection.execute(text(f"{query} where store_id = :id"), {"id": store.id}))

        places = {profile_id: place for place, profile_id in enumerate(ids)}
        return {
            "outcomes": [
                places[outcome.profile_id] if isinstance(outcome, Written) else str(outcome) for outcome in outcomes
            ],
            "profiles": {
                (places[row.id], row.created_at, row.creation_number is None)
                for row in await rows("select id, created_at, creation_number from profile")
            },
            "aliases": {(places[row.id], places[row.profile_id]) for row in await rows("select * from alias")},
            "identifiers": {
                (places[row.profile_id], row.id_type, row.value, row.is_unique, row.is_fuzzy, row.added_at, tuple(row.names or ()))
                for row in await rows("select *, shared_by = '' as is_unique, fuzzy_key is not null as is_fuzzy from identifier")
            },
            "traits": {
                (places[row.profile_id], row.group_name, row.name, str(row.value), row.written_at)
                for row in await rows(f"select * from ({TRAITS})")
            },
            "events": _by_profile(places, await rows("select * from event")),
        }  # fmt: skip


def _by_profile(places: Mapping[UUID, int], rows: Sequence[Any]) -> dict[int, list[Event]]:
    """Return the events of each profile in their order, with positions instead of IDs.

    The orders of events that do not depend on each other may differ.
    """
    events: dict[int, list[Event]] = {}
    for row in sorted(rows, key=lambda row: row.number):
        document = json.dumps(row.document)
        for profile_id, place in places.items():
            document = document.replace(short_id(profile_id), short_id(UUID(int=place)))
        place = places[row.profile_id]
        event = event_of_document(NO_ID, row.kind, row.happened_at, UUID(int=place), json.loads(document))
        events.setdefault(place, []).append(event)
    return events


NO_ID = UUID(int=0)


@settings(
    max_examples=EXAMPLES,
    derandomize="MODEL_STEPS" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(case=cases())
async def test_chunks_equal_single_requests(database: Database, case: Case) -> None:
    single, chunked = await make_store(database, case.settings), await make_store(database, case.settings)
    answers = await one_by_one(database, single, case.attempts)
    outcomes = await in_chunks(database, chunked, case.attempts, case.sizes)
    assert await stored(database, chunked, outcomes) == await stored(database, single, answers)


def chat(*values: str) -> Change:
    return Change(tuple(NormalizedIdentifier("chat", NormalizedValue(value)) for value in values))


async def test_an_invalid_attempt_fails_alone(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    refusal = TraitsRefused("a reason")
    changes: list[Change | ProfileLookupError] = [
        chat("a"),
        refusal,
        Change(),
        chat(*map(str, range(MAX_IDENTIFIERS + 1))),
        chat("a", "b"),
    ]
    outcomes = await in_chunks(database, store, [Attempt(change, START) for change in changes])
    assert [outcome.how for outcome in outcomes if isinstance(outcome, Written)] == ["created", "updated"]
    assert outcomes[1] is refusal
    assert [type(outcome) for outcome in outcomes[2:4]] == [TraitsRefused, TraitsRefused]


async def test_an_identifier_type_may_be_called_null(database: Database) -> None:
    store = await make_store(database, IdentityResolutionSettings((IdentifierConfig("null"),), ("null",)))
    change = Change((NormalizedIdentifier("null", NormalizedValue("a")),))
    outcomes = await in_chunks(database, store, [Attempt(change, START), Attempt(change, START)], (1,))
    assert [outcome.how for outcome in outcomes if isinstance(outcome, Written)] == ["created", "updated"]


async def test_a_chunk_has_a_limited_number_of_identifiers(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    changes = [chat(*(f"{row}.{value}" for value in range(MAX_KEYS_TOGETHER // 3))) for row in range(9)]
    attempts = iter([Attempt(change, START) for change in changes])
    async with database.transaction() as connection:
        assert len(await ingest_together(connection, store, attempts)) == 3
    assert len(list(attempts)) == 5  # it consumed one more, which did not fit


async def test_a_profile_that_shares_a_value_without_a_matching_rule_is_not_locked(database: Database) -> None:
    configs = [replace(each, enforce_unique=each.id_type != "chat") for each in DEFAULT_SETTINGS.identifier_configs]
    store = await make_store(database, IdentityResolutionSettings(tuple(configs), ("email",)))
    await in_chunks(database, store, [Attempt(chat("shared"), START)])
    async with database.transaction() as connection:
        await connection.execute(text("select from profile where store_id = :id for update"), {"id": store.id})
        (outcome,) = await in_chunks(database, store, [Attempt(chat("shared"), START)])
    assert isinstance(outcome, Written)
    assert outcome.how == "created"


async def test_a_conflict_fails_alone(database: Database) -> None:
    rules = replace(DEFAULT_SETTINGS, matching_rules=("email",))
    store = await make_store(database, rules)
    email = NormalizedIdentifier("email", NormalizedValue("e"))
    changes = [chat("a"), Change((email, *chat("a").incoming)), Change((email,))]
    outcomes = await in_chunks(database, store, [Attempt(change, START) for change in changes])
    # The chat is not a matching rule, and another profile has it.
    assert isinstance(outcomes[1], IdentifierConflict)
    assert [outcome.how for outcome in outcomes if isinstance(outcome, Written)] == ["created", "created"]


async def test_a_chunk_that_was_read_by_outdated_rules_is_stopped(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    with pytest.raises(RulesChanged):
        await in_chunks(database, replace(store, revision=0), [Attempt(chat("a"), START)])
