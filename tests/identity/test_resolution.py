"""One test for each clause of resolution; test_resolution_properties.py compares it with an oracle."""

import re
from uuid import UUID

import pytest

from profile_lookup.errors import IdentifierConflict
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.resolution import Create, Merge, Update, profiles_of, resolve
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from tests.identity.building import holder, identifiers

SETTINGS = IdentityResolutionSettings(
    (
        IdentifierConfig("email"),
        IdentifierConfig("phone"),
        IdentifierConfig("cookie", enforce_unique=False),
        IdentifierConfig("device", enforce_unique=False),
        IdentifierConfig("passport"),
        IdentifierConfig("tag", enforce_unique=False),
    ),
    matching_rules=("device", "phone", "email", "cookie"),
)
"""Two unique types and two others are in the rules; one of each is outside."""


def outcome(sent: str, *candidates: Profile, known: int | None = None) -> str:
    """`create`, `update 1`, `merge 1 2 3 by email` or `conflict of passport`."""
    of = None if known is None else UUID(int=known)
    try:
        resolution = resolve(SETTINGS, identifiers(*sent.split()), candidates, of)
    except IdentifierConflict as conflict:
        named = re.search(r"idType (\w+) ", str(conflict))
        assert named
        return f"conflict of {named[1]}"
    numbers = " ".join(str(profile.id.int) for profile in profiles_of(resolution))
    match resolution:
        case Create():
            return "create"
        case Update():
            return f"update {numbers}"
        case Merge(rule=rule):
            return f"merge {numbers} by {rule}"


def test_a_request_that_shares_nothing_creates_a_profile() -> None:
    assert outcome("email:a") == "create"


def test_a_candidate_that_shares_nothing_is_somebody_else() -> None:
    assert outcome("email:a", holder(1, "email:b", "phone:a")) == "create"


def test_one_value_of_a_unique_type_is_a_strong_match() -> None:
    assert outcome("email:a phone:a", holder(1, "email:a")) == "update 1"


def test_two_strong_matches_are_one_person() -> None:
    assert outcome("email:a phone:a", holder(1, "email:a"), holder(2, "phone:a")) == "merge 1 2 by phone"


def test_three_strong_matches_are_one_person() -> None:
    candidates = [holder(3, "email:a"), holder(1, "phone:a"), holder(2, "email:b")]
    assert outcome("email:a phone:a email:b", *candidates) == "merge 1 2 3 by phone"


def test_two_values_of_non_unique_types_are_a_strong_match() -> None:
    sent = "cookie:a device:a cookie:b device:b"
    candidates = [holder(1, "cookie:a", "device:a"), holder(2, "cookie:b", "device:b")]
    assert outcome(sent, *candidates) == "merge 1 2 by device"


def test_two_values_of_the_same_non_unique_type_are_a_strong_match() -> None:
    candidates = [holder(1, "cookie:a", "cookie:b"), holder(2, "cookie:b", "cookie:a")]
    assert outcome("cookie:a cookie:b", *candidates) == "merge 1 2 by cookie"


def test_the_same_identifier_sent_twice_counts_once() -> None:
    assert outcome("cookie:a cookie:a", holder(1, "cookie:a"), holder(2, "cookie:a")) == "create"


def test_equal_values_of_different_types_do_not_match() -> None:
    assert outcome("email:a", holder(1, "phone:a", "cookie:a")) == "create"


def test_a_single_weak_match_is_the_person() -> None:
    assert outcome("cookie:a cookie:x device:x", holder(1, "cookie:a", "device:a")) == "update 1"


def test_several_weak_matches_name_nobody() -> None:
    assert outcome("cookie:a device:b", holder(1, "cookie:a"), holder(2, "device:b")) == "create"


def test_a_weak_match_does_not_count_if_there_is_a_strong_one() -> None:
    assert outcome("email:a cookie:a", holder(1, "cookie:a"), holder(2, "email:a")) == "update 2"


def test_several_weak_matches_do_not_count_if_there_is_a_strong_one() -> None:
    candidates = [holder(1, "cookie:a"), holder(2, "email:a"), holder(3, "cookie:a")]
    assert outcome("email:a cookie:a", *candidates) == "update 2"


def test_a_merge_does_not_absorb_weak_matches() -> None:
    candidates = [holder(1, "cookie:a"), holder(2, "email:a"), holder(3, "phone:a")]
    assert outcome("email:a phone:a cookie:a", *candidates) == "merge 2 3 by phone"


def test_the_trigger_is_the_first_rule_that_matched_any_of_the_profiles() -> None:
    candidates = [holder(1, "email:a"), holder(2, "cookie:a", "cookie:b")]
    assert outcome("cookie:a cookie:b email:a", *candidates) == "merge 1 2 by email"


def test_a_rule_by_which_only_a_weak_match_matched_is_not_the_trigger() -> None:
    candidates = [holder(1, "email:a"), holder(2, "email:b"), holder(3, "device:a")]
    assert outcome("device:a email:a email:b", *candidates) == "merge 1 2 by email"


@pytest.mark.parametrize("sent", ["tag:a", "tag:a tag:b"])
def test_types_outside_the_rules_identify_nobody(sent: str) -> None:
    assert outcome(sent, holder(1, "tag:a", "tag:b")) == "create"


def test_types_outside_the_rules_do_not_make_a_weak_match_strong() -> None:
    candidates = [holder(1, "cookie:a", "tag:a"), holder(2, "cookie:a", "tag:a")]
    assert outcome("cookie:a tag:a", *candidates) == "create"


def test_a_unique_value_outside_the_rules_cannot_be_shared() -> None:
    assert outcome("passport:a", holder(1, "passport:a")) == "conflict of passport"


def test_a_unique_value_outside_the_rules_cannot_merge() -> None:
    candidates = [holder(1, "email:a"), holder(2, "passport:a")]
    assert outcome("email:a passport:a", *candidates) == "conflict of passport"


def test_a_merge_does_not_take_a_unique_value_from_a_weak_match() -> None:
    candidates = [holder(1, "email:a"), holder(2, "phone:a"), holder(3, "cookie:a", "passport:a")]
    assert outcome("email:a phone:a cookie:a passport:a", *candidates) == "conflict of passport"


def test_a_unique_value_that_one_of_several_weak_matches_holds_is_a_conflict() -> None:
    candidates = [holder(1, "cookie:a", "passport:a"), holder(2, "cookie:a")]
    assert outcome("cookie:a passport:a", *candidates) == "conflict of passport"


def test_a_unique_value_outside_the_rules_that_the_strong_match_holds_is_no_conflict() -> None:
    assert outcome("email:a passport:a", holder(1, "email:a", "passport:a")) == "update 1"


def test_a_unique_value_outside_the_rules_that_the_weak_match_holds_is_no_conflict() -> None:
    assert outcome("cookie:a passport:a", holder(1, "cookie:a", "passport:a")) == "update 1"


@pytest.mark.parametrize("owner", [1, 2])
def test_a_unique_value_outside_the_rules_that_a_merged_profile_holds_is_no_conflict(owner: int) -> None:
    candidates = [
        holder(1, "email:a", *["passport:a"] * (owner == 1)),
        holder(2, "phone:a", *["passport:a"] * (owner == 2)),
    ]
    assert outcome("email:a phone:a passport:a", *candidates) == "merge 1 2 by phone"


def test_another_unique_value_of_the_same_type_is_no_conflict() -> None:
    assert outcome("email:a passport:b", holder(1, "email:a", "passport:a")) == "update 1"


def test_the_message_of_a_conflict_leaves_the_value_out() -> None:
    with pytest.raises(IdentifierConflict) as conflict:
        resolve(SETTINGS, identifiers("passport:s3cr3t"), [holder(1, "passport:s3cr3t")])
    assert "s3cr3t" not in str(conflict.value)


def test_resolution_compares_exactly_even_where_lookup_is_fuzzy() -> None:
    fuzzy = IdentityResolutionSettings((IdentifierConfig("name", matching_algo="fuzzy"),), ("name",))
    assert resolve(fuzzy, identifiers("name:Ada Lovelac"), [holder(1, "name:Ada Lovelace")]) == Create()


def test_a_new_person_has_no_profile() -> None:
    assert profiles_of(Create()) == ()


def test_an_update_has_one_profile() -> None:
    assert profiles_of(Update(holder(1))) == (holder(1),)


def test_a_merge_lists_the_canonical_profile_first() -> None:
    merge = Merge(holder(1), (holder(2), holder(3)), "email")
    assert profiles_of(merge) == (holder(1), holder(2), holder(3))


def test_a_request_to_a_known_profile_is_about_it_whatever_it_shares() -> None:
    for sent in ("", "email:new", "cookie:new", "tag:new", "passport:new", "email:a"):
        assert outcome(sent, holder(1, "email:a"), known=1) == "update 1"


def test_a_known_profile_and_a_strong_match_merge_into_the_earlier_one() -> None:
    known, other = holder(2, "email:a"), holder(1, "phone:a")
    assert outcome("phone:a", known, other, known=2) == "merge 1 2 by phone"
    assert outcome("phone:a", holder(1, "email:a"), holder(2, "phone:a"), known=1) == "merge 1 2 by phone"


def test_a_value_that_the_known_profile_holds_itself_is_no_trigger() -> None:
    candidates = [holder(1, "device:a", "device:b"), holder(2, "email:a")]
    assert outcome("device:a device:b email:a", *candidates, known=1) == "merge 1 2 by email"


def test_a_known_profile_that_shares_one_non_unique_value_does_not_merge() -> None:
    assert outcome("cookie:a", holder(1, "email:a"), holder(2, "cookie:a"), known=1) == "update 1"


def test_a_single_weak_match_does_not_count_beside_a_known_profile() -> None:
    candidates = [holder(1, "cookie:a"), holder(2)]
    assert outcome("cookie:a", *candidates, known=2) == "update 2"


def test_two_values_of_non_unique_types_merge_a_known_profile() -> None:
    candidates = [holder(1), holder(2, "cookie:a", "device:a")]
    assert outcome("cookie:a device:a", *candidates, known=1) == "merge 1 2 by device"


def test_a_known_profile_cannot_take_a_unique_value_outside_the_rules_from_another() -> None:
    assert outcome("passport:a", holder(1), holder(2, "passport:a"), known=1) == "conflict of passport"
    assert outcome("passport:a", holder(1, "passport:a"), known=1) == "update 1"
    both = [holder(1), holder(2, "passport:a", "email:a")]
    assert outcome("passport:a email:a", *both, known=1) == "merge 1 2 by email"
