"""Traits of a request are checked against their definitions, and some are promoted to identifiers."""

import pytest

from profile_lookup.errors import TraitsRefused, TraitValueRefused
from profile_lookup.identity.change import Change
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import (
    CONTACT,
    ArrayRule,
    BooleanRule,
    DataType,
    NumberRule,
    StringRule,
    TraitDefinition,
    TraitGroup,
)
from profile_lookup.identity.traits import Promotion, promote, read_trait_changes, read_traits
from tests.identity.building import contact, identifiers

SECRET = "s3cr3t"
EMAILS = TraitName("Orders", "emails")
GROUPS = {
    "Contact": CONTACT,
    "Orders": TraitGroup(
        "Orders",
        {
            "note": TraitDefinition("STRING"),
            "count": TraitDefinition("NUMBER"),
            "paid": TraitDefinition("BOOLEAN"),
            "tags": TraitDefinition("ARRAY"),
            "emails": TraitDefinition("ARRAY", "email"),
            "chatId": TraitDefinition("NUMBER", "chat"),
            "loyalty": TraitDefinition("STRING", "loyalty"),
        },
    ),
}
NAME_OF: dict[DataType, str] = {"STRING": "note", "NUMBER": "count", "BOOLEAN": "paid", "ARRAY": "tags"}

NESTED = [["a"], [{}], [[]]]
UNSTORABLE = ["a\0b", "\0", "\ud800", "a\udfff", "\udc00\ud800"]
NUMBERS_OF_OTHER_KINDS = [1.0, 1.5, 1e3, float("nan"), float("inf"), 2**31, -(2**31) - 1, 10**30]

WRONG: dict[DataType, list[object]] = {
    "STRING": [1, True, None, ["a"], {}, 1.0, b"a", "a" * 1025, *UNSTORABLE],
    "NUMBER": [True, False, "1", None, [1], {}, *NUMBERS_OF_OTHER_KINDS],
    "BOOLEAN": [0, 1, "true", None, [True], {}, 1.0],
    "ARRAY": ["a", 1, True, None, {}, ("a",), {"a": 1}, list(range(101))],
}
WRONG_ITEMS: list[object] = [None, {}, 1.5, "a" * 1025, *NESTED, *UNSTORABLE, *NUMBERS_OF_OTHER_KINDS]

Promotable = dict[TraitName, TraitValue]


def read(data_type: DataType, value: object) -> TraitValue:
    name = NAME_OF[data_type]
    return read_traits(GROUPS, {"Orders": {name: value}})[TraitName("Orders", name)]


def promoted(traits: Promotable) -> list[tuple[str, str]]:
    return [(each.id_type, each.value) for each in promote(GROUPS, DEFAULT_SETTINGS, traits).identifiers]


def test_a_new_store_has_the_traits_of_a_contact() -> None:
    assert CONTACT.name == "Contact"
    assert {name: (trait.data_type, trait.id_type_promotion) for name, trait in CONTACT.traits.items()} == {
        **dict.fromkeys(
            (
                "firstName",
                "lastName",
                "street",
                "city",
                "state",
                "postalCode",
                "country",
                "preferredLanguage",
            ),
            ("STRING", None),
        ),
        **{id_type: ("STRING", id_type) for id_type in ("email", "phone", "whatsapp", "chat")},
    }


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        *(("STRING", text) for text in ("", " ", "Ada", "a" * 1024, "👩" * 1024, "\ufffd", "\x01")),
        *(("NUMBER", number) for number in (0, -1, 2**31 - 1, -(2**31))),
        *(("BOOLEAN", truth) for truth in (True, False)),
        *(("ARRAY", items) for items in ([], ["a", 1, True, "a"], list(range(100)), ["a" * 1024] * 100)),
    ],
)
def test_a_value_of_its_traits_type_is_read_unchanged(data_type: DataType, value: TraitValue) -> None:
    given = read(data_type, value)
    assert (given, type(given)) == (value, type(value))


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        *((data_type, value) for data_type, values in WRONG.items() for value in values),
        *(("ARRAY", ["a", item]) for item in WRONG_ITEMS),
    ],
)
def test_the_refusal_of_any_other_value_names_the_trait(data_type: DataType, value: object) -> None:
    with pytest.raises(TraitValueRefused, match=rf"^traits\.Orders\.{NAME_OF[data_type]}: expected "):
        read(data_type, value)


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        *(("STRING", other) for other in (f"{SECRET}\0", SECRET * 200, [SECRET])),
        *(("NUMBER", other) for other in (SECRET, [SECRET])),
        *(("BOOLEAN", other) for other in (SECRET, [SECRET])),
        *(("ARRAY", other) for other in (SECRET, [[SECRET]], {SECRET: SECRET}, [SECRET] * 101, [f"{SECRET}\ud800"])),
    ],
)
def test_a_message_never_carries_the_value(data_type: DataType, value: object) -> None:
    with pytest.raises(TraitValueRefused) as refused:
        read(data_type, value)
    assert SECRET not in repr(refused.value)


def test_an_unknown_group_is_named() -> None:
    with pytest.raises(TraitsRefused, match=r"^traits\.Invoices: no such trait group in this store$"):
        read_traits(GROUPS, {"Orders": {"note": "a"}, "Invoices": {}})


def test_an_unknown_trait_is_named() -> None:
    with pytest.raises(TraitsRefused, match=r"^traits\.Contact\.emial: no such trait in this trait group$"):
        read_traits(GROUPS, {"Contact": {"emial": SECRET}})


@pytest.mark.parametrize("name", ["contact", "CONTACT", "Contact ", ""])
def test_the_names_of_groups_are_exact(name: str) -> None:
    with pytest.raises(TraitsRefused, match="no such trait group"):
        read_traits(GROUPS, {name: {"email": "ada@example.com"}})


@pytest.mark.parametrize("value", ["ada@example.com", "+13175556789", "3175556789", "Ada Lovelace"])
def test_a_value_sent_as_a_name_is_not_echoed(value: str) -> None:
    for group, name in ((value, "email"), ("Contact", value)):
        with pytest.raises(TraitsRefused) as refused:
            read_traits(GROUPS, {group: {name: "a"}})
        assert value not in str(refused.value)


def test_traits_of_several_groups_are_read_in_the_requests_order() -> None:
    sent: dict[str, dict[str, object]] = {"Orders": {"paid": True, "note": "a"}, "Contact": {"city": "Rome"}}
    assert list(read_traits(GROUPS, sent).items()) == [
        (TraitName("Orders", "paid"), True),
        (TraitName("Orders", "note"), "a"),
        (contact("city"), "Rome"),
    ]


def test_a_promoted_trait_is_an_identifier_normalized_by_its_type() -> None:
    assert promoted({contact("phone"): "(317) 555-6789"}) == [("phone", "+13175556789")]


def test_a_trait_without_promotion_identifies_nobody() -> None:
    assert promoted({contact("city"): "Rome", TraitName("Orders", "tags"): ["a"]}) == []


def test_an_array_promotes_each_of_its_items() -> None:
    assert promoted({EMAILS: ["B@x", "a@x"]}) == [("email", "b@x"), ("email", "a@x")]


def test_an_empty_array_promotes_nothing() -> None:
    assert promoted({EMAILS: []}) == []


def test_a_number_is_promoted_in_its_decimal_form() -> None:
    assert promoted({TraitName("Orders", "chatId"): -42}) == [("chat", "-42")]


def test_promotion_keeps_the_requests_order_and_each_identifier_once() -> None:
    traits: Promotable = {
        contact("phone"): "3175556789",
        EMAILS: ["b@x", "a@x", "B@X "],
        contact("chat"): "ada",
        contact("email"): "A@x",
    }
    assert promoted(traits) == [
        ("phone", "+13175556789"),
        ("email", "b@x"),
        ("email", "a@x"),
        ("chat", "ada"),
    ]


def test_equal_values_of_two_types_are_two_identifiers() -> None:
    assert promoted({contact("chat"): "ada", contact("whatsapp"): "ada"}) == [
        ("chat", "ada"),
        ("whatsapp", "ada"),
    ]


def test_a_promotion_to_a_type_that_the_store_does_not_configure_is_ignored() -> None:
    traits: Promotable = {TraitName("Orders", "loyalty"): "7", contact("email"): "a@x"}
    assert promoted(traits) == [("email", "a@x")]


def test_a_promotion_counts_if_its_type_is_configured() -> None:
    loyalty = IdentityResolutionSettings((IdentifierConfig("loyalty"),), ("loyalty",))
    traits: Promotable = {TraitName("Orders", "loyalty"): " 7 ", contact("email"): "not normalized: \0"}
    assert promote(GROUPS, loyalty, traits) == Promotion(tuple(identifiers("loyalty:7")))


@pytest.mark.parametrize(
    ("trait", "value"),
    [
        (contact("phone"), f"+{SECRET}"),
        (contact("phone"), "12345"),
        (contact("email"), SECRET * 100),
    ],
)
def test_the_refusal_of_a_promoted_value_names_its_trait(trait: TraitName, value: TraitValue) -> None:
    with pytest.raises(TraitValueRefused, match=rf"^traits\.{trait.group}\.{trait.name}: expected ") as refused:
        promoted({trait: value})
    assert SECRET not in repr(refused.value)
    assert "12345" not in repr(refused.value)


def test_an_item_that_is_not_a_string_is_promoted_as_its_json() -> None:
    groups = {"Group": TraitGroup("Group", {"codes": TraitDefinition("ARRAY", "chat")})}
    traits = read_traits(groups, {"Group": {"codes": [7, True, "x"]}})
    promotion = promote(groups, DEFAULT_SETTINGS, traits)
    assert [identifier.value for identifier in promotion.identifiers] == ["7", "true", "x"]


RULED = {
    "Orders": TraitGroup(
        "Orders",
        {
            "note": TraitDefinition("STRING", validation_rule=StringRule("^[a-z]*$", max_length=3)),
            "count": TraitDefinition("NUMBER", validation_rule=NumberRule(min=1, max=2)),
            "paid": TraitDefinition("BOOLEAN", validation_rule=BooleanRule()),
            "tags": TraitDefinition("ARRAY", validation_rule=ArrayRule(min_items=1, max_items=2)),
            "code": TraitDefinition("STRING", "chat", validation_rule=StringRule("^ ?[a-z]+$")),
        },
    )
}


@pytest.mark.parametrize(
    ("name", "value"), [("note", "abc"), ("note", ""), ("count", 2), ("paid", False), ("tags", ["x"]), ("code", "a")]
)
def test_a_value_that_satisfies_its_traits_rule_is_read(name: str, value: TraitValue) -> None:
    assert read_traits(RULED, {"Orders": {name: value}}) == {TraitName("Orders", name): value}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("note", "abcd", "at most 3 characters"),
        ("note", "S3", "what the trait's pattern matches"),
        ("count", 0, "at least 1"),
        ("count", 3, "at most 2"),
        ("tags", [], "at least 1 items"),
        ("tags", ["a", "b", "c"], "at most 2 items"),
    ],
)
def test_the_refusal_of_a_value_that_breaks_its_rule_names_the_trait(name: str, value: TraitValue, said: str) -> None:
    with pytest.raises(TraitValueRefused, match=rf"^traits\.Orders\.{name}: expected {said}$"):
        read_traits(RULED, {"Orders": {name: value}})


@pytest.mark.parametrize("value", [None, 1, True, "x" * 1025, "a\0"])
def test_the_type_is_checked_before_the_rule(value: object) -> None:
    with pytest.raises(TraitValueRefused, match=r"^traits\.Orders\.note: expected (a string|at most 1024)"):
        read_traits(RULED, {"Orders": {"note": value}})


def test_a_rule_checks_the_value_as_sent_not_as_normalized() -> None:
    traits = read_traits(RULED, {"Orders": {"code": " a"}})
    assert promote(RULED, DEFAULT_SETTINGS, traits) == Promotion(tuple(identifiers("chat:a")))


def test_null_removes_a_trait_only_in_a_change() -> None:
    sent: dict[str, dict[str, object]] = {"Contact": {"city": None, "state": "IN"}}
    assert read_trait_changes(GROUPS, sent) == {contact("city"): None, contact("state"): "IN"}
    with pytest.raises(TraitValueRefused, match=r"^traits\.Contact\.city: expected a string$"):
        read_traits(GROUPS, sent)


def test_a_removal_is_not_checked_against_the_rule() -> None:
    assert read_trait_changes(RULED, {"Orders": {"tags": None, "count": None}}) == {
        TraitName("Orders", "tags"): None, TraitName("Orders", "count"): None,
    }  # fmt: skip


def test_a_trait_that_is_not_defined_cannot_be_removed() -> None:
    for sent in ({"Contact": {"emial": None}}, {"Invoices": {"city": None}}):
        with pytest.raises(TraitsRefused, match="no such trait"):
            read_trait_changes(GROUPS, sent)


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u3000", "\u200b", "\ufeff \u00ad"])
def test_a_blank_trait_identifies_nobody_and_stays_a_trait(blank: str) -> None:
    traits: Promotable = {contact("email"): blank, contact("chat"): "c", EMAILS: [blank, "a@x"]}
    change = Change.of_traits(GROUPS, DEFAULT_SETTINGS, traits)
    assert change == Change(tuple(identifiers("chat:c", "email:a@x")), traits)


def test_a_removed_trait_promotes_nothing() -> None:
    traits = {contact("email"): None, contact("chat"): "c"}
    assert promote(GROUPS, DEFAULT_SETTINGS, traits) == Promotion(tuple(identifiers("chat:c")))


def test_a_change_of_traits_writes_them_all_and_adds_their_identifiers() -> None:
    traits = {contact("email"): "A@x", contact("city"): "Rome", contact("chat"): None}
    assert Change.of_traits(GROUPS, DEFAULT_SETTINGS, traits) == Change(tuple(identifiers("email:a@x")), traits)


def test_a_request_whose_patterns_would_take_too_long_is_refused() -> None:
    """One value costs little, but a request may hold a thousand of them."""
    slow = TraitDefinition("STRING", validation_rule=StringRule("(?:a?){200}a{200}"))
    groups = {"Slow": TraitGroup("Slow", {f"t{number}": slow for number in range(90)})}
    sent = {f"t{number}": "a" * 1024 for number in range(90)}
    with pytest.raises(TraitsRefused, match="simpler"):
        read_traits(groups, {"Slow": sent})
    assert read_traits(groups, {"Slow": dict(list(sent.items())[:10])})
