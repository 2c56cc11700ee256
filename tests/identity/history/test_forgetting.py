"""A removed value is in no event, whatever part of the event it was in; what is left still says what happened."""

import json
from dataclasses import replace
from uuid import UUID

from profile_lookup.identity.change import Change
from profile_lookup.identity.history.event import Event, RecordedRequest, is_forgotten
from profile_lookup.identity.history.event_document import event_document
from profile_lookup.identity.history.event_log import Forgotten
from profile_lookup.identity.history.forgetting import (
    promoting_values,
    rewritten_event,
    traits_of,
    without_identifiers,
    without_trait_values,
)
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, Trait, TraitName, TraitValue
from profile_lookup.identity.profile_replay import ProfileReplay
from tests.identity.building import adding, at, contact, holder, identifier, identifiers
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import LIMITED, UNIQUE

SECRET = "s3cr3t"
PHONE = identifier(f"phone:{SECRET}")


def documents(store: MemoryStore) -> str:
    return json.dumps([event_document(event) for event in store.stored_events])


def test_identifiers_that_become_equal_are_shown_once() -> None:
    spellings = tuple(identifiers("email:A", "email:a"))
    event = Event(UUID(int=9), "renormalized", at(0), UUID(int=1), removed=spellings)
    became = rewritten_event(event, {spellings[0]: spellings[1]})
    assert became.removed == spellings[1:]


def test_a_removed_identifier_is_in_no_event_and_its_type_is_still_named() -> None:
    store = MemoryStore(UNIQUE)
    store.change(adding("email:a"))
    store.change(Change((PHONE,), {contact("city"): "Rome"}))
    store.change(adding("email:a", f"phone:{SECRET}"))
    store.change(adding(f"phone:{SECRET}", "email:b"))
    assert SECRET in documents(store)
    store.remove(UUID(int=1), PHONE)
    assert SECRET not in documents(store)
    events = {event.id.int: event for event in store.events(UUID(int=1))}
    assert [each.id_type for each in events[2].added] == ["phone"]
    assert [(each.id_type, is_forgotten(each)) for each in events[5].removed] == [("phone", True)]
    assert events[3].matched[1].identifier.id_type == "phone"


def test_a_replaced_identifier_is_in_no_event() -> None:
    store = MemoryStore(UNIQUE)
    store.change(adding("email:a", f"phone:{SECRET}"))
    store.change(replace(adding("phone:1"), replaced=PHONE), UUID(int=1))
    assert SECRET not in documents(store)
    (event,) = [event for event in store.events(UUID(int=1)) if event.id.int == 2]
    assert event.kind == "identifierReplaced"
    assert [each.id_type for each in event.removed] == ["phone"]


def test_a_trait_that_is_nulled_takes_all_its_values_with_it() -> None:
    store = MemoryStore(UNIQUE)
    store.change(Change((identifier("email:a"),), {contact("city"): SECRET, contact("state"): "NY"}))
    store.change(Change((identifier("email:a"),), {contact("city"): "Rome"}))
    store.change(Change((), {contact("city"): None}), UUID(int=1))
    text = documents(store)
    assert SECRET not in text
    assert "Rome" not in text
    assert "NY" in text
    assert contact("city") in traits_of(store.events(UUID(int=1))[1])


def test_a_trait_that_is_nulled_in_the_same_replay_is_forgotten_there_too() -> None:
    replay = ProfileReplay(UNIQUE, [holder(1, "email:a")], lambda: UUID(int=9))
    replay.apply(Change((identifier("email:a"),), {contact("city"): SECRET}), at(1))
    replay.apply(Change((), {contact("city"): None}), at(2), UUID(int=1))
    assert SECRET not in json.dumps([event_document(event) for event in replay.difference().events])
    assert replay.difference().forgotten == [Forgotten(frozenset({UUID(int=1)}), (), (contact("city"),))]


def test_what_a_limit_evicted_stays_in_history_until_it_is_removed() -> None:
    store = MemoryStore(LIMITED)
    store.change(adding(f"phone:{SECRET}", "phone:1"))
    store.change(adding("phone:1", "phone:2"))
    assert store.profiles[UUID(int=1)].identifiers.keys() == {*identifiers("phone:1", "phone:2")}
    (event,) = [event for event in store.events(UUID(int=1)) if event.id.int == 2]
    assert event.evicted == (PHONE,)
    assert event.before.lost == {PHONE: at(1)}


def promoted(name: TraitName, value: TraitValue) -> list[NormalizedIdentifier]:
    return [identifier(f"phone:{str(value).strip()}")] if name == contact("phone") else []


def test_traits_that_promoted_a_removed_identifier_are_found_but_not_those_that_the_profile_still_has() -> None:
    event = Event(UUID(int=3), "updated", at(3), UUID(int=1), RecordedRequest(traits={contact("phone"): f" {SECRET}"}))
    was = {contact("phone"): Trait(SECRET, at(1)), contact("city"): Trait(SECRET, at(1))}
    event = replace(event, absorbed=(Profile(UUID(int=2), {}, was),))
    assert promoting_values(event, [PHONE], promoted, []) == [
        (contact("phone"), f" {SECRET}"),
        (contact("phone"), SECRET),
    ]
    values = promoting_values(event, [PHONE], promoted, [(contact("phone"), SECRET)])
    assert values == [(contact("phone"), f" {SECRET}")]
    without = without_trait_values(event, values)
    assert without.request.traits == {contact("phone"): None}
    assert without.absorbed == event.absorbed


def test_a_change_of_normalization_rewrites_what_an_event_holds() -> None:
    store = MemoryStore(LIMITED)
    store.change(adding("email:A", "email:a", "phone:1"))
    store.change(adding("phone:2"))
    store.change(adding("phone:1", "phone:2", "email:A", "email:c"))
    event = store.events(UUID(int=1))[-1]
    forms = {identifier("email:A"): identifier("email:a")}
    became = rewritten_event(event, forms)
    assert identifier("email:A") not in became.request.carried.values()
    assert [each.identifier.value for each in became.matched] == ["1", "a", "2"]
    assert became.before.lost == event.before.lost
    assert rewritten_event(without_identifiers(event, list(forms)), forms) == without_identifiers(event, list(forms))
