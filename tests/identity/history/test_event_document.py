"""The JSON document of an event can be read back, is short, and forgets what the event forgets."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.database.ids import new_id
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_document import Document, event_document, event_of_document
from profile_lookup.identity.history.forgetting import (
    ended,
    identifiers_of,
    traits_of,
    without_identifiers,
    without_traits,
)
from profile_lookup.identity.profile import Profile, Trait
from profile_lookup.identity.profile_replay import ProfileReplay
from tests.identity.building import at, contact, identifier, identifiers
from tests.identity.examples import examples
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import ALL_SETTINGS, UNIQUE, RandomWrite, kinds, writes

KINDS = kinds(create=7, patch=2, add=1, replace=1, remove=1, split=2)


def events_of(store: MemoryStore) -> Iterator[Event]:
    for profile_id in store.profiles:
        yield from store.events(profile_id)


def read_back(event: Event, document: Document) -> Event:
    parsed = json.loads(json.dumps(document))
    return event_of_document(event.id, event.kind, event.at, event.profile_id, parsed)


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_a_document_is_read_back_as_its_event(name: str) -> None:
    @settings(max_examples=examples(100))
    @given(writes(ALL_SETTINGS[name], KINDS, 5, 15))
    def check(drawn: list[RandomWrite]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        for write in drawn:
            store.do(write)
        for event in events_of(store):
            assert read_back(event, event_document(event)) == event
            assert read_back(event, event_document(ended(event))) == ended(event)

    check()


@settings(max_examples=examples(100))
@given(writes(ALL_SETTINGS["mixed"], KINDS, 5, 15), st.integers(0, 9))
def test_a_document_forgets_what_its_event_forgets(drawn: list[RandomWrite], which: int) -> None:
    store = MemoryStore(ALL_SETTINGS["mixed"])
    for write in drawn:
        store.do(write)
    for event in events_of(store):
        held = sorted(identifiers_of(event))
        if not held:
            continue
        gone = held[which % len(held)]
        forgetting = without_identifiers(event, [gone])
        document = event_document(forgetting)
        assert read_back(event, document) == forgetting
        assert [*gone] not in document["i"]


def test_an_event_without_a_trait_holds_none_of_its_values() -> None:
    event = joined()
    assert contact("city") in traits_of(event)
    document = json.dumps(event_document(without_traits(event, [contact("city")])))
    assert "Rome" not in document
    assert "Milan" not in document
    assert "Ann" in document


def joined() -> Event:
    """Return the event of a merge by an import, whose IDs and times are as long as real ones."""
    ann = Profile(
        new_id(),
        {identifier("email:ann@example.com"): at(0), identifier("email:a@example.org"): at(1)},
        {contact("city"): Trait("Rome", at(0)), contact("firstName"): Trait("Anna", at(0))},
    )
    anna = Profile(
        new_id(),
        {identifier("phone:+13175556789"): at(8_000_000)},
        {contact("city"): Trait("Milan", at(8_000_000)), contact("lastName"): Trait("Lee", at(8_000_000))},
    )
    replay = ProfileReplay(UNIQUE, [ann, anna], new_id)
    change = Change(
        tuple(identifiers("email:ann@example.com", "phone:+13175556789", "email:ann@example.net")),
        {contact("firstName"): "Ann", contact("city"): "Turin"},
    )
    replay.apply(change, at(9_000_000.5), actor=Actor("import", "mem_import_01kb4w8zj5f1vt3m8x4q6y2c7d", 1234))
    (event,) = replay.difference().events
    return event


def bytes_beside_values(event: Event) -> int:
    """Return the bytes of the document, without the identifiers and traits with their types, names and values."""
    document = event_document(event)
    values = [*document["i"], *(item for part in _trait_documents(document) for item in part.items())]
    return len(json.dumps(document, separators=(",", ":"))) - sum(
        len(json.dumps(value, separators=(",", ":"))) for value in values
    )


def _trait_documents(document: Document) -> Iterator[Document]:
    for part in (document.get("w", {}), document.get("p", {}), *(absorbed[2] for absorbed in document.get("b", ()))):
        yield from part.values()


def test_an_event_is_short_beside_the_values_that_it_holds() -> None:
    """Each of its four times takes 14 bytes of this; IDs, kind, time and number are columns beside it."""
    assert bytes_beside_values(joined()) <= 250


def test_ids_that_no_participant_has_are_kept() -> None:
    event = Event(UUID(int=5), "traitsChanged", at(5), UUID(int=1))
    addressed = Event(UUID(int=5), "traitsChanged", at(5), UUID(int=1), request=joined().request)
    assert read_back(event, event_document(event)) == event
    assert read_back(addressed, event_document(addressed)) == addressed
