"""Blocked values identify nobody: placeholders, the built-in list, and a store's own values and patterns."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profile_lookup.errors import (
    RequestRefused,
    TraitValueRefused,
    ValueRefused,
)
from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE, Block, BlockedPattern, BlockedValues
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import DEFAULT_SETTINGS, IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import CONTACT, TraitDefinition, TraitGroup
from profile_lookup.identity.traits import BlockedTrait, promote
from profile_lookup.identity.values.built_in_blocked_values import (
    BUILT_IN_BLOCKED_VALUES,
    PLACEHOLDERS,
    built_in_blocked_value,
    is_placeholder,
)
from profile_lookup.identity.values.normalization import Normalization, normalize
from tests.identity.building import contact, identifier, identifiers

OFFICE = "office@acme.example"


def blocking(
    *values: str, built_in: bool = False, patterns: tuple[tuple[str, str], ...] = (), allowed: tuple[str, ...] = ()
) -> BlockedValues:
    """Each value is written as in `email:ada@example.com`."""
    return BlockedValues.of(
        DEFAULT_SETTINGS,
        built_in=built_in,
        values=[sent(value) for value in values],
        patterns=[BlockedPattern(*pattern) for pattern in patterns],
        allowed=[sent(value) for value in allowed],
    )


def sent(text: str) -> Identifier:
    id_type, _, value = text.partition(":")
    return Identifier(id_type, value)


def blocked_by(blocked_values: BlockedValues, text: str) -> str | None:
    judged = blocked_values.judge(DEFAULT_SETTINGS, sent(text))
    return judged.by if isinstance(judged, Block) else None


@pytest.mark.parametrize("id_type", DEFAULT_SETTINGS.id_types)
@pytest.mark.parametrize("word", sorted(PLACEHOLDERS))
def test_a_placeholder_is_blocked_in_every_kind_and_store(id_type: str, word: str) -> None:
    for written in (word, word.upper(), word.title(), f" \t{word}\u00a0", f"\ufeff{word}\u200b"):
        assert blocked_by(PLACEHOLDERS_ALONE, f"{id_type}:{written}") == "placeholder"


@pytest.mark.parametrize("value", ["none.", "nulls", "00", "--", "n / a", "unknown person", "[object]", "Nan Lin", "o"])
def test_a_value_that_only_resembles_a_placeholder_is_none(value: str) -> None:
    assert not is_placeholder(value)


def test_a_placeholder_cannot_be_allowed() -> None:
    assert blocked_by(blocking(allowed=("chat:none",)), "chat:none") == "placeholder"


@pytest.mark.parametrize("entry", BUILT_IN_BLOCKED_VALUES, ids=lambda each: each.value or each.local_part)
def test_a_built_in_value_is_normalized_and_has_a_reason(entry: object) -> None:
    for each in BUILT_IN_BLOCKED_VALUES:
        value = each.value or f"{each.local_part}@example.com"
        assert normalize(each.normalization, value) == value
        assert built_in_blocked_value(each.normalization, value) == each
        assert each.reason
        assert (each.value is None) != (each.local_part is None)


@pytest.mark.parametrize(
    "value",
    [
        *("phone:+86 282452253", "phone:+17378742833", "phone:(222) 222-2222", "phone:+1 555 555 5555"),
        *("phone:9999999999.0", "phone:+1 123 456 7890"),
        *("email:Test@Test.com", "email:none@none.com", "email:noemail@acme.example", "email:UNKNOWN@b.example"),
        "email:no-email@xn--bcher-kva.example",
    ],
)
def test_a_built_in_value_is_blocked_where_the_list_counts(value: str) -> None:
    assert blocked_by(blocking(built_in=True), value) == "builtIn"
    assert blocked_by(PLACEHOLDERS_ALONE, value) is None


@pytest.mark.parametrize(
    "value",
    [
        *(
            "phone:+18888888888",
            "phone:+12025555555",
            "phone:+15555550100",
            "phone:+6522222222",
            "phone:+4922222222222",
        ),
        *("email:test@test.example", "email:noemails@b.example", "email:not.unknown@b.example", "email:a@unknown"),
        "chat:+12222222222",
        "chat:test@test.com",  # the list is of values of the kinds phone and email
    ],
)
def test_no_other_value_is_blocked_by_the_list(value: str) -> None:
    assert blocked_by(blocking(built_in=True), value) is None


def test_the_built_in_numbers_of_north_america_are_ten_equal_digits_but_888_and_the_digits_in_order() -> None:
    numbers = {each.value for each in BUILT_IN_BLOCKED_VALUES if each.value and each.value.startswith("+1")}
    assert numbers == {*(f"+1{digit * 10}" for digit in "2345679"), "+11234567890", "+17378742833"}


def test_a_stores_own_values_are_blocked_in_every_spelling_and_only_of_their_type() -> None:
    own = blocking(f"email: {OFFICE.upper()}", "phone:(317) 555-6789")
    assert own.values == tuple(identifiers(f"email:{OFFICE}", "phone:+13175556789"))
    assert blocked_by(own, f"email:{OFFICE}") == blocked_by(own, "phone:+1 317 555 6789") == "value"
    assert blocked_by(own, f"chat:{OFFICE}") is None


def test_a_pattern_is_tried_on_normalized_values_of_its_type() -> None:
    own = blocking(patterns=(("email", "^no-?reply@"), ("chat", "bot")))
    assert blocked_by(own, "email: NoReply@acme.example") == "pattern"
    assert blocked_by(own, "email:bot@acme.example") is None
    assert blocked_by(own, "chat:a bot of ours") == "pattern"


def test_an_allowed_value_is_exempt_from_the_list_and_from_patterns_but_not_from_values() -> None:
    allowed = (f"email:{OFFICE}", "email:unknown@acme.example", "phone:2222222222")
    own = blocking(f"email:{OFFICE}", built_in=True, patterns=(("email", "acme"),), allowed=allowed)
    assert blocked_by(own, "email:unknown@acme.example") is None
    assert blocked_by(own, "phone:+12222222222") is None
    assert blocked_by(own, f"email:{OFFICE}") == "value"
    assert blocked_by(own, "email:unknown@b.example") == "builtIn"
    assert [own.is_allowed(identifier(text)) for text in (f"email:{OFFICE}", "email:x@acme.example")] == [True, False]


@given(st.text(max_size=20), st.sampled_from(DEFAULT_SETTINGS.id_types))
def test_a_value_is_normalized_blocked_or_refused_as_it_would_be_refused_anyway(value: str, id_type: str) -> None:
    own = blocking(built_in=True, patterns=(("chat", "[0-9]"),))
    try:
        judged = own.judge(DEFAULT_SETTINGS, Identifier(id_type, value))
    except ValueRefused:
        with pytest.raises(ValueRefused):
            DEFAULT_SETTINGS.normalize(Identifier(id_type, value))
        return
    if isinstance(judged, Block):
        assert judged.reason
    else:
        assert judged == DEFAULT_SETTINGS.normalize(Identifier(id_type, value))


def test_the_reason_never_carries_the_value() -> None:
    own = blocking("email:s3cr3t@v4lu3.example", patterns=(("chat", "s3cr3t"),))
    for text in ("email:s3cr3t@v4lu3.example", "chat:s3cr3t"):
        judged = own.judge(DEFAULT_SETTINGS, sent(text))
        assert isinstance(judged, Block)
        assert "s3cr3t" not in repr(judged)


def test_values_and_patterns_are_kept_once_and_in_order() -> None:
    own = blocking("chat:b", "chat:a", "chat: b ", patterns=(("chat", "b"), ("chat", "a"), ("chat", "b")))
    assert own.values == tuple(identifiers("chat:b", "chat:a"))
    assert [each.pattern for each in own.patterns] == ["b", "a"]


REFUSED: dict[str, Callable[[], object]] = {
    "values: expected at most 1000": lambda: blocking(*(f"chat:{number}" for number in range(1, 1002))),
    "allowed: expected at most 1000": lambda: blocking(allowed=tuple(f"chat:{number}" for number in range(1, 1002))),
    "patterns: expected at most 100": lambda: blocking(patterns=tuple(("chat", f"{number}") for number in range(101))),
    "patterns.1.pattern: expected a regular expression of RE2's syntax": lambda: blocking(
        patterns=(("chat", "a"), ("chat", "(a"))
    ),
    "patterns.0.pattern: expected at most 1000 characters": lambda: blocking(patterns=(("chat", "a" * 1001),)),
    "patterns: expected fewer or simpler ones": lambda: blocking(
        patterns=tuple(("chat", f"[a-y]{{200}}{number}") for number in range(100))
    ),
    "maxProfilesPerValue: expected 2-1000": lambda: BlockedValues(max_profiles_per_value=1),
    "maxProfilesPerValue: expected 2-1000$": lambda: BlockedValues(max_profiles_per_value=1001),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_blocked_values_that_are_too_many_or_not_well_formed_are_refused(reason: str) -> None:
    with pytest.raises(RequestRefused, match=f"^{reason}"):
        REFUSED[reason]()


def test_values_on_the_bounds_are_accepted() -> None:
    thousand = tuple(f"chat:{number}" for number in range(1, 1001))
    assert blocking(*thousand, allowed=thousand, patterns=tuple(("chat", f"^x{number}") for number in range(100)))
    assert [BlockedValues(max_profiles_per_value=each).max_profiles_per_value for each in (2, 1000)] == [2, 1000]


@pytest.mark.parametrize(
    ("place", "of"),
    [
        ("values.1", lambda: blocking("chat:1", "fax:1")),
        ("allowed.0", lambda: blocking(allowed=("fax:1",))),
        ("patterns.0", lambda: blocking(patterns=(("fax", "1"),))),
    ],
)
def test_a_type_that_is_not_configured_is_refused(place: str, of: Callable[[], object]) -> None:
    with pytest.raises(RequestRefused, match=f"^{place}.idType: not configured in this store; expected one of email"):
        of()


@pytest.mark.parametrize("value", ["email:nobody", "phone:12345", "chat: "])
def test_a_value_that_does_not_normalize_cannot_be_blocked(value: str) -> None:
    with pytest.raises(RequestRefused, match=r"^values\.1\.value: expected "):
        blocking("chat:1", value)


def test_a_value_that_is_normalized_already_is_blocked_like_the_one_that_was_sent() -> None:
    own = blocking(f"email:{OFFICE}", built_in=True, patterns=(("chat", "bot"),))
    settings = with_kinds(chat="none")
    for text in (f"email:{OFFICE}", "phone:+12222222222", "chat:a bot", "chat: N/A ", "whatsapp:none"):
        assert own.block(settings, identifier(text)), text
    for text in ("email:a@x.example", "chat:bo t", "chat:n/a?"):
        assert own.block(settings, identifier(text)) is None, text


def test_a_blocked_identifier_is_refused_where_it_is_sent_by_itself() -> None:
    own = blocking(f"email:{OFFICE}")
    assert own.refuse_blocked(DEFAULT_SETTINGS, sent("email: A@x.example")) == identifier("email:a@x.example")
    for text in (f"email:{OFFICE}", "phone:n/a"):
        with pytest.raises(
            ValueRefused, match=r"^value: expected a value that identifies somebody; this one is blocked"
        ):
            own.refuse_blocked(DEFAULT_SETTINGS, sent(text))


def test_values_are_normalized_anew_for_other_settings() -> None:
    own = blocking(
        "chat: Ada@X ", "chat:ada@x", "chat:bob", "phone:3175556789", patterns=(("phone", "1"), ("chat", "b"))
    )
    adapted = own.adapted_to(with_kinds(without="phone", chat="email"))
    assert adapted.values == tuple(identifiers("chat:ada@x"))
    assert [each.id_type for each in adapted.patterns] == ["chat"]
    assert own.adapted_to(DEFAULT_SETTINGS) == own


def with_kinds(*, without: str | None = None, **kinds: Normalization) -> IdentityResolutionSettings:
    configs = tuple(
        replace(config, normalization=kinds.get(config.id_type, config.normalization))
        for config in DEFAULT_SETTINGS.identifier_configs
        if config.id_type != without
    )
    return IdentityResolutionSettings(configs, tuple(config.id_type for config in configs))


GROUPS = {
    "Contact": CONTACT,
    "Orders": TraitGroup(
        "Orders", {"emails": TraitDefinition("ARRAY", "email"), "id": TraitDefinition("NUMBER", "chat")}
    ),
}
EMAILS = TraitName("Orders", "emails")


def test_a_blocked_value_stays_a_trait_and_is_not_promoted() -> None:
    traits: dict[TraitName, TraitValue | None] = {
        contact("email"): "n/a",
        contact("phone"): "(317) 555-6789",
        EMAILS: ["Unknown", "noemail@x.example", "a@x.example"],
        TraitName("Orders", "id"): 0,
        contact("city"): "n/a",
        contact("chat"): None,
    }
    change = Change.of_traits(GROUPS, DEFAULT_SETTINGS, traits, blocking(built_in=True))
    assert change.incoming == tuple(identifiers("phone:+13175556789", "email:a@x.example"))
    assert change.traits == traits
    assert [(str(each.trait), each.id_type, each.block.by) for each in change.blocked] == [
        ("Contact.email", "email", "placeholder"),
        ("Orders.emails", "email", "placeholder"),
        ("Orders.emails", "email", "builtIn"),
        ("Orders.id", "chat", "placeholder"),
    ]


def test_a_request_of_blocked_values_alone_identifies_nobody() -> None:
    promotion = promote(GROUPS, DEFAULT_SETTINGS, {contact("email"): "none", contact("phone"): "-"})
    assert promotion.identifiers == ()
    assert promotion.blocked == tuple(
        BlockedTrait(contact(name), name, Block("placeholder", "a word that stands for no value"))
        for name in ("email", "phone")
    )


def test_a_value_that_is_refused_is_no_blocked_value() -> None:
    with pytest.raises(TraitValueRefused, match=r"^traits\.Contact\.email: expected an e-mail address"):
        promote(GROUPS, DEFAULT_SETTINGS, {contact("email"): "none of your business"}, blocking(built_in=True))
