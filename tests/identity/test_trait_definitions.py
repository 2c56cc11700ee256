"""Trait groups define traits, and validation rules that values must satisfy."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.errors import DefinitionProtected, DefinitionRefused, TraitLimitReached
from profile_lookup.identity.trait_definitions import (
    CONTACT,
    MAX_TRAITS,
    RULE_OF_TYPE,
    ArrayRule,
    BooleanRule,
    DataType,
    NumberRule,
    StringRule,
    TraitDefinition,
    TraitGroup,
    ValidationRule,
)

STRING = TraitDefinition("STRING")
RULES: dict[DataType, ValidationRule] = {
    "STRING": StringRule(), "NUMBER": NumberRule(), "BOOLEAN": BooleanRule(), "ARRAY": ArrayRule(),
}  # fmt: skip


def group(**traits: TraitDefinition) -> TraitGroup:
    return TraitGroup("Billing", traits)


def numbered(count: int) -> dict[str, TraitDefinition]:
    return {f"t{number}": STRING for number in range(count)}


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        (StringRule(), ["", "a" * 1024], []),
        (StringRule(min_length=2), ["ab", "👩👩"], ["", "a", "👩"]),
        (StringRule(max_length=2), ["", "ab", "👩👩"], ["abc"]),
        (StringRule(min_length=2, max_length=2), ["ab"], ["a", "abc"]),
        (StringRule(min_length=0), [""], []),
        (StringRule("b"), ["b", "abc", "a\nb"], ["", "a", "B"]),
        (StringRule("^b$"), ["b"], ["abc", "b\n", "a\nb"]),
        (StringRule(""), ["", "x"], []),
        (StringRule(r"^\p{Greek}+$"), ["λ"], ["a", ""]),
        (StringRule("^.$"), ["👩", "é"], ["", "ab", "\n"]),
        (StringRule("(?i)^abc$"), ["ABC"], ["ab"]),
        (StringRule("^[a-z]+$", 2, 3), ["ab", "abc"], ["a", "abcd", "AB"]),
    ],
)
def test_a_string_must_match_its_pattern_and_lengths(rule: StringRule, kept: list[str], broken: list[str]) -> None:
    assert [value for value in kept if rule.broken_by(value)] == []
    assert [value for value in broken if not rule.broken_by(value)] == []


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        (NumberRule(), [0, -(2**31), 2**31 - 1], []),
        (NumberRule(min=1), [1, 2], [0, -1]),
        (NumberRule(max=1), [1, 0], [2]),
        (NumberRule(min=0.5, max=1.5), [1], [0, 2]),
        (NumberRule(min=3, max=3), [3], [2, 4]),
    ],
)
def test_a_number_must_be_within_its_bounds(rule: NumberRule, kept: list[int], broken: list[int]) -> None:
    assert [value for value in kept if rule.broken_by(value)] == []
    assert [value for value in broken if not rule.broken_by(value)] == []


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        (ArrayRule(), [0, 100], []),
        (ArrayRule(min_items=1, max_items=2), [1, 2], [0, 3]),
        (ArrayRule(max_items=0), [0], [1]),
    ],
)
def test_an_array_must_have_an_allowed_size(rule: ArrayRule, kept: list[int], broken: list[int]) -> None:
    assert [size for size in kept if rule.broken_by(["x"] * size)] == []
    assert [size for size in broken if not rule.broken_by(["x"] * size)] == []


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        (StringRule(min_length=2), "a", "expected at least 2 characters"),
        (StringRule(max_length=2), "abc", "expected at most 2 characters"),
        (NumberRule(min=-5), -6, "expected at least -5"),
        (NumberRule(max=2147483646), 2147483647, "expected at most 2147483646"),
        (NumberRule(max=0.1), 1, "expected at most 0.1"),
        (ArrayRule(min_items=1), [], "expected at least 1 items"),
        (ArrayRule(max_items=1), [1, 2], "expected at most 1 items"),
    ],
)
def test_a_broken_rule_says_what_was_expected(rule: ValidationRule, value: object, said: str) -> None:
    assert rule.broken_by(value) == said  # type: ignore[arg-type]


def test_the_message_carries_neither_pattern_nor_value() -> None:
    assert StringRule("^s3cr3t$").broken_by("v4lu3") == "expected what the trait's pattern matches"


@pytest.mark.parametrize(
    "pattern",
    [
        "(abc", "abc)", "[abc", "*abc", "abc**", r"abc\q", "[z-a]", "(?z)abc",
        "(?=a)", "(?!a)", "(?<=a)", r"(a)\1",  # syntax of other kinds of regular expressions
        "a{1001}", "((a{100}){100}){100}", r"\p{L}{100}",  # too large
        "x" * 1001, "a\0", "\ud800",
    ],
)  # fmt: skip
def test_a_pattern_that_re2_refuses_is_refused_and_not_echoed(pattern: str) -> None:
    with pytest.raises(DefinitionRefused, match=r"^validationRule\.pattern: expected ") as refused:
        StringRule(pattern).refuse_bad_pattern()
    assert pattern not in str(refused.value)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*a){20}b", "(.*)*(.*)*(.*)*z", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){300}a{300}b",
     "(.{0,20}é){0,5}z$"],
)  # fmt: skip
def test_a_pattern_with_catastrophic_backtracking_elsewhere_is_harmless(pattern: str) -> None:
    """The test passes if it ends."""
    rule = StringRule(pattern)
    for value in ("a" * 1024, "ab" * 512, "é" * 1024, "a" * 1023 + "!"):
        rule.broken_by(value)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_is_refused(pattern: str) -> None:
    try:
        rule = StringRule(pattern)
        rule.refuse_bad_pattern()
    except DefinitionRefused:
        return
    rule.broken_by("Ada Lovelace")


@pytest.mark.parametrize(
    "crossed",
    [
        lambda: StringRule(min_length=2, max_length=1),
        lambda: ArrayRule(min_items=2, max_items=1),
        lambda: NumberRule(min=2, max=1),
    ],
)
def test_a_minimum_above_the_maximum_is_refused(crossed: Callable[[], ValidationRule]) -> None:
    with pytest.raises(DefinitionRefused, match=r"^validationRule: expected min\w* to be at most max"):
        crossed()


@pytest.mark.parametrize("data_type", RULES)
def test_a_rule_must_fit_its_traits_data_type(data_type: DataType) -> None:
    for of, rule in RULES.items():
        if of == data_type:
            assert TraitDefinition(data_type, validation_rule=rule)
        else:
            with pytest.raises(DefinitionRefused, match=f"^validationRule: expected a ruleType of {data_type}"):
                TraitDefinition(data_type, validation_rule=rule)


def test_there_is_a_rule_for_every_type() -> None:
    assert {of: type(rule) for of, rule in RULES.items()} == RULE_OF_TYPE


def test_a_group_has_at_most_95_traits() -> None:
    assert MAX_TRAITS == 95
    assert TraitGroup("Many", numbered(95))
    with pytest.raises(TraitLimitReached, match="95"):
        TraitGroup("Many", numbered(96))


@pytest.mark.parametrize("name", ["", "x" * 65, "a\0", "\ud800"])
def test_a_name_that_is_empty_too_long_or_unstorable_is_refused(name: str) -> None:
    with pytest.raises(DefinitionRefused, match=r"^traits\.\(a name\): expected a name of 1-64 characters"):
        TraitGroup("Billing", {name: STRING})


@pytest.mark.parametrize("name", ["x", "x" * 64, "two words", "é", "a.b", "👩" * 64])
def test_any_other_name_is_accepted(name: str) -> None:
    assert TraitGroup("Billing", {name: STRING}).traits == {name: STRING}


def test_an_amendment_replaces_adds_and_removes_traits_and_keeps_the_rest() -> None:
    before = group(a=STRING, b=STRING, c=STRING)
    number = TraitDefinition("NUMBER")
    after = before.amended({"b": number, "c": None, "d": number, "nothing": None})
    assert after == group(a=STRING, b=number, d=number)
    assert before == group(a=STRING, b=STRING, c=STRING)


def test_a_removed_trait_makes_room_for_a_new_one() -> None:
    full = TraitGroup("Many", numbered(95))
    with pytest.raises(TraitLimitReached):
        full.amended({"more": STRING})
    assert len(full.amended({"more": STRING, "t0": None}).traits) == 95


@pytest.mark.parametrize(
    "changes",
    [
        {"email": None},
        {"firstName": None},
        {"email": TraitDefinition("STRING")},
        {"email": TraitDefinition("STRING", "phone")},
        {"email": TraitDefinition("ARRAY", "email")},
        {"firstName": TraitDefinition("NUMBER")},
        {"firstName": TraitDefinition("STRING", "chat")},
    ],
)
def test_the_protected_traits_of_contact_cannot_be_changed(changes: Mapping[str, TraitDefinition | None]) -> None:
    with pytest.raises(DefinitionProtected, match=rf"^Contact\.{next(iter(changes))} is there in every store"):
        CONTACT.amended(changes)


def test_contact_may_get_descriptions_rules_and_more_traits() -> None:
    email = TraitDefinition("STRING", "email", "Where we write to", StringRule("@"))
    amended = CONTACT.amended({"email": email, "shoeSize": TraitDefinition("NUMBER")})
    assert amended.traits["email"] == email
    assert "shoeSize" not in amended.amended({"shoeSize": None}).traits


def test_another_group_may_have_a_trait_named_like_one_of_contact() -> None:
    assert group(email=STRING).amended({"email": None}).traits == {}
