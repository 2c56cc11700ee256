"""What is always so, after any writes, removals, splits and lifted separations."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given, settings

from profile_lookup.identity.history.earlier_states import profiles_before, states_before
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.forgetting import identifiers_of
from profile_lookup.identity.history.part_replay import PartReplay
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from tests.identity.history.memory_store import DoneWrite, MemoryStore
from tests.identity.history.random_writes import ALL_SETTINGS, CASES, Kind, RandomWrite, kinds, writes

WRITES = kinds(create=4, patch=1, add=1)
KEEPING = kinds(create=6, patch=1, add=1, split=2, lift=1)
ALL = kinds(create=7, patch=1, add=1, split=3, lift=1, replace=1, remove=1, erase=1)


class Watch:
    """Compares a store after each write with what must always be so."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.apart: set[frozenset[UUID]] = set()
        self.ids = self.all_ids()
        self.held: dict[UUID, set[NormalizedIdentifier]] = {}
        self.removed: dict[UUID, set[NormalizedIdentifier]] = {}
        """Identifiers that were removed from the profile with this ID, and that no request has carried since."""

    def all_ids(self) -> set[UUID]:
        return {*self.store.profiles, *self.store.aliases}

    def check(self, write: DoneWrite) -> None:
        ids = self.all_ids()
        if not write.erases:
            assert self.ids <= ids
        self.ids = ids
        for profile in self.store.profiles.values():
            assert profile.id == min(self.store.ids_of(profile.id))
        assert not self.store.profiles.keys() & self.store.aliases.keys()
        unique = Counter(
            each
            for profile in self.store.profiles.values()
            for each in profile.identifiers
            if self.store.settings.is_unique(each.id_type)
        )
        assert set(unique.values()) <= {1}
        self._check_separations(write)
        self._check_removed(write)

    def _check_separations(self, write: DoneWrite) -> None:
        if write.split is not None and write.keeps_apart:
            for part in write.split.parts:
                for other in write.split.parts:
                    if other is not part:
                        self.apart |= {frozenset((mine, theirs)) for mine in part.ids for theirs in other.ids}
        if write.lifted is not None:
            self.apart = {
                pair for pair in self.apart if len(pair & write.lifted[0]) != 1 or len(pair & write.lifted[1]) != 1
            }
        self.apart = {pair for pair in self.apart if pair <= self.ids}
        for pair in self.apart:
            assert len({self.store.canonical(each) for each in pair}) == 2

    def _check_removed(self, write: DoneWrite) -> None:
        if write.removed is not None and write.known is not None:
            for event in self.store.events(write.known):
                assert write.removed not in identifiers_of(event)
            for profile_id in self.store.ids_of(write.known):
                self.removed.setdefault(profile_id, set()).add(write.removed)
        for carried in write.change.incoming:
            for gone in self.removed.values():
                gone.discard(carried)
        for profile in self.store.profiles.values():
            # What another profile held, too, is not removed from that one.
            removed = set.intersection(*(self.removed.get(each, set()) for each in self.store.ids_of(profile.id)))
            assert not removed & profile.identifiers.keys()


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_what_must_always_be_so(name: str) -> None:
    done: Counter[str] = Counter()

    @settings(max_examples=CASES)
    @given(writes(ALL_SETTINGS[name], ALL, 8, 25))
    def check(drawn: Sequence[RandomWrite]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        watch = Watch(store)
        for write in drawn:
            if (did := store.do(write)) is not None:
                done[write.kind] += 1
                watch.check(did)

    check()
    print(dict(done))  # noqa: T201 -- a summary for pytest -rP
    assert done["split"] > CASES / 20


def plain(profile: Profile) -> Profile:
    return Profile(profile.id, dict(profile.identifiers), dict(profile.traits))


def states_walking_back(events: Sequence[Event], now: Profile) -> list[dict[UUID, Profile]]:
    """Return the profiles before each event, and after the last one."""
    states = [{now.id: plain(now)}]
    for event in reversed(events):
        later = dict(states[0])
        after = later.pop(event.profile_id)
        states.insert(0, later | {each.id: plain(each) for each in profiles_before(event, after)})
    return states


WALKS = [
    ("unique", KEEPING), ("unique", ALL), ("shared", KEEPING), ("shared", ALL),
    # A replay gives back what a limit evicted, also what a split did not give back since somebody else held it. A removed
    # value does not count for a limit any more.
    ("limited", WRITES), ("lifo", WRITES), ("mixed", WRITES),
]  # fmt: skip


@pytest.mark.parametrize(("name", "of_kinds"), WALKS)
def test_the_way_back_and_the_way_forward_meet_the_same_states(name: str, of_kinds: list[Kind]) -> None:
    rules = ALL_SETTINGS[name]

    @settings(max_examples=CASES)
    @given(writes(rules, of_kinds, 5, 20))
    def check(drawn: Sequence[RandomWrite]) -> None:
        store = MemoryStore(rules)
        for write in drawn:
            store.do(write)
        for profile in store.profiles.values():
            events = store.events(profile.id)
            states = states_walking_back(events, profile)
            assert states[0] == {} == states_before(events, profile)
            replay = PartReplay(rules, (), {}, (), UUID(int=0))
            for event, state in zip(events, states[1:], strict=True):
                replay.apply(event, is_undone=False)
                assert {each: plain(part) for each, part in replay.parts.items()} == state
            if "remove" not in of_kinds:  # what was forgotten is in neither, but not in the same words
                assert replay.events == events
            assert replay.ids_by_part()[profile.id] == store.ids_of(profile.id)

    check()


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_a_history_says_what_became_of_each_identifier_also_after_splits(name: str) -> None:
    rules = ALL_SETTINGS[name]

    @settings(max_examples=CASES)
    @given(writes(rules, KEEPING, 5, 25))
    def check(drawn: Sequence[RandomWrite]) -> None:
        store = MemoryStore(rules)
        for write in drawn:
            store.do(write)
        for profile in store.profiles.values():
            events = store.events(profile.id)
            states = states_walking_back(events, profile)
            assert states[0] == {}
            for event, before, after in zip(events, states, states[1:], strict=False):
                held = after[event.profile_id].identifiers.keys()
                assert held >= set(event.added)
                had = {each for participant in event.participants for each in before[participant].identifiers}
                assert had - held <= {*event.removed, *event.evicted}

    check()
