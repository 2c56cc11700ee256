"""Separated profiles stay two, whatever a request carries, until the separation is lifted."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.errors import IdentifierConflict, IdentifierKeptApart
from profile_lookup.identity.change import Change
from profile_lookup.identity.history.separations import Separations, are_apart, of_person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.profile_replay import ProfileReplay
from profile_lookup.identity.resolution import Merge, Update, profiles_of, resolve
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from tests.identity.building import adding, at, contact, holder, identifier, identifiers, ids, separated
from tests.identity.examples import examples

SETTINGS = IdentityResolutionSettings(
    (
        IdentifierConfig("email"),
        IdentifierConfig("phone"),
        IdentifierConfig("cookie", enforce_unique=False),
        IdentifierConfig("passport"),
    ),
    ("phone", "email", "cookie"),
)
IDENTIFIERS = [identifier(f"{each.id_type}:{value}") for each in SETTINGS.identifier_configs for value in "ab"]


def with_separations(separations: dict[UUID, Separations], *profiles: Profile) -> list[Profile]:
    return [replace(each, separations=of_person([each.id], separations)) for each in profiles]


DECISIONS = st.lists(
    st.tuples(
        st.sampled_from(["split", "split", "lift"]),
        st.permutations(range(1, 8)),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    max_size=5,
)


@settings(max_examples=examples(300))
@given(DECISIONS, st.permutations(range(1, 8)), st.integers(1, 6))
def test_people_are_apart_if_the_newest_decision_about_two_of_their_ids_says_so(
    drawn: Sequence[tuple[str, list[int], int, int]], order: list[int], size: int
) -> None:
    decisions, pairs = [], set[frozenset[UUID]]()
    for what, numbers, first, second in drawn:
        parts = [ids(*numbers[:first]), ids(*numbers[first : first + second])]
        decisions.append((what, parts))
        these = {frozenset((mine, theirs)) for mine in parts[0] for theirs in parts[1]}
        pairs = pairs | these if what == "split" else pairs - these
    separations = separated(*decisions)
    one, other = ids(*order[:size]), ids(*order[size:])
    expected = any(frozenset((mine, theirs)) in pairs for mine in one for theirs in other)
    assert are_apart(of_person(one, separations), of_person(other, separations)) == expected


@settings(max_examples=examples(400))
@given(
    st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=5, unique=True),
    st.permutations(IDENTIFIERS),
    st.sets(st.sampled_from(list(combinations(range(1, 5), 2))), max_size=4),
    st.sampled_from([None, 1, 2, 3]),
    st.integers(0, 99),
)
def test_a_request_takes_the_strong_matches_in_order_that_are_apart_from_none_taken(
    sent: list[NormalizedIdentifier],
    dealt: list[NormalizedIdentifier],
    pairs: set[tuple[int, int]],
    known: int | None,
    seed: int,
) -> None:
    separations = separated(*(("split", [ids(one), ids(other)]) for one, other in pairs))
    held = [dealt[number::4] for number in range(4)]  # each value once: unique types have one holder
    candidates = with_separations(
        separations,
        *(Profile(UUID(int=number), dict.fromkeys(held[number - 1], at(0)), {}) for number in range(1, 5)),
    )
    known_id = None if known is None else UUID(int=known)

    def places(profile: Profile) -> list[tuple[int, int]]:
        return sorted(
            (SETTINGS.matching_rules.index(each.id_type), sent.index(each))
            for each in profile.identifiers
            if each in sent and each.id_type in SETTINGS.matching_rules
        )

    strong = [
        each
        for each in candidates
        if each.id == known_id
        or len(places(each)) > 1
        or any(SETTINGS.is_unique(SETTINGS.matching_rules[rule]) for rule, _ in places(each))
    ]
    taken: list[int] = []
    for each in sorted(strong, key=lambda each: (each.id != known_id, (places(each) or [(9, 9)])[0], each.id)):
        if not any(tuple(sorted((each.id.int, other))) in pairs for other in taken):
            taken.append(each.id.int)
    shuffled = Random(seed).sample(candidates, len(candidates))
    strangers = [each for each in candidates if each not in strong]
    try:
        resolution = resolve(SETTINGS, sent, shuffled, known_id)
    except IdentifierConflict:
        assert any(
            each in profile.identifiers for profile in strangers for each in identifiers("passport:a", "passport:b")
        )
        return
    if taken:
        assert [each.id.int for each in profiles_of(resolution)] == sorted(taken)
        assert isinstance(resolution, Update | Merge)
        left_out = [each for each in strong if each.id.int not in taken]
        assert set(resolution.withheld) == {
            each for each in sent if SETTINGS.is_unique(each.id_type) and any(each in p.identifiers for p in left_out)
        }


APART = separated(("split", [ids(1), ids(2)]))


def replay_of(*profiles: Profile) -> ProfileReplay:
    return ProfileReplay(SETTINGS, with_separations(APART, *profiles), lambda: UUID(int=9))


def test_a_value_of_one_kept_apart_stays_there_and_its_trait_is_written() -> None:
    replay = replay_of(holder(1, "email:a"), holder(2, "phone:a"))
    change = Change(tuple(identifiers("email:a", "phone:a", "email:b")), {contact("phone"): "a"})
    assert replay.apply(change, at(1)).profile_id == UUID(int=2)  # the rule of phone is the first one
    difference = replay.difference()
    assert [(each.int, str(held.value)) for each, held, _ in difference.upserted_identifiers] == [(2, "b")]
    assert difference.traits[UUID(int=2)][contact("phone")].value == "a"
    assert difference.aliases == {}


def test_a_value_that_is_withheld_leaves_the_places_of_the_others() -> None:
    replay = replay_of(holder(1, "email:a"), holder(2, "phone:a"))
    replay.apply(Change(tuple(identifiers("email:a", "phone:a", "email:b")), {contact("phone"): "a"}), at(1))
    ((_, _, added_at),) = replay.difference().upserted_identifiers
    assert added_at == at(1 + 2e-6)


def test_a_shared_value_of_one_kept_apart_is_shared() -> None:
    replay = replay_of(holder(1, "email:a"), holder(2, "phone:a", "cookie:a"))
    replay.apply(Change(tuple(identifiers("email:a", "cookie:a", "phone:b")), {contact("city"): "x"}), at(1))
    upserted = {(each.int, held.value) for each, held, _ in replay.difference().upserted_identifiers}
    assert upserted == {(1, "a"), (1, "b")}


@pytest.mark.parametrize("replaced", [None, "email:a"])
def test_an_identifier_of_one_kept_apart_can_neither_be_added_nor_replace_another(replaced: str | None) -> None:
    replay = replay_of(holder(1, "email:a"), holder(2, "phone:a"))
    change = replace(adding("phone:a"), replaced=None if replaced is None else identifier(replaced))
    with pytest.raises(IdentifierKeptApart):
        replay.apply(change, at(1), UUID(int=1))
    assert replay.difference() == replay_of().difference()
    assert replay.difference().events == []


def test_a_third_profile_joins_one_of_two_kept_apart_and_then_keeps_from_the_other() -> None:
    replay = replay_of(holder(1, "email:a"), holder(2, "phone:a"), holder(3, "email:c"))
    replay.apply(adding("email:a", "email:c"), at(1))
    replay.apply(adding("email:c", "phone:a", "email:d"), at(2))
    assert replay.difference().aliases == {UUID(int=3): UUID(int=1)}


def test_a_stranger_who_did_not_match_is_a_conflict_as_before() -> None:
    replay = replay_of(holder(1, "email:a"), holder(2, "phone:a"), holder(3, "passport:a"))
    with pytest.raises(IdentifierConflict):
        replay.apply(adding("email:a", "phone:a", "passport:a"), at(1))
