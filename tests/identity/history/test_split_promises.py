"""What is promised of a split: it leaves what the same writes would have left had the parts always been kept apart.

The oracle is the model of a store, which is written independently, and to which the same writes are sent. It knows from
the beginning which profiles are kept apart, and which requests are about somebody new.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings

from profile_lookup.errors import JoinRefused
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.rules import IdentityResolutionSettings
from tests.identity.history.memory_store import MemoryStore, is_join, model_state, numbered, replayed_on
from tests.identity.history.random_writes import (
    ALL_SETTINGS,
    CASES,
    UNIQUE,
    Kind,
    RandomWrite,
    kinds,
    model_settings,
    writes,
)
from tests.model.model import Model

CREATES = kinds(create=1)
WRITES = kinds(create=4, patch=1, add=1)

counts: Counter[str] = Counter()


def leaves_somebody(store: MemoryStore, event: Event) -> bool:
    """Return whether the event is a merge, or an update whose request had something of its own."""
    if event.kind == "merged":
        return True
    held = {each.identifier for each in event.matched}
    return any(
        each in event.added or not store.settings.is_unique(each.id_type) or each not in held
        for each in event.request.carried.values()
    )


def most_joined(store: MemoryStore) -> tuple[UUID, list[Event]]:
    """Return the profile with most joins, and these."""
    joins = {
        profile_id: [each for each in store.events(profile_id) if is_join(each) and leaves_somebody(store, each)]
        for profile_id in store.profiles
    }
    return max(joins.items(), key=lambda item: len(item[1]))


def oracle_of(store: MemoryStore, split_ids: set[UUID], undone: Sequence[Event]) -> Model:
    """Return a model that keeps these parts apart from the beginning, for the undone events alone."""
    model = Model(model_settings(store.settings))
    model.strangers = frozenset(each.id.int for each in undone if each.kind == "updated")
    new = {each.id for each in undone if each.kind == "updated"}
    parts = [store.ids_of(each) for each in store.profiles if store.ids_of(each) & (split_ids | new)]
    model.apart = {
        frozenset((numbered(one.int), numbered(other.int)))
        for mine, theirs in combinations(parts, 2)
        for one in mine
        for other in theirs
    }
    return model


def undo(store: MemoryStore, joins: Sequence[Event], profile_id: UUID, order: str) -> None:
    """Undo joins of the profile. A case is left out if a join is none by then: its request would be nobody."""
    try:
        if order == "in one call":
            store.split(profile_id, [join.id for join in joins])
            return
        ordered = list(reversed(joins))
        if order == "in any order":
            random.Random(store.number).shuffle(ordered)
        for join in ordered:
            (holder,) = [each for each in store.profiles if join.id in {event.id for event in store.events(each)}]
            store.split(holder, [join.id])
    except JoinRefused:
        assume(False)


def undone_and_never_joined(
    rules: IdentityResolutionSettings,
    drawn: Sequence[RandomWrite],
    order: str = "in one call",
    joins_of: Callable[[MemoryStore], tuple[UUID, list[Event]]] = most_joined,
    make_store: Callable[[IdentityResolutionSettings], MemoryStore] = MemoryStore,
) -> tuple[MemoryStore, Model, dict[int, str | None]]:
    """Return the store after its joins were undone, the oracle, and the profile of each write in the oracle."""
    store = make_store(rules)
    done = [done for write in drawn if (done := store.do(write)) is not None]
    assume(store.profiles)
    profile_id, joins = joins_of(store)
    assume(joins)
    ids = store.ids_of(profile_id)
    undo(store, joins, profile_id, order)
    oracle = oracle_of(store, ids, joins)
    met = {write.number: replayed_on(oracle, write) for write in done}
    counts[f"{len(joins)} joins"] += 1
    return store, oracle, met


def newest_join(store: MemoryStore) -> tuple[UUID, list[Event]]:
    """Return the profile of the newest write, and this write if it joined."""
    newest = {each: [event for event in store.events(each) if event.id.int == store.number] for each in store.profiles}
    profile_id, events = next((each, events) for each, events in newest.items() if events)
    return profile_id, [event for event in events if is_join(event) and leaves_somebody(store, event)]


many_cases = settings(max_examples=CASES, suppress_health_check=[HealthCheck.filter_too_much])

ORDERS = ["in one call", "the newest first", "in any order"]


@pytest.fixture(autouse=True)
def _report() -> Iterator[None]:
    counts.clear()
    yield
    print(dict(sorted(counts.items())))  # noqa: T201 -- a summary for pytest -rP


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("of_kinds", [CREATES, WRITES], ids=["creates", "writes"])
def test_joins_of_unique_types_are_undone_in_any_order(order: str, of_kinds: list[Kind]) -> None:
    @many_cases
    @given(writes(UNIQUE, of_kinds, 4, 9))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store, oracle, _ = undone_and_never_joined(UNIQUE, drawn, order)
        assert store.state() == model_state(oracle)

    compare()


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_the_newest_join_is_undone_whatever_the_settings(name: str) -> None:
    @many_cases
    @given(writes(ALL_SETTINGS[name], WRITES, 4, 9))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store, oracle, _ = undone_and_never_joined(ALL_SETTINGS[name], drawn, joins_of=newest_join)
        assert store.state() == model_state(oracle)

    compare()


def met_the_same_people(store: MemoryStore, oracle: Model, met: Mapping[int, str | None]) -> bool:
    """Return whether each write was about the same person in the oracle as it is after the split."""
    for profile_id in store.profiles:
        for event in store.events(profile_id):
            profile = met.get(event.id.int, numbered(profile_id.int))
            if profile is None or oracle.aliases.get(profile, profile) != numbered(profile_id.int):
                return False
    return True


@pytest.mark.parametrize("name", ["limited", "lifo", "shared", "mixed"])
def test_joins_are_undone_if_each_later_write_would_have_met_the_same_person(name: str) -> None:
    @many_cases
    @given(writes(ALL_SETTINGS[name], WRITES, 4, 9))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store, oracle, met = undone_and_never_joined(ALL_SETTINGS[name], drawn)
        if not met_the_same_people(store, oracle, met):
            counts["others"] += 1
            assume(False)
        assert store.state() == model_state(oracle)

    compare()


EVERYTHING = kinds(create=7, patch=2, add=1, replace=1, remove=1, erase=1, split=3, lift=1)


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_the_model_splits_random_stores_in_the_same_way(name: str) -> None:
    @many_cases
    @given(writes(ALL_SETTINGS[name], EVERYTHING, 5, 25))
    def compare(drawn: Sequence[RandomWrite]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        model = Model(model_settings(ALL_SETTINGS[name]))
        for write in drawn:
            done = store.do(write)
            if done is not None:
                replayed_on(model, done)
                counts[write.kind] += 1
                assert store.state() == model_state(model)

    compare()
