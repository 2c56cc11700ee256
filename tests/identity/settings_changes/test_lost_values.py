"""When values of profiles become one, profiles that are kept apart stay two: one of them loses the value."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.identity.history.separations import SeparationsOfIds, of_person
from profile_lookup.identity.settings_changes.renormalization import (
    Collision,
    Holder,
    collisions_of,
    lost_values,
    one_person_each,
    without_lost,
)
from tests.identity.building import at, identifier, ids, profile, separated
from tests.identity.examples import examples

RULES = ("phone", "email")
NUMBERS = range(1, 8)
PEOPLE = ids(*NUMBERS)

holders = st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 3), min_size=2, max_size=4)
collisions = st.lists(st.tuples(st.sampled_from(RULES), holders), max_size=8).map(
    lambda drawn: [collision(id_type, number, since) for number, (id_type, since) in enumerate(drawn)]
)
pairs = st.sets(st.sampled_from(list(combinations(NUMBERS, 2))), max_size=6)


def collision(id_type: str, form: int, since: Mapping[UUID, int]) -> Collision[int]:
    return Collision(id_type, form, sorted(Holder(at(seconds), each) for each, seconds in since.items()))


def apart(*numbers: tuple[int, int]) -> dict[UUID, SeparationsOfIds]:
    """Return what keeps the two profiles of each pair apart."""
    separations = separated(*(("split", [ids(one), ids(other)]) for one, other in numbers))
    return {each: of_person([each], separations) for each in separations}


def lost(collisions: Sequence[Collision[int]], *numbers: tuple[int, int]) -> dict[int, list[int]]:
    """Return, by the forms, the numbers of the profiles that lose them."""
    found = lost_values(RULES, collisions, apart(*numbers))
    return {each.form: [profile_id.int for profile_id in each.profile_ids] for each in found}


@settings(max_examples=examples(400))
@given(collisions, pairs)
def test_nobody_becomes_one_with_somebody_kept_apart_and_nobody_loses_a_value_needlessly(
    found: list[Collision[int]], numbers: set[tuple[int, int]]
) -> None:
    losers = lost(found, *numbers)
    left = without_lost(found, lost_values(RULES, found, apart(*numbers)))
    groups = [frozenset(each.int for each in group) for group in one_person_each(each.profile_ids for each in left)]
    group_of = {number: group for group in groups for number in group}
    for group in groups:
        assert not any(pair in numbers for pair in combinations(sorted(group), 2))
    for each in found:
        first, *others = (holder.profile_id.int for holder in each.holders)
        keeping = group_of.get(first, frozenset([first]))
        assert first not in losers.get(each.form, ())
        for other in others:
            own = group_of.get(other, frozenset([other]))
            is_apart = any(tuple(sorted((mine, theirs))) in numbers for mine in own for theirs in keeping)
            assert (other in losers.get(each.form, ())) == is_apart
            assert is_apart or other in keeping


@given(collisions, pairs, st.integers())
def test_the_order_in_which_collisions_are_found_does_not_matter(
    found: list[Collision[int]], numbers: set[tuple[int, int]], seed: int
) -> None:
    assert lost(Random(seed).sample(found, len(found)), *numbers) == lost(found, *numbers)


@given(collisions)
def test_without_separations_nobody_loses_a_value(found: list[Collision[int]]) -> None:
    assert lost(found) == {}
    assert without_lost(found, []) == found


def test_a_value_stays_with_the_profile_that_had_it_first_and_then_with_the_smaller_id() -> None:
    one, two = ids(1, 2)
    assert lost([collision("email", 0, {one: 2, two: 1})], (1, 2)) == {0: [1]}
    assert lost([collision("email", 0, {one: 1, two: 1})], (1, 2)) == {0: [2]}


def test_the_earlier_rule_decides_whom_a_third_profile_joins() -> None:
    one, two, three = ids(1, 2, 3)
    by_email, by_phone = collision("email", 0, {one: 0, three: 1}), collision("phone", 1, {two: 2, three: 3})
    assert lost([by_email, by_phone], (1, 2)) == {0: [3]}


def test_a_lifted_separation_keeps_nobody_apart() -> None:
    separations = separated(("split", [ids(1), ids(2)]), ("lift", [ids(2), ids(1)]))
    found = [collision("email", 0, dict.fromkeys(ids(1, 2), 0))]
    assert lost_values(RULES, found, {each: of_person([each], separations) for each in ids(1, 2)}) == []


def test_profiles_collide_from_the_earliest_time_of_any_form() -> None:
    today, former, other = identifier("email:a"), identifier("email:A"), identifier("email:b")
    found = collisions_of(
        [
            profile(1, {today: at(3), other: at(0)}),
            profile(2, {today: at(2), former: at(1)}),
            profile(3, {other: at(0)}),
        ],
        {former: today},
    )
    assert found == [Collision("email", today, [Holder(at(1), UUID(int=2)), Holder(at(3), UUID(int=1))])]
