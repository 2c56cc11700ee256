"""Each type's limit and policy decide which values a profile keeps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.retention import first_to_go, retained
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings, LimitPolicy
from tests.identity.building import at, identifier, timed
from tests.identity.examples import examples

Held = Mapping[NormalizedIdentifier, datetime]

ID_TYPES = ("email", "phone")
IDENTIFIERS = [identifier(f"{id_type}:{value}") for id_type in ID_TYPES for value in "abcdef"]


def limited(limit: int, policy: LimitPolicy, *others: IdentifierConfig) -> IdentityResolutionSettings:
    email = IdentifierConfig("email", limit=limit, limit_policy=policy)
    return IdentityResolutionSettings((email, *others), ("email",))


def kept(limit: int, policy: LimitPolicy, held: str, carried: str = "") -> str:
    """Return the values that are kept; each is one letter, in the order in which they were added."""
    times = timed(**{value: seconds for seconds, value in enumerate(held)})
    remaining = retained(limited(limit, policy), times, [identifier(f"email:{value}") for value in carried])
    return "".join(sorted((one.value for one in remaining), key=held.index))


@dataclass(frozen=True)
class Case:
    settings: IdentityResolutionSettings
    held: Held
    carried: Collection[NormalizedIdentifier]

    @property
    def remaining(self) -> dict[NormalizedIdentifier, datetime]:
        return retained(self.settings, self.held, self.carried)

    def of(self, config: IdentifierConfig, among: Collection[NormalizedIdentifier]) -> set[NormalizedIdentifier]:
        return {one for one in among if one in self.held and one.id_type == config.id_type}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    policies: st.SearchStrategy[LimitPolicy] = st.sampled_from(["fifo", "lifo"])
    configs = [
        IdentifierConfig(id_type, limit=draw(st.integers(1, 5)), limit_policy=draw(policies)) for id_type in ID_TYPES
    ]
    seconds = st.integers(0, 5).map(at)  # few different times, so that there are ties
    held = draw(st.dictionaries(st.sampled_from(IDENTIFIERS), seconds, max_size=12))
    carried = draw(st.lists(st.sampled_from(IDENTIFIERS), max_size=6))
    return Case(IdentityResolutionSettings(tuple(configs), ID_TYPES), held, carried)


@pytest.mark.parametrize(
    ("limit", "held", "remaining"),
    [
        (3, "", ""),
        (3, "ab", "ab"),
        (3, "abc", "abc"),
        (3, "abcd", "bcd"),
        (1, "abcd", "d"),
        (100, "abcd", "abcd"),
    ],
)
def test_fifo_drops_the_oldest(limit: int, held: str, remaining: str) -> None:
    assert kept(limit, "fifo", held) == remaining


@pytest.mark.parametrize(
    ("limit", "held", "remaining"),
    [
        (3, "", ""),
        (3, "ab", "ab"),
        (3, "abc", "abc"),
        (3, "abcd", "abc"),
        (1, "abcd", "a"),
        (100, "abcd", "abcd"),
    ],
)
def test_lifo_drops_the_newest(limit: int, held: str, remaining: str) -> None:
    assert kept(limit, "lifo", held) == remaining


@pytest.mark.parametrize(
    ("limit", "held", "carried", "remaining"),
    [
        (2, "abc", "a", "ac"),
        (2, "abcd", "ab", "ab"),
        (1, "abc", "b", "b"),
        (3, "abcde", "ae", "ade"),
        (3, "abc", "a", "abc"),
    ],
)
def test_fifo_never_drops_a_carried_value_in_favour_of_another(
    limit: int, held: str, carried: str, remaining: str
) -> None:
    assert kept(limit, "fifo", held, carried) == remaining


@pytest.mark.parametrize(
    ("limit", "held", "carried", "remaining"),
    [(2, "abcd", "abd", "bd"), (1, "abcd", "abcd", "d"), (2, "abcd", "cab", "bc")],
)
def test_fifo_drops_the_oldest_carried_value_if_the_carried_values_exceed_the_limit(
    limit: int, held: str, carried: str, remaining: str
) -> None:
    assert kept(limit, "fifo", held, carried) == remaining


def test_lifo_does_not_keep_a_carried_value_that_is_over_the_limit() -> None:
    assert kept(2, "lifo", "abc", carried="c") == "ab"


def test_ties_are_broken_independently_of_the_order_of_the_input() -> None:
    one_instant = timed(a=1, b=1, c=1)
    turned = dict(reversed(one_instant.items()))
    assert retained(limited(2, "fifo"), one_instant, []) == retained(limited(2, "fifo"), turned, [])


def test_the_limit_of_one_type_does_not_affect_another() -> None:
    phones = {identifier(f"phone:{number}"): at(number) for number in range(5)}
    remaining = retained(limited(1, "fifo", IdentifierConfig("phone")), timed(a=1, b=2) | phones, [])
    assert remaining == timed(b=2) | phones


@settings(max_examples=examples(150))
@given(cases())
def test_a_kept_value_keeps_its_time(case: Case) -> None:
    assert case.remaining.items() <= case.held.items()


@settings(max_examples=examples(300))
@given(cases())
def test_a_type_keeps_as_many_values_as_its_limit_allows(case: Case) -> None:
    for config in case.settings.identifier_configs:
        assert len(case.of(config, case.remaining)) == min(config.limit, len(case.of(config, case.held)))


@settings(max_examples=examples(300))
@given(cases())
def test_fifo_keeps_all_carried_values_or_only_carried_values(case: Case) -> None:
    for config in case.settings.identifier_configs:
        if config.limit_policy == "fifo":
            carried, remaining = case.of(config, case.carried), case.of(config, case.remaining)
            assert carried <= remaining or remaining < carried


@settings(max_examples=examples(300))
@given(cases())
def test_fifo_drops_no_value_newer_than_a_kept_one_of_the_same_claim(case: Case) -> None:
    for config in case.settings.identifier_configs:
        if config.limit_policy == "fifo":
            remaining = case.of(config, case.remaining)
            for dropped in case.of(config, case.held) - remaining:
                rivals = {one for one in remaining if (one in case.carried) == (dropped in case.carried)}
                assert all(case.held[dropped] <= case.held[one] for one in rivals)


@settings(max_examples=examples(300))
@given(cases())
def test_lifo_drops_no_value_older_than_a_kept_one(case: Case) -> None:
    for config in case.settings.identifier_configs:
        if config.limit_policy == "lifo":
            remaining = case.of(config, case.remaining)
            for dropped in case.of(config, case.held) - remaining:
                assert all(case.held[dropped] >= case.held[one] for one in remaining)


@settings(max_examples=examples(150))
@given(cases())
def test_types_do_not_depend_on_each_other(case: Case) -> None:
    for config in case.settings.identifier_configs:
        alone = {one: case.held[one] for one in case.of(config, case.held)}
        assert retained(case.settings, alone, case.carried).keys() == case.of(config, case.remaining)


@settings(max_examples=examples(150))
@given(cases())
def test_applying_the_limits_again_changes_nothing(case: Case) -> None:
    assert retained(case.settings, case.remaining, case.carried) == case.remaining


@pytest.mark.parametrize(("policy", "goes"), [("fifo", "b"), ("lifo", "c")])
def test_the_first_value_to_be_evicted_depends_on_the_policy(policy: LimitPolicy, goes: str) -> None:
    config = IdentifierConfig("email", limit_policy=policy)
    assert first_to_go(config, timed(a=2, b=1, c=3)) == identifier(f"email:{goes}")


@pytest.mark.parametrize(("policy", "goes"), [("fifo", "a"), ("lifo", "b")])
def test_ties_of_the_first_value_to_be_evicted_are_always_broken_alike(policy: LimitPolicy, goes: str) -> None:
    config = IdentifierConfig("email", limit_policy=policy)
    for held in (timed(a=1, b=1), timed(b=1, a=1)):
        assert first_to_go(config, held) == identifier(f"email:{goes}")


@settings(max_examples=examples(100))
@given(cases())
def test_a_limit_one_below_the_count_drops_the_first_value_to_be_evicted(case: Case) -> None:
    for config in case.settings.identifier_configs:
        held = {one: case.held[one] for one in case.of(config, case.held)}
        if len(held) > 1:
            tight = IdentifierConfig(config.id_type, limit=len(held) - 1, limit_policy=config.limit_policy)
            kept_by_limit = retained(IdentityResolutionSettings((tight,), (config.id_type,)), held, ())
            assert held.keys() - kept_by_limit.keys() == {first_to_go(config, held)}
