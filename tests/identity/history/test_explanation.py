"""An explanation names the joins, and the identifiers that alone hold a person together."""

from collections.abc import Collection, Mapping
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.identity.change import Change
from profile_lookup.identity.history.bridges import bridges_of
from profile_lookup.identity.history.explanation import explanation_of, links_of
from profile_lookup.identity.identifier import NormalizedIdentifier
from tests.identity.building import adding, contact, identifier
from tests.identity.examples import examples
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import ALL_SETTINGS, UNIQUE, RandomWrite, kinds, writes

Links = Mapping[NormalizedIdentifier, Collection[UUID]]


def parts_of(links: Links) -> list[set[UUID]]:
    """Return the parts that the identifiers link, one by one and without any cleverness."""
    parts: list[set[UUID]] = []
    for linked in links.values():
        touched = [part for part in parts if part & set(linked)]
        parts = [part for part in parts if part not in touched] + [set(linked).union(*touched)]
    return parts


def bridges_by_force(links: Links) -> dict[NormalizedIdentifier, int]:
    """Return into how many parts that of each identifier falls without it, if into more than one."""
    bridges = {}
    for each, linked in links.items():
        (part,) = [part for part in parts_of(links) if part & set(linked)]
        rest = {other: [*ids] for other, ids in links.items() if other != each}
        alone = {identifier(f"alone:{number}"): [node] for number, node in enumerate(sorted(part))}
        remaining = [found for found in parts_of(rest | alone) if found & part]
        if len(remaining) > 1:
            bridges[each] = len(remaining)
    return bridges


def found_in(links: Links) -> dict[NormalizedIdentifier, int]:
    return {bridge.identifier: bridge.holds_together for bridge in bridges_of(links)}


@settings(max_examples=examples(500))
@given(
    st.dictionaries(
        st.integers(0, 9).map(lambda number: identifier(f"email:{number}")),
        st.sets(st.integers(0, 9).map(lambda number: UUID(int=number)), min_size=1, max_size=4),
    )
)
def test_bridges_are_those_that_removing_each_identifier_finds(links: Links) -> None:
    assert found_in(links) == bridges_by_force(links)


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_bridges_of_random_people_are_those_that_removing_each_identifier_finds(name: str) -> None:
    @settings(max_examples=examples(100))
    @given(writes(ALL_SETTINGS[name], kinds(create=7, patch=2, add=1, remove=1, split=1), 5, 20))
    def check(drawn: list[RandomWrite]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        for write in drawn:
            store.do(write)
        for profile_id in store.profiles:
            links = links_of(store.events(profile_id))
            assert found_in(links) == bridges_by_force(links)

    check()


def office_of(people: int) -> MemoryStore:
    store = MemoryStore(UNIQUE)
    for number in range(people):
        store.change(adding("email:office@acme.example", f"phone:{number}"))
    return store


def bridges_in(store: MemoryStore) -> dict[str, int]:
    (profile_id,) = store.profiles
    explanation = explanation_of(store.settings, store.person(profile_id))
    return {bridge.identifier.value: bridge.holds_together for bridge in explanation.bridges}


def test_an_address_of_an_office_holds_all_who_gave_it_together() -> None:
    assert bridges_in(office_of(150)) == {"office@acme.example": 150}


def test_a_request_without_anything_else_is_no_part() -> None:
    store = office_of(3)
    store.change(Change((identifier("email:office@acme.example"),), {contact("city"): "Rome"}))
    assert bridges_in(store) == {"office@acme.example": 3}


def test_two_identifiers_that_link_the_same_are_no_bridge() -> None:
    store = MemoryStore(UNIQUE)
    store.change(adding("email:a", "phone:a"))
    store.change(adding("email:a", "phone:a", "email:b"))
    assert bridges_in(store) == {}


def test_each_of_two_identifiers_by_which_a_request_joined_two_people_is_a_bridge() -> None:
    store = MemoryStore(UNIQUE)
    store.change(adding("email:a"))
    store.change(adding("phone:b"))
    store.change(adding("email:a", "phone:b"))
    assert bridges_in(store) == {"a": 2, "b": 2}


def test_a_join_that_was_undone_holds_nothing_together() -> None:
    store = office_of(3)
    (profile_id,) = store.profiles
    joins = explanation_of(store.settings, store.person(profile_id)).joins
    store.split(profile_id, [joins[0].id])
    assert bridges_in_each(store) == [{"office@acme.example": 2}, {}]


def bridges_in_each(store: MemoryStore) -> list[dict[str, int]]:
    return [
        {
            each.identifier.value: each.holds_together
            for each in explanation_of(UNIQUE, store.person(profile_id)).bridges
        }
        for profile_id in sorted(store.profiles)
    ]


def test_an_explanation_names_the_event_that_added_each_identifier() -> None:
    store = office_of(2)
    (profile_id,) = store.profiles
    explanation = explanation_of(UNIQUE, store.person(profile_id))
    added = {each.identifier.value: each.event and each.event.int for each in explanation.identifiers}
    assert added == {"office@acme.example": 1, "0": 1, "1": 2}
    assert [(event.kind, event.id.int) for event in explanation.joins] == [("updated", 2)]


def test_a_request_that_only_repeats_is_no_join() -> None:
    store = office_of(1)
    store.change(adding("email:office@acme.example", "phone:0"))
    (profile_id,) = store.profiles
    assert explanation_of(UNIQUE, store.person(profile_id)).joins == ()
