"""Newcomers can be told from their identifiers alone, and get the profile that a replay gives them."""

from contextlib import suppress
from functools import partial
from itertools import count
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.errors import IdentifierConflict
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.creation import Creation
from profile_lookup.identity.newcomers import new_profile, newcomers
from profile_lookup.identity.profile import Profile, Trait
from profile_lookup.identity.profile_replay import ProfileReplay
from tests.identity.building import adding, at, contact, holder, identifiers
from tests.identity.test_profile_replay import CHANGES, SETTINGS, written


def _people(changes: list[Change]) -> list[Profile]:
    """Return the profiles that the changes leave."""
    numbers = count(1)
    replay = ProfileReplay(SETTINGS, (), lambda: UUID(int=next(numbers)))
    for change in changes:
        with suppress(IdentifierConflict):
            replay.apply(change, at(0))
    return list(written({}, replay.difference()).values())


@given(st.lists(CHANGES, min_size=1, max_size=8), st.lists(CHANGES, max_size=3))
def test_a_newcomer_is_created_by_a_replay_in_any_order(changes: list[Change], stored: list[Change]) -> None:
    people = _people(stored)
    new = newcomers(SETTINGS, {number: change.incoming for number, change in enumerate(changes)}, people)
    for order in (1, -1):
        numbers = count(100)
        replay = ProfileReplay(SETTINGS, people, lambda numbers=numbers: UUID(int=next(numbers)))  # type: ignore[misc]
        created = {}
        for number, change in list(enumerate(changes))[::order]:
            try:
                outcome = replay.apply(change, at(number))
            except IdentifierConflict:
                assert number not in new
                continue
            if number in new:
                assert outcome.how == "created"
                created[number] = outcome
        difference = replay.difference()
        for number, outcome in created.items():
            expected = new_profile(SETTINGS, changes[number], at(number), partial(UUID, bytes=outcome.profile_id.bytes))
            assert (expected is None) == bool(outcome.evicted)
            if expected is None:
                continue
            assert difference.creations[outcome.profile_id] == Creation(at(number))
            assert difference.created[outcome.profile_id] == expected.created_at
            assert {
                identifier: added_at
                for profile_id, identifier, added_at in difference.upserted_identifiers
                if profile_id == outcome.profile_id
            } == expected.identifiers
            traits = {name: Trait(value, at(number)) for name, value in expected.traits.items()}
            assert difference.traits.get(outcome.profile_id, {}) == traits


def test_nobody_who_shares_an_identifying_value_is_a_newcomer() -> None:
    requests = [
        adding("email:a"), adding("email:b"), adding("email:c", "phone:c"), adding("email:d", "phone:c"),
        adding("tag:a", "email:e"), adding("tag:a", "email:f"), adding("email:g"), adding("email:g"), adding("cookie:a"),
    ]  # fmt: skip
    incoming = {number: change.incoming for number, change in enumerate(requests)}
    stored = [holder(1, "email:b", "tag:a"), holder(2, "cookie:a")]
    assert newcomers(SETTINGS, incoming, stored) == {0, 4, 5}


def test_an_earlier_form_of_a_value_makes_its_holder_known() -> None:
    requests = {0: identifiers("phone:new", "phone:old"), 1: identifiers("phone:other")}
    assert newcomers(SETTINGS, requests, [holder(1, "phone:old")]) == {1}


def test_a_limit_counts_for_newcomers() -> None:
    change = Change(tuple(identifiers("device:a", "device:b", "device:c")), {contact("city"): None})
    assert new_profile(SETTINGS, change, at(0), uuid4) is None
