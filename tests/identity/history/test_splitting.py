"""What a split does with what is not in the random cases, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from profile_lookup.errors import AlreadyUndone, JoinRefused, RequestRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import EventLog
from profile_lookup.identity.history.forgetting import ended
from profile_lookup.identity.history.splitting import Person, Split, split
from profile_lookup.identity.merging import combined
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay
from profile_lookup.identity.resolution import Merge
from profile_lookup.identity.rules import IdentityResolutionSettings
from tests.identity.building import adding, at, contact, identifier, identifiers
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import SHARED, UNIQUE, config


def store_with(*requests: Change, rules: IdentityResolutionSettings = UNIQUE) -> MemoryStore:
    store = MemoryStore(rules)
    for request in requests:
        store.change(request)
    return store


def office(people: int) -> MemoryStore:
    return store_with(*(adding("email:office", f"phone:{number}") for number in range(people)))


def values(split: Split) -> list[list[str]]:
    return [sorted(each.value for each in part.profile.identifiers) for part in split.parts]


def test_one_split_gives_all_people_of_an_office_back_without_the_blocked_address() -> None:
    store = office(150)
    person = store.person(UUID(int=1))
    joins = [event.id for event in person.events[1:]]
    done = split(UNIQUE, person, joins, UUID(int=999), withheld={identifier("email:office")})
    assert values(done) == [[str(number)] for number in range(150)]
    assert [part.is_new for part in done.parts] == [False] + [True] * 149


def test_a_request_that_only_a_blocked_value_identified_cannot_be_undone() -> None:
    store = store_with(adding("email:office", "phone:1"), adding("email:office", "phone:2"), adding("email:office"))
    person = store.person(UUID(int=1))
    joins = [event.id for event in person.events[1:]]
    with pytest.raises(JoinRefused, match=r"^events\.1: expected a join whose request identifies somebody by itself$"):
        split(UNIQUE, person, joins, UUID(int=9), withheld={identifier("email:office")})


def test_of_a_chain_of_joins_the_one_that_is_named_is_undone_and_the_others_stay() -> None:
    store = store_with(
        adding("email:a"),
        adding("phone:b"),
        adding("phone:c"),
        adding("email:a", "phone:b"),
        adding("phone:b", "phone:c"),
    )
    done = store.split(UUID(int=1), [UUID(int=4)])
    assert values(done) == [["a"], ["b", "c"]]
    assert [part.aliases for part in done.parts] == [frozenset(), {UUID(int=3)}]


def test_an_alias_of_an_absorbed_profile_comes_back_to_it() -> None:
    store = store_with(
        adding("email:a"),
        adding("phone:b"),
        adding("phone:c"),
        adding("phone:b", "phone:c"),
        adding("email:a", "phone:c"),
    )
    done = store.split(UUID(int=1), [UUID(int=5)])
    assert [part.ids for part in done.parts] == [{UUID(int=1)}, {UUID(int=2), UUID(int=3)}]


def test_an_alias_whose_merge_nobody_recorded_stays_with_the_canonical_profile() -> None:
    store = office(2)
    person = replace(store.person(UUID(int=1)), aliases=frozenset({UUID(int=77)}))
    done = split(UNIQUE, person, [UUID(int=2)], UUID(int=9))
    assert [part.ids for part in done.parts] == [{UUID(int=1), UUID(int=77)}, {UUID(int=2)}]


def test_a_value_that_somebody_else_has_by_now_is_not_given_back() -> None:
    store = store_with(adding("email:a"), adding("phone:b"), adding("email:a", "phone:b", "phone:c"))
    person = store.person(UUID(int=1))
    done = split(UNIQUE, person, [UUID(int=3)], UUID(int=9), withheld={identifier("phone:b")})
    assert values(done) == [["a", "c"], []]


def test_counted_names_go_where_their_value_goes() -> None:
    store = office(2)
    person = store.person(UUID(int=1))
    named = {identifier("phone:1"): (1, 2), identifier("email:office"): (1, 2, 3)}
    done = split(UNIQUE, replace(person, profile=replace(person.profile, names=named)), [UUID(int=2)], UUID(int=9))
    assert [part.profile.names for part in done.parts] == [
        {identifier("email:office"): (1, 2, 3)}, {identifier("phone:1"): (1, 2)},
    ]  # fmt: skip


def test_types_and_traits_that_are_no_longer_configured_are_left_out() -> None:
    store = store_with(
        Change(tuple(identifiers("email:a", "cookie:x")), {contact("city"): "Rome", contact("state"): "RM"}),
        Change(tuple(identifiers("email:b", "device:y")), {contact("city"): "Bonn", contact("state"): "NW"}),
        adding("email:a", "email:b"),
        rules=SHARED,
    )
    today = IdentityResolutionSettings((config("email"), config("device", unique=False)), ("email", "device"))
    done = split(
        today, store.person(UUID(int=1)), [UUID(int=3)], UUID(int=9), is_defined=lambda name: name.name == "city"
    )
    assert values(done) == [["a"], ["b", "y"]]
    assert [{each.name for each in part.profile.traits} for part in done.parts] == [{"city"}, {"city"}]


def test_a_value_that_became_unique_stays_with_the_one_that_had_it_first() -> None:
    store = store_with(
        adding("email:b", "device:d"), adding("email:a", "cookie:x"), adding("email:b", "cookie:x"), rules=SHARED
    )
    assert store.state()["0001"][0].keys() == {("email", "b"), ("device", "d"), ("cookie", "x")}
    store.change(adding("email:a", "email:b"))
    today = IdentityResolutionSettings((config("email"), config("device"), config("cookie")), ("email", "cookie"))
    done = split(today, store.person(UUID(int=1)), [UUID(int=4)], UUID(int=9))
    assert values(done) == [["b", "d"], ["a", "x"]]


def test_the_events_belong_to_the_parts_and_the_named_one_keeps_nothing_of_others() -> None:
    store = store_with(adding("email:a"), adding("phone:b"), adding("email:a", "phone:b"))
    done = store.split(UUID(int=1), [UUID(int=3)])
    *_, undone = done.events
    assert (undone.kind, undone.profile_id, undone.undone_by) == ("updated", UUID(int=1), UUID(int=4))
    assert undone.absorbed == ()
    assert [(event.id.int, event.kind) for event in store.events(UUID(int=2))] == [(2, "created"), (5, "split")]


def changed(change: Callable[[Event], Event], person: Person) -> Person:
    return replace(person, events=[change(event) for event in person.events])


def test_events_that_cannot_be_undone_are_refused_by_their_place() -> None:
    person = office(3).person(UUID(int=1))

    def refusal(person: Person, *named: int) -> str:
        with pytest.raises(RequestRefused) as refused:
            split(UNIQUE, person, [UUID(int=each) for each in named], UUID(int=9))
        return str(refused.value)

    assert refusal(person) == "events: expected at least one"
    assert refusal(person, 2, 7) == "events.1: expected an event of this profile"
    assert refusal(person, 1) == "events.0: expected a join: an event of kind merged or updated"
    assert (
        refusal(changed(ended, person), 3, 2) == "events.0: expected a join within the time for which history is kept"
    )


def test_a_join_whose_later_events_have_ended_is_refused() -> None:
    person = office(3).person(UUID(int=1))
    *earlier, last = person.events
    person = replace(person, events=[*earlier, ended(last)])
    with pytest.raises(JoinRefused, match=r"^events\.0: expected a join within the time for which history is kept$"):
        split(UNIQUE, person, [person.events[1].id], UUID(int=9))


def test_a_join_is_undone_once() -> None:
    store = office(3)
    store.split(UUID(int=1), [UUID(int=2)])
    for part in (1, 2):
        with pytest.raises(AlreadyUndone):
            store.split(UUID(int=part), [UUID(int=2)])


def test_a_join_stays_undone_when_a_later_split_replays_the_one_that_undid_it() -> None:
    store = office(3)
    store.split(UUID(int=1), [UUID(int=3)])
    store.split(UUID(int=1), [UUID(int=2)])
    with pytest.raises(AlreadyUndone):
        store.split(UUID(int=1), [UUID(int=3)])
    own, *_ = [event for event in store.events(UUID(int=1)) if event.kind == "split"]
    assert (own.undid, own.parts) == ((UUID(int=3),), (UUID(int=1), UUID(int=3)))


def test_an_undone_join_that_changes_nothing_in_its_part_is_shown_to_nobody_and_stays() -> None:
    store = store_with(adding("email:a"), adding("phone:b"), adding("email:a", "phone:b"), adding("email:a", "phone:c"))
    store.split(UUID(int=1), [UUID(int=3)])
    store.split(UUID(int=1), [UUID(int=4)])
    undone = next(event for event in store.events(UUID(int=1)) if event.id == UUID(int=3))
    assert undone.undone_by is not None
    assert not undone.is_shown
    assert undone.repeated_content is None


def test_each_part_has_an_event_of_the_split() -> None:
    store = office(3)
    store.split(UUID(int=1), [UUID(int=2), UUID(int=3)])
    events = {each: store.events(UUID(int=each))[-1] for each in (1, 2, 3)}
    assert {each.kind for each in events.values()} == {"split"}
    assert events[1].parts == (UUID(int=1), UUID(int=2), UUID(int=3))
    assert [events[each].split_from for each in (1, 2, 3)] == [None, UUID(int=1), UUID(int=1)]


def test_what_somebody_else_has_by_now_is_evicted_by_the_split_and_comes_back_by_a_later_one() -> None:
    one_phone = IdentityResolutionSettings((config("email"), config("phone", limit=1)), ("email", "phone"))
    store = store_with(adding("email:a", "phone:1"), adding("email:a", "phone:2"), rules=one_phone)
    store.change(adding("phone:1"))  # which the second request has evicted
    store.change(adding("email:a", "email:c"))
    store.split(UUID(int=1), [UUID(int=2)])
    assert store.profiles[UUID(int=1)].identifiers.keys() == set(identifiers("email:a", "email:c"))
    last = store.events(UUID(int=1))[-1]
    assert (last.kind, last.evicted) == ("split", tuple(identifiers("phone:1")))
    store.remove(UUID(int=3), *identifiers("phone:1"))
    store.split(UUID(int=1), [UUID(int=4)])
    assert store.profiles[UUID(int=1)].identifiers.keys() == set(identifiers("email:a", "phone:1"))


def test_the_parts_are_kept_apart_and_more_of_them_by_later_splits() -> None:
    store = office(3)
    store.split(UUID(int=1), [UUID(int=2), UUID(int=3)])
    store.change(adding("phone:0", "phone:1", "phone:2", "email:x"))
    assert sorted(each.int for each in store.profiles) == [1, 2, 3]


def test_without_separations_the_same_request_joins_the_parts_again() -> None:
    store = office(2)
    store.split(UUID(int=1), [UUID(int=2)], keeps_apart=False)
    store.change(adding("phone:0", "phone:1"))
    assert [each.int for each in store.profiles] == [1]
    store.split(UUID(int=1), [store.events(UUID(int=1))[-1].id])
    assert sorted(each.int for each in store.profiles) == [1, 2]


def test_a_dry_run_changes_nothing() -> None:
    store = office(3)
    person = store.person(UUID(int=1))
    before = store.state(), list(person.events), Profile(person.profile.id, dict(person.profile.identifiers), {})
    split(UNIQUE, person, [UUID(int=2)], UUID(int=9))
    assert (store.state(), person.events, Profile(person.profile.id, person.profile.identifiers, {})) == before


def test_an_identifier_that_was_replaced_gets_the_time_of_the_write_in_its_part() -> None:
    store = store_with(adding("email:a", "phone:1"), adding("phone:2"), adding("email:a", "phone:2", "phone:3"))
    store.change(replace(adding("phone:3"), replaced=identifier("phone:1")), UUID(int=1))
    store.split(UUID(int=1), [UUID(int=3)])
    held = store.profiles[UUID(int=1)].identifiers
    assert held == {identifier("email:a"): at(1), identifier("phone:3"): at(4)}


def without(store: MemoryStore, number: int, text: str) -> None:
    """Remove an identifier from a profile as an operation that blocks it does: history keeps it."""
    store.number += 1
    before = store.profiles[UUID(int=number)]
    kept = {each: added_at for each, added_at in before.identifiers.items() if each != identifier(text)}
    after = replace(before, identifiers=kept, creation=None)
    log = EventLog()
    removed = (identifier(text),)
    log.record_removal(UUID(int=store.number), at(store.number), before, after, removed, forgets=False)
    store.stored_events += log.events
    store.profiles[after.id] = after


def test_a_value_that_was_blocked_stays_in_history_and_is_not_given_back() -> None:
    store = store_with(adding("email:a", "phone:1"), adding("phone:2"), adding("email:a", "phone:2"))
    without(store, 1, "phone:2")
    assert store.events(UUID(int=1))[-1].removed == (identifier("phone:2"),)
    done = store.split(UUID(int=1), [UUID(int=3)])
    assert values(done) == [["1", "a"], []]
    assert [event.profile_id.int for event in done.events[2:]] == [1, 2]


def test_profiles_that_merged_as_their_values_became_equal_are_told_apart_by_who_had_it_first() -> None:
    numbers = iter(range(5, 9))
    stored = [
        Profile(UUID(int=1), {identifier("email:x"): at(2), identifier("phone:1"): at(1)}, {}),
        Profile(UUID(int=2), {identifier("email:x"): at(1), identifier("phone:2"): at(1)}, {}),
    ]
    replay = ProfileReplay(UNIQUE, stored, lambda: UUID(int=next(numbers)))
    identifiers, traits = combined(UNIQUE, stored, Change(), at(3))
    replay.become(Merge(stored[0], (stored[1],), "email"), identifiers, traits, {}, at(3))
    (merged,) = replay.difference().events
    assert [(each.profile_id.int, each.identifier.value) for each in merged.matched] == [(1, "x"), (2, "x")]
    person = Person(Profile(UUID(int=1), identifiers, traits), frozenset({UUID(int=2)}), [merged])
    assert values(split(UNIQUE, person, [merged.id], UUID(int=9))) == [["1"], ["2", "x"]]
