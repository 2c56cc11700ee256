"""`resolve` gives what an independent oracle gives, under every kind of settings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, permutations, product
from random import Random
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.errors import IdentifierConflict
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.resolution import Create, Merge, Resolution, Update, resolve
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from tests.identity.building import holder, identifier
from tests.identity.examples import examples

ID_TYPES = ("email", "phone", "cookie", "tag")
T = TypeVar("T")
UNIQUENESS = list(product((True, False), repeat=4))
RULES = [rules for count in (1, 2, 3, 4) for rules in permutations(ID_TYPES, count)]
NUMBERINGS = list(permutations((1, 2, 2**64, 2**128 - 1)))
IDENTIFIERS = [identifier(f"{id_type}:{value}") for id_type in ID_TYPES for value in "abc"]


@dataclass(frozen=True)
class Case:
    settings: IdentityResolutionSettings
    incoming: list[NormalizedIdentifier]
    candidates: list[Profile]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    unique = draw(st.sampled_from(UNIQUENESS))
    configs = [
        IdentifierConfig(id_type, enforce_unique=is_unique) for id_type, is_unique in zip(ID_TYPES, unique, strict=True)
    ]
    rules = draw(st.sampled_from(RULES))
    incoming = draw(st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=5))
    # Most identifiers are those sent: profiles that share nothing are all alike.
    held = st.lists(st.sampled_from([*incoming, *incoming, *IDENTIFIERS]), min_size=1, max_size=3)
    people = draw(st.lists(held, max_size=4))
    numbers = draw(st.sampled_from(NUMBERINGS))
    candidates = [holder(number, *map(written, held)) for number, held in zip(numbers, people, strict=False)]
    return Case(IdentityResolutionSettings(tuple(configs), rules), incoming, candidates)


def written(value: NormalizedIdentifier) -> str:
    return f"{value.id_type}:{value.value}"


def answer(case: Case) -> Resolution | None:
    """Return None for a conflict."""
    try:
        return resolve(case.settings, case.incoming, case.candidates)
    except IdentifierConflict:
        return None


def shared(case: Case, profile: Profile) -> list[NormalizedIdentifier]:
    """Return the identifiers of types in the rules that the request and the profile have in common."""
    common = [one for one in IDENTIFIERS if one in case.incoming and one in profile.identifiers]
    return [one for one in common if one.id_type in case.settings.matching_rules]


def strong_matches(case: Case) -> list[Profile]:
    found = []
    for profile in case.candidates:
        unique = [one for one in shared(case, profile) if case.settings.config(one.id_type).enforce_unique]
        if unique or len(shared(case, profile)) >= 2:
            found.append(profile)
    return found


def never_shared(case: Case) -> list[NormalizedIdentifier]:
    """Return the identifiers sent whose types are unique and outside the rules."""
    outside = [one for one in case.incoming if one.id_type not in case.settings.matching_rules]
    return [one for one in outside if case.settings.config(one.id_type).enforce_unique]


def oracle(case: Case) -> Resolution | None:
    """Apply the documented rules literally, one after the other."""
    strong = strong_matches(case)
    weak = [profile for profile in case.candidates if len(shared(case, profile)) == 1 and profile not in strong]
    person: list[Profile] = []
    if strong:
        person = strong
    elif len(weak) == 1:
        person = weak

    for profile in case.candidates:
        if profile not in person and any(one in profile.identifiers for one in never_shared(case)):
            return None

    if not person:
        return Create()
    if len(person) == 1:
        return Update(person[0])
    canonical = min(person, key=lambda profile: profile.id.int)
    others = sorted((each for each in person if each is not canonical), key=lambda profile: profile.id.int)
    rules_that_found = {one.id_type for profile in person for one in shared(case, profile)}
    first = min(rules_that_found, key=case.settings.matching_rules.index)
    return Merge(canonical, tuple(others), first)


def shuffled(items: Sequence[T], seed: int) -> list[T]:
    return Random(seed).sample(items, len(items))


@settings(max_examples=examples(600))
@given(cases())
def test_resolve_gives_what_the_oracle_gives(case: Case) -> None:
    assert answer(case) == oracle(case)


@settings(max_examples=examples(200))
@given(cases(), st.integers())
def test_the_order_of_candidates_and_identifiers_does_not_matter(case: Case, seed: int) -> None:
    other = Case(case.settings, shuffled(case.incoming, seed), shuffled(case.candidates, seed))
    assert answer(other) == answer(case)


@settings(max_examples=examples(200))
@given(cases(), st.integers(0, 4))
def test_sending_an_identifier_again_changes_nothing(case: Case, position: int) -> None:
    again = case.incoming[position % len(case.incoming)]
    assert answer(Case(case.settings, [*case.incoming, again], case.candidates)) == answer(case)


@settings(max_examples=examples(200))
@given(cases())
def test_the_canonical_profile_of_a_merge_has_the_smallest_id(case: Case) -> None:
    if isinstance(merge := answer(case), Merge):
        assert merge.canonical.id == min(profile.id for profile in strong_matches(case))


@settings(max_examples=examples(200))
@given(cases())
def test_a_merge_absorbs_all_other_strong_matches_and_nobody_else(case: Case) -> None:
    if isinstance(merge := answer(case), Merge):
        absorbed = Counter(profile.id for profile in merge.absorbed)
        assert absorbed + Counter([merge.canonical.id]) == Counter(each.id for each in strong_matches(case))


@settings(max_examples=examples(200))
@given(cases())
def test_the_trigger_of_a_merge_is_the_first_rule_that_found_any_of_them(case: Case) -> None:
    if isinstance(merge := answer(case), Merge):
        found = chain.from_iterable(shared(case, profile) for profile in strong_matches(case))
        positions = [case.settings.matching_rules.index(one.id_type) for one in found]
        assert case.settings.matching_rules.index(merge.rule) == min(positions)


def test_the_generated_cases_reach_every_outcome_often() -> None:
    reached: Counter[str] = Counter()

    @settings(max_examples=300)
    @given(cases())
    def count(case: Case) -> None:
        reached[type(oracle(case)).__name__] += 1

    count()
    assert all(reached[outcome] > 15 for outcome in ("Create", "Update", "Merge", "NoneType"))
