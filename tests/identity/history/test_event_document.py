"""The JSON document of an event can be read back, is short, and forgets what the event forgets."""

import json
from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.database.documents import json_text
from profile_lookup.database.ids import new_id
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor, Creation
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
        assert (*gone,) not in zip(document["v"][::2], document["v"][1::2], strict=True)


def test_an_event_without_a_trait_holds_none_of_its_values() -> None:
    event = joined()
    assert contact("city") in traits_of(event)
    document = json.dumps(event_document(without_traits(event, [contact("city")])))
    assert "Rome" not in document
    assert "Milan" not in document
    assert "Ann" in document


IMPORT = Actor("import", "mem_import_01kb4w8zj5f1vt3m8x4q6y2c7d", 100_000)
KEY = Actor("key", "SK0123456789abcdef0123456789abcdef")


def written(*carried: str, at_second: float, actor: Actor, stored: Sequence[Profile], **traits: str) -> list[Event]:
    """Return the events that a request leaves, with IDs and times that are as long as real ones."""
    replay = ProfileReplay(UNIQUE, stored, new_id)
    change = Change(tuple(identifiers(*carried)), {contact(name): value for name, value in traits.items()})
    replay.apply(change, at(at_second), actor=actor)
    return list(replay.difference().events)


def joined() -> Event:
    """Return the event of a merge by an import that also adds an identifier and writes traits."""
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
    carried = ("email:ann@example.com", "phone:+13175556789", "email:ann@example.net")
    traits = {"firstName": "Ann", "city": "Turin"}
    (event,) = written(*carried, at_second=9_000_000.5, actor=IMPORT, stored=[ann, anna], **traits)
    return event


def joined_by_two_values(actor: Actor) -> Event:
    """Return the event of a merge by a request that has just the two values."""
    ann = Profile(
        new_id(), {identifier("email:ann@example.com"): at(0)}, {contact("email"): Trait("ann@example.com", at(0))}
    )
    caller = Profile(
        new_id(),
        {identifier("phone:+13175556789"): at(8_000_000)},
        {contact("phone"): Trait("+13175556789", at(8_000_000)), contact("city"): Trait("Milan", at(8_000_000))},
    )
    traits = {"email": "ann@example.com", "phone": "+13175556789"}
    carried = [f"{id_type}:{value}" for id_type, value in traits.items()]
    (event,) = written(*carried, at_second=9_000_000.5, actor=actor, stored=[ann, caller], **traits)
    return event


def created_and_updated(actor: Actor) -> list[Event]:
    """Return the events of a profile that was created and then updated."""
    first = Profile(
        new_id(),
        {identifier("email:ann@example.com"): at(0), identifier("phone:+13175556789"): at(0.000001)},
        {contact("city"): Trait("Rome", at(0)), contact("firstName"): Trait("Anna", at(0))},
        creation=Creation(at(0), actor),
    )
    return written("email:ann@example.com", at_second=9_000_000.5, actor=actor, stored=[first], firstName="Ann")


def bytes_beside_values(event: Event) -> int:
    """Return the bytes of the document beside the values of identifiers and traits, and of the quotes around them."""
    document = event_document(event)
    absorbed = [value for traits in document.get("b", ())[2::3] for value in traits[1::3]]
    before = [trait[0] for trait in document.get("p", ()) if isinstance(trait, list)]
    values = [*document["v"][1::2], *document.get("w", ()), *absorbed, *before]
    return len(json_text(document)) - sum(len(value) for value in values)


@pytest.mark.parametrize("actor", [IMPORT, KEY], ids=["import", "key"])
def test_an_event_is_short_beside_the_values_that_it_holds(actor: Actor) -> None:
    """Names of types, groups and traits count. ID, kind, time, profile and number are columns beside it."""
    events = [*created_and_updated(actor), joined_by_two_values(actor)]
    assert [event.kind for event in events] == ["created", "updated", "merged"]
    for event in events:
        assert bytes_beside_values(event) <= 250, event.kind


def test_ids_that_no_participant_has_are_kept() -> None:
    event = Event(UUID(int=5), "traitsChanged", at(5), UUID(int=1))
    addressed = Event(UUID(int=5), "traitsChanged", at(5), UUID(int=1), request=joined().request)
    assert read_back(event, event_document(event)) == event
    assert read_back(addressed, event_document(addressed)) == addressed


@pytest.mark.parametrize(
    "actor",
    [
        KEY,
        IMPORT,
        Actor("key", "SKnot-of-the-usual-form"),
        Actor("key", "SK0123456789ABCDEF0123456789ABCDEF"),
        Actor("import", "of another service"),
        Actor("account", "ACdemo"),
        Actor("operation", "mem_operation_01kb4w8zj5f1vt3m8x4q6y2c7d"),
        Actor("command", "restore"),
    ],
    ids=lambda actor: actor.id,
)
def test_every_actor_is_read_back(actor: Actor) -> None:
    event = Event(UUID(int=5), "traitsChanged", at(5), UUID(int=1), actor=actor)
    assert read_back(event, event_document(event)) == event


def test_a_document_in_the_first_form_is_read() -> None:
    first: Document = {
        "i": [["email", "ann@example.com"], ["phone", "+13175556789"], ["email"]],
        "c": [0, 1, 2],
        "m": [0, 0, 1, 1, 1, 1],
        "a": [2],
        "b": [["AAAAAAAAAAAAAAAAAAAAAg", [1, -2000000], {"Contact": {"city": ["Milan", -2000000, 1]}}]],
        "w": {"Contact": {"firstName": "Ann", "city": None}},
        "p": {"Contact": {"city": ["Rome", -9000000], "firstName": ["Anna", -9000000], "lastName": None}},
        "r": "email",
        "o": ["import", "mem_import_01kb4w8zj5f1vt3m8x4q6y2c7d", 1234],
    }
    today: Document = {
        "v": ["email", "ann@example.com", "phone", "+13175556789", "email", None],
        "y": [["Contact", "firstName", "city", "lastName"]],
        "c": 3,
        "w": ["Ann", None],
        "m": [0, 1, 1, 3],
        "a": [2],
        "b": ["AAAAAAAAAAAAAAAAAAAAAg", [1, -2000000], [-2, "Milan", 0]],
        "p": [["Anna", -7000000], ["Rome", 0], 0],
        "r": [0],
        "o": ["m01kb4w8zj5f1vt3m8x4q6y2c7d", 1234],
    }
    event = event_of_document(UUID(int=3), "merged", at(9), UUID(int=1), first)
    assert event_document(event) == today
    assert event_of_document(UUID(int=3), "merged", at(9), UUID(int=1), today) == event


def test_a_merge_that_a_migration_wrote_is_read() -> None:
    document: Document = {"i": [], "b": [["AAAAAAAAAAAAAAAAAAAAAg", [], {}]], "r": "email", "x": True}
    event = event_of_document(UUID(int=3), "merged", at(9), UUID(int=1), document)
    assert event.participants == (UUID(int=1), UUID(int=2))
    assert (event.rule, event.has_ended, event.actor) == ("email", True, None)
