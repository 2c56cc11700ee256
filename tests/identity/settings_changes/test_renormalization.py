"""Stored identifiers are normalized anew under other settings, and profiles that then share values are merged."""

from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.settings_changes.renormalization import (
    Collision,
    Holder,
    collision_rules,
    one_person_each,
    renormalized,
)
from tests.identity.building import at, holder, identifier, profile, trait

LOWER = IdentityResolutionSettings(
    (
        IdentifierConfig("email", normalization="email"),
        IdentifierConfig("chat", normalization="none"),
        IdentifierConfig("phone", normalization="phone"),
    ),
    ("chat", "email", "phone"),
)


def collision(id_type: str, *profile_ids: UUID, form: str = "a") -> Collision[str]:
    return Collision(id_type, form, [Holder(at(0), each) for each in profile_ids])


people = st.integers(0, 15).map(lambda number: UUID(int=number))
collisions = st.lists(st.lists(people, min_size=2, max_size=4, unique=True), max_size=12)


def components(groups: list[list[UUID]]) -> set[frozenset[UUID]]:
    """Find the connected groups by walking from each profile to all that it reaches."""
    found = set()
    for start in {each for group in groups for each in group}:
        reached, ahead = {start}, [start]
        while ahead:
            here = ahead.pop()
            for group in groups:
                if here in group:
                    ahead += [each for each in group if each not in reached]
                    reached |= set(group)
        found.add(frozenset(reached))
    return found


@given(collisions)
def test_connected_profiles_are_one_person(groups: list[list[UUID]]) -> None:
    found = one_person_each(groups)
    assert {frozenset(each) for each in found} == components(groups)
    assert sum(map(len, found)) == len({each for group in groups for each in group})


@given(collisions, st.integers())
def test_the_order_of_the_collisions_does_not_matter(groups: list[list[UUID]], seed: int) -> None:
    random = Random(seed)
    shuffled = [random.sample(group, len(group)) for group in random.sample(groups, len(groups))]
    assert {frozenset(each) for each in one_person_each(shuffled)} == {
        frozenset(each) for each in one_person_each(groups)
    }


def test_without_collisions_there_are_no_groups() -> None:
    assert one_person_each([]) == []


def test_a_chain_of_many_is_one_person() -> None:
    (chain,) = one_person_each([UUID(int=number), UUID(int=number + 1)] for number in range(3000))
    assert len(chain) == 3001


def test_values_are_normalized_anew_and_traits_stay() -> None:
    before = Profile(UUID(int=1), {identifier("email:A@x"): at(1), identifier("chat:A"): at(2)}, trait("Rome", 3))
    assert renormalized(LOWER, LOWER.id_types, before) == Profile(
        UUID(int=1), {identifier("email:a@x"): at(1), identifier("chat:A"): at(2)}, trait("Rome", 3)
    )


@pytest.mark.parametrize("seconds", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
def test_values_that_become_equal_keep_the_earliest_time(seconds: tuple[int, ...]) -> None:
    spellings = ("A@x", "a@x", " A@x ")
    held = {identifier(f"email:{value}"): at(when) for value, when in zip(spellings, seconds, strict=True)}
    assert renormalized(LOWER, LOWER.id_types, profile(1, held)).identifiers == {identifier("email:a@x"): at(1)}


def test_equal_values_of_different_types_stay_two_identifiers() -> None:
    held = {identifier("email:a@x"): at(1), identifier("chat:a@x"): at(2)}
    assert renormalized(LOWER, LOWER.id_types, profile(1, held)).identifiers == held


def test_the_refusal_of_a_stored_value_does_not_carry_the_value() -> None:
    with pytest.raises(ValueRefused) as refused:
        renormalized(LOWER, LOWER.id_types, holder(1, "phone:s3cr3t"))
    assert "s3cr3t" not in str(refused.value)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["email", "chat"]), st.sampled_from(["a@x", "A@x", " a@x", "b@x", "B@x "])),
        st.integers(0, 9),
    )
)
def test_a_value_keeps_the_earliest_time_and_normalizing_again_changes_nothing(
    held: dict[tuple[str, str], int],
) -> None:
    before = profile(1, {identifier(f"{id_type}:{value}"): at(when) for (id_type, value), when in held.items()})
    after = renormalized(LOWER, LOWER.id_types, before)
    expected: dict[tuple[str, str], int] = {}
    for (id_type, value), when in held.items():
        became = (id_type, value.strip().lower() if id_type == "email" else value)
        expected[became] = min(when, expected.get(became, when))
    assert {(each.id_type, each.value): when for each, when in after.identifiers.items()} == {
        became: at(when) for became, when in expected.items()
    }
    assert renormalized(LOWER, LOWER.id_types, after) == after


def test_a_profile_is_merged_by_the_first_rule_by_which_it_collides() -> None:
    one, two, three, four = (UUID(int=number) for number in range(4))
    found = collision_rules(
        LOWER.matching_rules,
        [collision("phone", one, two), collision("phone", three, four), collision("email", two, three)],
    )
    assert found == {one: "phone", two: "email", three: "email", four: "phone"}
