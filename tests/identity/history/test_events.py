"""An event says what a write did, and is derived from what was before and after it."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given, settings

from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.event_log import creation_event
from profile_lookup.identity.profile_replay import ProfileReplay
from profile_lookup.identity.rules import IdentityResolutionSettings
from tests.identity.building import adding, at, contact, holder, identifier, identifiers, profile, timed, trait
from tests.identity.examples import examples
from tests.identity.history.memory_store import MemoryStore
from tests.identity.history.random_writes import ALL_SETTINGS, LIFO, LIMITED, SHARED, UNIQUE, RandomWrite, kinds, writes

KEY = Actor("key", "SK0")


def replayed(*changes: Change, rules: IdentityResolutionSettings = UNIQUE, known: int | None = None) -> Sequence[Event]:
    """Return the events of changes to the profiles 1, with e-mail a, and 2, with phone b."""
    numbers = iter(range(100, 200))
    replay = ProfileReplay(rules, [holder(1, "email:a"), holder(2, "phone:b")], lambda: UUID(int=next(numbers)))
    for change in changes:
        replay.apply(change, at(5), None if known is None else UUID(int=known), actor=KEY)
    return replay.difference().events


def test_a_create_alone_leaves_no_event() -> None:
    assert replayed(adding("email:new")) == []


def test_the_next_write_records_the_creation_first() -> None:
    created, updated = replayed(adding("email:new", "phone:new"), adding("email:new", "phone:other"))
    assert (created.kind, created.id, created.profile_id, created.actor) == (
        "created",
        UUID(int=100),
        UUID(int=100),
        KEY,
    )
    assert created.request.carried == dict(enumerate(identifiers("email:new", "phone:new")))
    assert (updated.kind, updated.added) == ("updated", (identifier("phone:other"),))


def test_a_creation_that_a_limit_cut_is_recorded_at_once() -> None:
    numbers = iter(range(9))
    replay = ProfileReplay(LIFO, [], lambda: UUID(int=next(numbers)))
    replay.apply(adding("email:a", "email:b", "email:c"), at(1))
    (created,) = replay.difference().events
    assert (created.kind, created.evicted) == ("created", (identifier("email:c"),))
    assert identifier("email:c") in created.request.carried.values()


def test_a_merge_names_its_rule_whom_it_absorbed_and_why() -> None:
    (merged,) = replayed(adding("email:a", "phone:b", "phone:c"))
    assert (merged.kind, merged.rule, merged.profile_id) == ("merged", "email", UUID(int=1))
    assert [each.id.int for each in merged.absorbed] == [2]
    assert [(match.profile_id.int, match.identifier.value, match.is_strong) for match in merged.matched] == [
        (1, "a", True), (2, "b", True),
    ]  # fmt: skip
    assert merged.added == (identifier("phone:c"),)
    assert merged.actor == KEY


def test_a_match_by_a_single_shared_value_is_weak() -> None:
    numbers = iter(range(9))
    replay = ProfileReplay(SHARED, [holder(1, "cookie:a")], lambda: UUID(int=next(numbers)))
    replay.apply(adding("cookie:a", "device:b"), at(1))
    assert [match.is_strong for match in replay.difference().events[0].matched] == [False]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (Change((), {contact("city"): "Rome"}), "traitsChanged"),
        (Change(tuple(identifiers("email:b")), {contact("email"): "b"}), "traitsChanged"),
        (adding("email:b"), "identifierAdded"),
        (Change(tuple(identifiers("email:b")), replaced=identifier("email:a")), "identifierReplaced"),
        (adding("phone:b"), "merged"),
    ],
)
def test_an_addressed_write_is_named_after_what_it_asked_for(change: Change, kind: str) -> None:
    (event,) = replayed(change, known=1)
    assert (event.kind, event.request.addressed) == (kind, UUID(int=1))


def test_a_trait_change_has_its_previous_value() -> None:
    replay = ProfileReplay(UNIQUE, [profile(1, timed(a=1), trait("Rome", 1))], lambda: UUID(int=9))
    replay.apply(Change((), {contact("city"): "Milan", contact("state"): "MI"}), at(2), UUID(int=1))
    (event,) = replay.difference().events
    assert list(event.trait_changes()) == [(contact("city"), "Milan", "Rome"), (contact("state"), "MI", None)]


def test_the_previous_value_of_a_merge_is_the_most_recent_one_of_all() -> None:
    stored = [profile(1, timed(a=1), trait("Rome", 1)), profile(2, timed(b=1), trait("Milan", 2))]
    replay = ProfileReplay(UNIQUE, stored, lambda: UUID(int=9))
    replay.apply(Change(tuple(identifiers("email:a", "email:b")), {contact("city"): "Turin"}), at(3))
    assert list(replay.difference().events[0].trait_changes()) == [(contact("city"), "Turin", "Milan")]


def test_removing_a_trait_that_nobody_has_is_no_change() -> None:
    (event,) = replayed(Change((), {contact("city"): None}), known=1)
    assert not event.is_shown


def test_an_event_that_changed_nothing_but_times_is_not_shown_and_repeats_the_one_before() -> None:
    rome = Change(tuple(identifiers("email:a")), {contact("city"): "Rome"})
    milan = Change(tuple(identifiers("email:a")), {contact("city"): "Milan"})
    first, second, third, other = replayed(rome, rome, rome, milan)
    assert [event.is_shown for event in (first, second, third, other)] == [True, False, False, True]
    assert third.repeated_content == second.repeated_content is not None
    assert first.repeated_content is other.repeated_content is None


def test_what_a_limit_evicted_is_in_the_event() -> None:
    numbers = iter(range(100, 109))
    replay = ProfileReplay(LIMITED, [profile(1, timed(a=1, b=2))], lambda: UUID(int=next(numbers)))
    replay.apply(adding("email:b", "email:c"), at(3))
    (event,) = replay.difference().events
    assert (event.added, event.evicted) == ((identifier("email:c"),), (identifier("email:a"),))
    assert event.before.lost == timed(a=1)


@pytest.mark.parametrize("name", ALL_SETTINGS)
def test_the_creation_that_is_derived_from_a_profile_is_the_one_that_is_recorded(name: str) -> None:
    @settings(max_examples=examples(100))
    @given(writes(ALL_SETTINGS[name], kinds(create=1), 1, 4))
    def check(drawn: list[RandomWrite]) -> None:
        store = MemoryStore(ALL_SETTINGS[name])
        sent = {}
        for write in drawn:
            if done := store.do(write):
                sent[done.number] = done.change
        for made in store.profiles.values():
            if made.creation is not None:
                event = creation_event(made, made.creation)
                change = sent[made.id.int]
                assert event.at == at(made.id.int)
                assert event.request.carried == dict(enumerate(change.incoming))
                assert event.request.traits == change.traits
                assert event.added == change.incoming

    check()


def test_the_repr_of_an_event_has_no_values() -> None:
    (event,) = replayed(Change(tuple(identifiers("email:a", "email:s3cr3t")), {contact("city"): "s3cr3t"}), known=1)
    assert event.added
    assert "s3cr3t" not in repr(event)
