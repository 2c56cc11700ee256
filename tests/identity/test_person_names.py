"""A value joins writes under so many different names only, if its store has a limit."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from uuid import UUID

import pytest

from profile_lookup.errors import TraitsRefused
from profile_lookup.identity.blocked_values import BlockedValues
from profile_lookup.identity.change import Change
from profile_lookup.identity.person_names import MAX_NAMES, count, held_name, written_name
from profile_lookup.identity.profile import Profile, Trait
from profile_lookup.identity.profile_replay import ProfileReplay, SharedValue
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from tests.identity.building import contact, identifier, identifiers

NOW = datetime(2026, 1, 15, tzinfo=UTC)


def replaying(stored: Iterable[Profile] = (), **blocked_values: object) -> ProfileReplay:
    numbers = counting(100)
    limited = BlockedValues(**blocked_values)  # type: ignore[arg-type]
    return ProfileReplay(DEFAULT_SETTINGS, stored, lambda: UUID(int=next(numbers)), limited)


def written(*values: str, first: str | None = None, last: str | None = None) -> Change:
    named = {contact("firstName"): first, contact("lastName"): last}
    traits = {trait: value for trait, value in named.items() if value is not None}
    return Change(tuple(identifiers(*values)), traits)


def apply(replay: ProfileReplay, *changes: Change) -> list[UUID]:
    return [replay.apply(change, NOW + timedelta(seconds=second)).profile_id for second, change in enumerate(changes)]


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("Ada", "Lovelace", "ada lovelace"),
        (" ADA  ", "\tLovelace\u3000", "ada lovelace"),
        ("Jose\u0301", "Stra\u00dfe", "jos\u00e9 strasse"),
        (None, "Lovelace", "lovelace"),
        ("Ada Lovelace", None, "ada lovelace"),
        (" ", "", None),
        (None, None, None),
    ],
)
def test_a_name_is_compared_without_case_and_white_space(first: str | None, last: str | None, name: str | None) -> None:
    change = written(first=first, last=last)
    assert written_name(change.traits) == name
    held = {trait: Trait(value, NOW) for trait, value in change.traits.items() if value is not None}
    assert held_name(held) == name


def test_a_removed_name_is_none() -> None:
    assert written_name({contact("firstName"): None, contact("city"): "Gary"}) is None


def test_names_are_counted_once_and_in_their_order() -> None:
    names: tuple[int, ...] = ()
    for name in ("b", "c", "b", "a", "c"):
        names = count(names, "a", name, None).names
    assert len(names) == 3
    assert [count(names, "x", name, 2).may_join for name in ("a", "b", "c", "d")] == [True, True, False, False]


def test_no_more_than_a_thousand_names_are_counted() -> None:
    names = count(tuple(range(MAX_NAMES)), None, "a", None)
    assert (len(names.names), names.may_join) == (MAX_NAMES, True)
    assert not count(tuple(range(MAX_NAMES)), None, "a", MAX_NAMES).may_join


def test_without_a_limit_a_value_joins_all_names() -> None:
    replay = replaying()
    people = apply(replay, *(written("email:a@x", first=f"Name {number}") for number in range(60)))
    assert len(set(people)) == 1
    assert replay.shared_values == [SharedValue("email", 50)]  # once, not for each further name
    (names,) = replay.difference().names.values()
    assert len(names) == 60


def test_beyond_the_limit_a_write_is_resolved_as_if_it_did_not_carry_the_value() -> None:
    replay = replaying(max_profiles_per_value=2)
    people = apply(
        replay,
        written("email:a@x", "phone:+13175550001", first="Ada"),
        written("email:a@x", "phone:+13175550002", first="Bo"),
        written("email:a@x", "phone:+13175550003", first="Cy"),
        written("email:a@x", "phone:+13175550004", first="ADA "),
        written("email:a@x", "phone:+13175550003", first="Cy"),
        written("email:a@x", "phone:+13175550005"),
    )
    joined, stranger = people[0], people[2]
    assert people == [joined, joined, stranger, joined, stranger, joined]
    difference = replay.difference()
    assert (joined, identifier("email:a@x")) in {row[:2] for row in difference.upserted_identifiers}
    assert (stranger, identifier("email:a@x")) not in {row[:2] for row in difference.upserted_identifiers}


def test_a_write_that_carries_nothing_else_is_refused_beyond_the_limit() -> None:
    replay = replaying(max_profiles_per_value=2)
    apply(replay, written("email:a@x", first="Ada"), written("email:a@x", first="Bo"))
    before = replay.difference()
    with pytest.raises(TraitsRefused, match="maxProfilesPerValue"):
        apply(replay, written("email:a@x", first="Cy"))
    assert replay.difference() == before


def test_an_allowed_value_joins_any_number_of_names() -> None:
    replay = replaying(max_profiles_per_value=2, allowed=(identifier("email:a@x"),))
    assert len(set(apply(replay, *(written("email:a@x", first=f"{number}") for number in range(5))))) == 1
    assert replay.difference().names == {}


def test_a_write_to_a_known_profile_does_not_count_its_own_values() -> None:
    replay = replaying(max_profiles_per_value=2)
    (ada,) = apply(replay, written("email:a@x", first="Ada"))
    for name in ("Bo", "Cy", "Dee"):
        assert replay.apply(written("email:a@x", first=name), NOW, known=ada).profile_id == ada
    assert replay.difference().names == {}


def test_names_move_with_their_value_when_profiles_merge() -> None:
    stored = Profile(
        UUID(int=2),
        {identifier("email:a@x"): NOW},
        {contact("firstName"): Trait("Cy", NOW)},
        {identifier("email:a@x"): (1, 2, 3)},
    )
    earlier = Profile(UUID(int=1), {identifier("phone:+13175550001"): NOW}, {})
    replay = replaying([stored, earlier])
    assert apply(replay, written("email:a@x", "phone:+13175550001")) == [UUID(int=1)]
    assert replay.difference().names == {(UUID(int=1), identifier("email:a@x")): (1, 2, 3)}


def test_a_request_without_a_name_counts_the_names_of_those_whom_it_joins() -> None:
    replay = replaying()
    ann, bob, again, joined = apply(
        replay,
        written("email:a@x", first="Ann"),
        written("phone:+13175550001", first="Bob"),
        written("chat:c-1", first="ann"),
        written("email:a@x", "phone:+13175550001", "chat:c-1", "whatsapp:w-1"),
    )
    assert ann == joined
    names = replay.difference().names
    assert {each: len(counted) for (_, each), counted in names.items()} == dict.fromkeys(
        identifiers("email:a@x", "phone:+13175550001", "chat:c-1"), 2
    )
    assert bob < again


def test_a_request_without_a_name_counts_nothing_if_it_joins_one_name() -> None:
    replay = replaying()
    apply(
        replay,
        written("email:a@x", first="Ann"),
        written("phone:+13175550001", first="ANN"),
        written("chat:c-1"),
        written("email:a@x", "phone:+13175550001", "chat:c-1"),
    )
    assert replay.difference().names == {}


def test_an_allowed_value_counts_no_names_of_those_whom_it_joins() -> None:
    replay = replaying(allowed=(identifier("email:a@x"),))
    apply(
        replay,
        written("email:a@x", first="Ann"),
        written("phone:+13175550001", first="Bob"),
        written("email:a@x", "phone:+13175550001"),
    )
    assert [each for _, each in replay.difference().names] == [identifier("phone:+13175550001")]
