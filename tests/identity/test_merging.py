"""A merge combines the identifiers and traits of several profiles."""

from collections.abc import Sequence
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.identity.change import Change
from profile_lookup.identity.merging import (
    added,
    combined,
    earliest_first,
    evicted,
    times_of,
    united_identifiers,
    united_traits,
)
from profile_lookup.identity.profile import Profile, Trait, TraitName
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings, LimitPolicy
from tests.identity.building import adding, at, contact, identifier, identifiers, profile, timed, trait
from tests.identity.examples import examples

MICROSECOND = 1e-6
IDENTIFIERS = identifiers("email:a", "email:b", "phone:a", "phone:b")
NAMES = [contact("city"), contact("phone"), TraitName("Orders", "city")]


def merged(*profiles: Profile) -> Profile:
    canonical = earliest_first(profiles)[0]
    return Profile(canonical.id, united_identifiers(profiles), united_traits(profiles))


def of_limit(limit: int, policy: LimitPolicy) -> IdentityResolutionSettings:
    return IdentityResolutionSettings((IdentifierConfig("email", limit=limit, limit_policy=policy),), ("email",))


@st.composite
def three_profiles(draw: st.DrawFn) -> tuple[Profile, Profile, Profile]:
    """Draw profiles with few different times, so that several were written in the same instant."""
    numbers = draw(st.permutations([1, 2, 3]))
    made = []
    for number in numbers:
        values = st.builds(Trait, st.integers(0, 2**31 - 1), st.integers(0, 4).map(at))
        held = draw(st.dictionaries(st.sampled_from(IDENTIFIERS), st.integers(0, 4).map(at), max_size=4))
        traits = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
        made.append(Profile(UUID(int=number), held, traits))
    return made[0], made[1], made[2]


def test_the_earliest_profile_is_first() -> None:
    profiles = [profile(3), profile(1), profile(2**127), profile(2)]
    assert [each.id.int for each in earliest_first(profiles)] == [1, 2, 3, 2**127]


def test_the_union_has_the_identifiers_of_all_profiles() -> None:
    assert united_identifiers([profile(1, timed(a=1)), profile(2, timed(b=2))]) == timed(a=1, b=2)


@pytest.mark.parametrize("times", [*permutations([1, 2, 3])])
def test_a_value_that_several_had_keeps_its_earliest_time(times: Sequence[int]) -> None:
    profiles = [profile(number, timed(a=seconds)) for number, seconds in enumerate(times)]
    assert united_identifiers(profiles) == timed(a=1)


def test_equal_values_of_different_types_stay_two_identifiers() -> None:
    phone = {identifier("phone:a"): at(2)}
    assert united_identifiers([profile(1, timed(a=1)), profile(2, phone)]) == timed(a=1) | phone


@pytest.mark.parametrize("times", [*permutations([1, 2, 3])])
def test_the_latest_value_of_a_trait_wins(times: Sequence[int]) -> None:
    profiles = [profile(number, traits=trait(f"at {when}", when)) for number, when in enumerate(times)]
    assert united_traits(profiles) == trait("at 3", 3)


@pytest.mark.parametrize("order", [*permutations([1, 2, 3])])
def test_the_greater_of_two_values_written_in_the_same_instant_wins(order: Sequence[int]) -> None:
    profiles = [profile(number, traits=trait(f"of {number}", 7)) for number in order]
    assert united_traits(profiles) == trait("of 3", 7)


def test_traits_of_the_same_name_in_different_groups_are_different_traits() -> None:
    elsewhere = {TraitName("Orders", "city"): Trait("Paris", at(2))}
    assert united_traits([profile(1, traits=trait("Rome", 1)), profile(2, traits=elsewhere)]) == {
        **trait("Rome", 1),
        **elsewhere,
    }


@settings(max_examples=examples(200))
@given(three_profiles())
def test_the_order_of_the_profiles_does_not_matter(profiles: tuple[Profile, ...]) -> None:
    assert all(merged(*order) == merged(*profiles) for order in permutations(profiles))


@settings(max_examples=examples(200))
@given(three_profiles())
def test_merging_one_by_one_gives_what_merging_all_at_once_gives(
    profiles: tuple[Profile, Profile, Profile],
) -> None:
    for first, second, third in permutations(profiles):
        assert merged(merged(first, second), third) == merged(*profiles)
        assert merged(first, merged(second, third)) == merged(*profiles)


@settings(max_examples=examples(100))
@given(three_profiles())
def test_merging_a_profile_with_itself_changes_nothing(profiles: tuple[Profile, ...]) -> None:
    assert merged(profiles[0], profiles[0]) == profiles[0]


def test_the_values_of_a_request_get_times_in_its_order() -> None:
    times = times_of(identifiers("email:b", "email:c", "email:a"), at(5))
    assert times == timed(b=5, c=5 + MICROSECOND, a=5 + 2 * MICROSECOND)


def test_a_value_that_a_request_repeats_counts_at_its_first_place() -> None:
    times = times_of(identifiers("email:b", "email:a", "email:b"), at(5))
    assert times == timed(b=5, a=5 + MICROSECOND)


def test_adding_a_value_that_is_held_already_changes_nothing() -> None:
    assert added(timed(a=1, b=2), timed(b=5, a=6)) == timed(a=1, b=2)


def test_adding_does_not_change_its_input() -> None:
    held = timed(a=1)
    assert added(held, timed(b=5)) == timed(a=1, b=5)
    assert held == timed(a=1)


def test_a_new_person_has_the_identifiers_and_traits_of_the_request() -> None:
    applied = combined(of_limit(2, "fifo"), [], Change(tuple(identifiers("email:a")), {contact("city"): "Rome"}), at(5))
    assert applied == (timed(a=5), trait("Rome", 5))


def test_a_request_replaces_the_traits_it_names_and_no_others() -> None:
    known = {**trait("Rome", 1), contact("country"): Trait("Italy", at(1))}
    _, traits = combined(of_limit(2, "fifo"), [profile(1, traits=known)], Change((), {contact("city"): "Paris"}), at(5))
    assert traits == {**trait("Paris", 5), contact("country"): Trait("Italy", at(1))}


def test_the_limit_is_applied_once_after_union_and_additions() -> None:
    profiles = [profile(1, timed(a=1)), profile(2, timed(b=2, c=3))]
    held, _ = combined(of_limit(2, "fifo"), profiles, adding("email:a"), at(5))
    assert held == timed(a=1, c=3)


def test_fifo_keeps_the_values_of_the_request() -> None:
    held, _ = combined(of_limit(2, "fifo"), [profile(1, timed(a=1, b=2))], adding("email:c"), at(5))
    assert held == timed(b=2, c=5)


def test_fifo_keeps_the_last_values_of_a_request_that_alone_exceed_the_limit() -> None:
    sent = identifiers("email:c", "email:b", "email:a")
    held, _ = combined(of_limit(2, "fifo"), [profile(1, timed(z=1))], Change(tuple(sent)), at(5))
    assert held == timed(b=5 + MICROSECOND, a=5 + 2 * MICROSECOND)


def test_fifo_keeps_a_carried_value_although_the_clock_went_backwards() -> None:
    held, _ = combined(of_limit(2, "fifo"), [profile(1, timed(a=8, b=9))], adding("email:c"), at(5))
    assert held == timed(b=9, c=5)


def test_lifo_does_not_keep_values_of_the_request_over_the_limit() -> None:
    held, _ = combined(of_limit(2, "lifo"), [profile(1, timed(a=1, b=2))], adding("email:c"), at(5))
    assert held == timed(a=1, b=2)


def test_lifo_keeps_the_oldest_values_of_all_merged_profiles() -> None:
    profiles = [profile(1, timed(c=3, d=4)), profile(2, timed(a=1, b=2))]
    held, _ = combined(of_limit(2, "lifo"), profiles, adding("email:c"), at(5))
    assert held == timed(a=1, b=2)


@pytest.mark.parametrize(("policy", "dropped"), [("fifo", ("email:a", "email:b")), ("lifo", ("email:d", "email:e"))])
def test_identifiers_over_the_limit_are_evicted_whether_held_or_carried(
    policy: LimitPolicy, dropped: tuple[str, ...]
) -> None:
    profiles = [profile(1, timed(a=1, b=2)), profile(2, timed(c=3))]
    change = adding("email:d", "email:e")
    held, _ = combined(of_limit(3, policy), profiles, change, at(5))
    assert evicted(profiles, change, held) == tuple(identifiers(*dropped))


def test_a_value_that_is_replaced_is_not_evicted() -> None:
    change = replacing("email:a", "email:b")
    held, _ = combined(of_limit(1, "fifo"), [profile(1, timed(a=1))], change, at(5))
    assert evicted([profile(1, timed(a=1))], change, held) == ()


def test_the_repr_of_a_trait_leaves_its_value_out() -> None:
    assert "Rome" not in repr(profile(1, traits=trait("Rome", 1)))


def replacing(old: str, new: str) -> Change:
    return Change(tuple(identifiers(new)), replaced=identifier(old))


def applied(change: Change, *profiles: Profile, limit: int = 100, policy: LimitPolicy = "fifo") -> dict[str, float]:
    """Return the seconds of each e-mail address after the change, which is made at second 9."""
    held, _ = combined(of_limit(limit, policy), earliest_first(profiles), change, at(9))
    return {each.value: (when - at(0)).total_seconds() for each, when in held.items()}


def test_a_replaced_value_is_removed_and_the_new_one_gets_the_requests_time() -> None:
    assert applied(replacing("email:a", "email:c"), profile(1, timed(a=1, b=2))) == {"b": 2, "c": 9}


def test_a_replacement_that_is_held_already_becomes_the_newest() -> None:
    assert applied(replacing("email:a", "email:b"), profile(1, timed(a=1, b=2))) == {"b": 9}


def test_a_value_replaced_by_itself_becomes_the_newest() -> None:
    assert applied(replacing("email:a", "email:a"), profile(1, timed(a=1, b=2))) == {"b": 2, "a": 9}


def test_a_replacement_that_merges_keeps_the_others_values_and_gets_the_requests_time() -> None:
    both = (profile(1, timed(a=1)), profile(2, timed(c=3, d=4)))
    assert applied(replacing("email:a", "email:c"), *both) == {"c": 9, "d": 4}


@pytest.mark.parametrize("policy", ["fifo", "lifo"])
def test_a_replacement_evicts_nothing_at_the_limit(policy: LimitPolicy) -> None:
    change = replacing("email:a", "email:c")
    assert applied(change, profile(1, timed(a=1, b=2)), limit=2, policy=policy) == {"b": 2, "c": 9}


def test_without_a_replacement_a_held_value_keeps_its_time() -> None:
    assert applied(adding("email:a", "email:c"), profile(1, timed(a=1))) == {"a": 1, "c": pytest.approx(9, abs=1e-3)}


def test_a_removed_trait_is_removed_from_all_merged_profiles_and_others_stay() -> None:
    one = profile(1, {}, trait("Rome", 1) | {contact("state"): Trait("IN", at(1))})
    two = profile(2, {}, trait("Oslo", 5))
    _, traits = combined(of_limit(1, "fifo"), [one, two], Change(traits={contact("city"): None}), at(9))
    assert traits == {contact("state"): Trait("IN", at(1))}


def test_removing_a_trait_that_does_not_exist_changes_nothing() -> None:
    change = Change(traits={contact("city"): None})
    assert combined(of_limit(1, "fifo"), [profile(1, timed(a=1))], change, at(9)) == (timed(a=1), {})


def test_an_empty_change_changes_nothing() -> None:
    before = profile(1, timed(a=1, b=2), trait("Rome", 1))
    assert combined(of_limit(2, "fifo"), [before], Change(), at(9)) == (before.identifiers, before.traits)
