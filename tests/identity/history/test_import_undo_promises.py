"""What is promised of the undo of an import: it leaves what others would have left if the import had never been.

The oracle is the model of a store, to which only the writes of the others are sent.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from profile_lookup.errors import ProfileLookupError
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.earlier_states import states_before
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.import_undo import UndoneImport, first_event
from profile_lookup.identity.rules import IdentityResolutionSettings
from tests.identity.building import at, identifiers
from tests.identity.history.memory_store import DoneWrite, MemoryStore, model_state, numbered, replayed_on
from tests.identity.history.random_writes import (
    ALL_SETTINGS,
    CASES,
    LIMITED,
    Kind,
    RandomWrite,
    kinds,
    model_settings,
    random_write,
)
from tests.model.model import Model

IMPORT = "mem_import_00000000000000000000000001"
ROW = kinds(create=1)
WRITES = kinds(create=4, patch=1, add=1)
EVERYTHING = kinds(create=7, patch=2, add=1, replace=1, remove=1, erase=1, split=3, lift=1)

counts: Counter[str] = Counter()


class Step(NamedTuple):
    is_row: bool
    write: RandomWrite


def steps(
    rules: IdentityResolutionSettings, before: Sequence[Kind], meanwhile: Sequence[Kind]
) -> st.SearchStrategy[list[Step]]:
    """Draw writes before an import, then its rows among writes of others, if there are any, and writes after it."""
    return st.integers(0, 2**64 - 1).map(lambda seed: random_steps(Random(seed), rules, before, meanwhile))


def random_steps(
    chance: Random, rules: IdentityResolutionSettings, before: Sequence[Kind], meanwhile: Sequence[Kind]
) -> list[Step]:
    drawn = [Step(False, random_write(chance, rules, before)) for _ in range(chance.randint(0, 6))]
    rows = [Step(True, random_write(chance, rules, ROW)) for _ in range(chance.randint(1, 5))]
    others = chance.randint(1, 6) if meanwhile else 0
    writes = [Step(False, random_write(chance, rules, meanwhile)) for _ in range(others)]
    places = sorted(chance.sample(range(len(rows) + len(writes)), len(rows)))
    return drawn + [rows.pop() if place in places else writes.pop() for place in range(len(rows) + len(writes))]


def import_row(store: MemoryStore, write: RandomWrite) -> None:
    try:
        store.import_row(Change(write.carried, dict(write.traits)), IMPORT)
    except ProfileLookupError:
        counts["refused rows"] += 1


def done_by_others(store: MemoryStore, drawn: Sequence[Step]) -> list[DoneWrite]:
    """Do the steps, and return those of the others that were done."""
    others: list[DoneWrite] = []
    for step in drawn:
        if step.is_row:
            import_row(store, step.write)
        elif (done := store.do(step.write)) is not None:
            others.append(done)
    return others


many_cases = settings(max_examples=CASES, suppress_health_check=[HealthCheck.filter_too_much])


@pytest.fixture(autouse=True)
def _report() -> Iterator[None]:
    counts.clear()
    yield
    print(dict(sorted(counts.items())))  # noqa: T201 -- a summary for pytest -rP


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_an_import_that_nobody_wrote_after_is_undone_as_if_it_had_never_been(name: str) -> None:
    """Whatever happened before, all is as it was: profiles, aliases, times, and history."""

    @many_cases
    @given(steps(ALL_SETTINGS[name], EVERYTHING, ()))
    def compare(drawn: Sequence[Step]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        done_by_others(store, [step for step in drawn if not step.is_row])
        state, events, separations = store.state(), all_events(store), dict(store.separations)
        for step in drawn:
            if step.is_row:
                import_row(store, step.write)
        for done in store.undo_import(IMPORT).values():
            assert not isinstance(done.left, str)
            counts[f"{len(done.left.parts)} parts"] += 1
        assert store.state() == state
        assert all_events(store) == events
        assert store.separations == separations

    compare()


def all_events(store: MemoryStore) -> dict[UUID, list[Event]]:
    return {each: store.events(each) for each in store.profiles}


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_what_others_wrote_is_left_as_if_the_import_had_never_been(name: str) -> None:
    """That is so if each write of theirs would then have met the same person, and nobody else has its values by now.

    A profile that the import made and to which others wrote keeps its ID, which the oracle does not have.
    """

    @many_cases
    @given(steps(ALL_SETTINGS[name], WRITES, WRITES))
    def compare(drawn: Sequence[Step]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        others = done_by_others(store, drawn)
        undone = store.undo_import(IMPORT)
        assume(not any(isinstance(each.left, str) or each.withheld for each in undone.values()))
        oracle = Model(model_settings(ALL_SETTINGS[name]))
        met = {write.number: replayed_on(oracle, write) for write in others}
        if not met_the_same_people(store, oracle, met):
            counts["others"] += 1
            assume(False)
        counts["compared"] += 1
        assert store.state() == model_state(oracle)

    compare()


def met_the_same_people(store: MemoryStore, oracle: Model, met: Mapping[int, str | None]) -> bool:
    """Return whether each write of the others is about the person in the oracle that it is about after the undo.

    In both, the same writes were about somebody new.
    """
    if {*oracle.people, *oracle.aliases} != {numbered(each.int) for each in (*store.profiles, *store.aliases)}:
        return False
    left: dict[int, str] = {}
    for profile_id in store.profiles:
        left |= {event.id.int: numbered(profile_id.int) for event in store.events(profile_id)}
    return all(
        profile is not None and oracle.aliases.get(profile, profile) == left.get(number)
        for number, profile in met.items()
    )


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_nothing_of_the_import_is_left_and_nothing_of_the_others_is_lost(name: str) -> None:
    @many_cases
    @given(steps(ALL_SETTINGS[name], EVERYTHING, EVERYTHING))
    def check(drawn: Sequence[Step]) -> None:
        rules = ALL_SETTINGS[name]
        store = MemoryStore(rules)
        done_by_others(store, drawn)
        separations, now = dict(store.separations), dict(store.profiles)
        undone = store.undo_import(IMPORT)
        as_they_are = {each for each, done in undone.items() if isinstance(done.left, str)}
        counts["left as they are"] += len(as_they_are)
        assert store.separations.items() <= separations.items()
        untouched = now.keys() - undone.keys()
        assert {each: store.profiles[each].identifiers for each in untouched} == {
            each: now[each].identifiers for each in untouched
        }
        for profile in store.profiles.values():
            assert profile.id == min(store.ids_of(profile.id))
            person = store.person(profile.id)
            assert (first_event(person, UndoneImport(IMPORT, at(0))) is not None) == (profile.id in as_they_are)
            states_before(person.events, profile)  # its history can be walked back
        held = Counter(each for profile in store.profiles.values() for each in profile.identifiers)
        assert all(count == 1 for each, count in held.items() if rules.is_unique(each.id_type))
        for profile_id in undone.keys() - as_they_are:
            for event in store.events(profile_id)[-1:] if profile_id in store.profiles else ():
                counts["last writes of others"] += 1
                traits = store.profiles[profile_id].traits
                written = {name: value for name, value in event.request.traits.items() if value is not None}
                assert {name: traits[name].value for name in written} == written

    check()


def test_a_value_returns_to_whoever_had_it_before_the_import_gave_it_to_somebody_else() -> None:
    store = MemoryStore(LIMITED)
    for name in "ab":
        store.do(RandomWrite("create", carried=tuple(identifiers(f"email:{name}1", f"email:{name}2"))))
    before = store.state()
    for row in (("email:a1", "email:x", "email:y"), ("email:b1", "email:a2"), ("email:x", "email:b2")):
        import_row(store, RandomWrite("create", carried=tuple(identifiers(*row))))
    assert store.state() != before
    store.undo_import(IMPORT)
    assert store.state() == before
