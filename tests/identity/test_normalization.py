"""Properties of `normalize` that hold for every kind; test_phone_normalization.py has the rules of `phone`."""

from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import MAX_LENGTH, Normalization, normalize
from tests.identity.examples import examples

KINDS: tuple[Normalization, ...] = get_args(Normalization)

NBSP = "\N{NO-BREAK SPACE}"
WIDE_SPACE = "\N{IDEOGRAPHIC SPACE}"
LONE_SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff", "\udc00\ud800"]

any_kind = st.sampled_from(KINDS)
any_text = st.text(st.characters(exclude_categories=[]), max_size=300)
phone_like = st.text(
    st.one_of(
        st.sampled_from("0123456789"),
        st.sampled_from("+＋ ()-./\u2010\u2212\t" + NBSP + WIDE_SPACE),
        st.sampled_from("tel:xX#*;=\0\ud800\u200e\u202a٣３²Ⅷ☎"),
    ),
    max_size=24,
)
wrapped_number = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "tel:", "SMS:", "whatsapp:", "whats\u200bapp: ", "+", "＋"]),
    st.one_of(phone_like, st.text(st.sampled_from("0123456789"), max_size=15)),
    st.sampled_from(["", ".0", ".00", "@c.us", ":12@s.whatsapp.net", ".0@c.us", "@lid", "@C.US "]),
)
address_like = st.text(st.sampled_from("aBéßΣİ\u0301\u200d\u00ad@@..。xn--ꭹᎩאⅷ❤,<: "), max_size=16)
nearly_too_long = st.builds(
    lambda letter, count, rest: letter * count + rest,
    st.sampled_from(["a", " ", "1", "İ", "\N{GREEK CAPITAL LETTER SIGMA}"]),
    st.integers(120, 257),
    st.text(max_size=3),
)
hostile_text = st.one_of(any_text, phone_like, wrapped_number, address_like, nearly_too_long)


def refusal(kind: Normalization, value: str) -> ValueRefused | None:
    try:
        normalize(kind, value)
    except ValueRefused as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("kind", "value", "normalized"),
    [
        ("none", " Ada \t", " Ada \t"),
        ("none", " ", " "),
        ("none", "\u200fعدا\u200e 👩🏽‍💻", "\u200fعدا\u200e 👩🏽‍💻"),
        ("none", "e\u0301", "e\u0301"),
        ("trim", f"\n{NBSP} Ada Lovelace{WIDE_SPACE}\u2028", "Ada Lovelace"),
        ("trim", "whatsapp:+13175556789", "whatsapp:+13175556789"),
        ("trim", "\u200e👋\u200e", "👋"),
        ("trim", "👩🏽\u200d💻", "👩🏽\u200d💻"),
        ("trim", "Ada", "Ada"),
        ("email", "Ada@Example.COM", "ada@example.com"),
        ("email", f" a d\ta{NBSP}@{WIDE_SPACE}example.com\r\n", "ada@example.com"),
        ("email", "İ@example.com", "i\u0307@example.com"),
        ("email", "ΣΑΣ@example.com", "σας@example.com"),
        ("email", "straße@example.com", "straße@example.com"),
        ("email", "not an@address", "notan@address"),
    ],
)
def test_each_kind_makes_only_its_own_changes(kind: Normalization, value: str, normalized: str) -> None:
    assert normalize(kind, value) == normalized


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden", ["\0", *LONE_SURROGATES])
@pytest.mark.parametrize("around", ["{}", "+1317555{}6789", "ada{}", "{}ada@example.com"])
def test_every_kind_refuses_nul_and_lone_surrogates(kind: Normalization, hidden: str, around: str) -> None:
    with pytest.raises(ValueRefused, match="without NUL characters or lone surrogates"):
        normalize(kind, around.format(hidden))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_an_empty_value(kind: Normalization) -> None:
    assert refusal(kind, "")


@pytest.mark.parametrize("kind", ["trim", "email", "phone"])
@pytest.mark.parametrize("blank", [" ", f"\t{NBSP}{WIDE_SPACE}\u2028", " " * MAX_LENGTH])
def test_a_kind_that_removes_white_space_refuses_a_value_of_white_space_alone(kind: Normalization, blank: str) -> None:
    assert refusal(kind, blank)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("none", "a" * 255),
        ("none", "👩" * 255),
        ("trim", "a" * 255),
        ("email", "A" * 253 + "@b"),
        ("email", "İ" * 126 + "a@b"),
        ("phone", "3175556789".center(255)),
    ],
)
def test_255_characters_are_accepted(kind: Normalization, value: str) -> None:
    assert refusal(kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("none", "a" * 256),
        ("trim", "a".center(256)),
        ("email", "a@b".center(256)),
        ("phone", "3175556789".center(256)),
    ],
)
def test_256_characters_are_refused_even_when_normalizing_would_shorten_them(kind: Normalization, value: str) -> None:
    with pytest.raises(ValueRefused, match="at most 255 characters"):
        normalize(kind, value)


def test_a_value_that_grows_beyond_255_characters_is_refused() -> None:
    with pytest.raises(ValueRefused, match="at most 255 characters"):
        normalize("email", "İ" * 127 + "@b")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("none", "s3cr3t-v4lu3\0"),
        ("trim", "s3cr3t-v4lu3\ud800"),
        ("email", "s3cr3t-v4lu3" * 25),
        ("phone", "s3cr3t-v4lu3"),
        ("phone", "whatsapp:030901820"),
        ("email", "s3cr3t-v4lu3"),
        ("email", "s3cr3t@v4lu3."),
        ("email", "s3cr3t;v4lu3@example"),
        ("phone", "+49 30 901820 x4711"),
        ("phone", "030 901820"),
        ("phone", "49 000 901820"),
        ("phone", "+999 30 901820"),
        ("phone", "+65 901820 901820"),
        ("phone", "+971 0 0 1234567"),
    ],
)
def test_a_message_never_carries_the_value(kind: Normalization, value: str) -> None:
    refused = refusal(kind, value)
    assert refused is not None
    said = f"{refused} {refused.reason} {refused!r}"
    for written in (value, value.replace(" ", "")):
        assert not any(written[start : start + 4] in said for start in range(len(written) - 3))


@settings(max_examples=examples(1000))
@given(any_kind, hostile_text)
@example("email", "İ" * 127 + "@b")
@example("phone", "+" * 255)
@example("phone", "+" + "1" * 254)
@example("phone", "1" * 255)
def test_nothing_but_value_refused_is_ever_raised(kind: Normalization, value: str) -> None:
    refusal(kind, value)


@settings(max_examples=examples(1000))
@given(any_kind, hostile_text)
@example("email", "ΑΣ Α")
def test_a_normalized_value_can_be_stored_and_normalizes_to_itself(kind: Normalization, value: str) -> None:
    if refusal(kind, value) is None:
        normalized = normalize(kind, value)
        assert 1 <= len(normalized) <= 255
        assert "\0" not in normalized
        assert normalized.encode()
        assert normalize(kind, normalized) == normalized


PLANES = [range(1, 0xD800), range(0xE000, 0x20000)]  # all that has case or is white space, and more


@pytest.mark.parametrize("kind", ["trim", "email"])
def test_the_normalization_of_every_character_is_idempotent(kind: Normalization) -> None:
    refused = set(',;<>()":@\u037e') | set(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    for codes in (range(start, min(start + 64, plane.stop)) for plane in PLANES for start in plane[::64]):
        characters = [chr(code) for code in codes if kind == "trim" or chr(code) not in refused]
        normalized = normalize(kind, "".join(["a", *characters, "@b"]))
        assert normalize(kind, normalized) == normalized


def test_the_normalization_of_every_letter_of_a_domain_is_idempotent() -> None:
    for code in range(0x80, 0x3000):
        if refusal("email", f"a@b{chr(code)}c") is None:
            normalized = normalize("email", f"a@b{chr(code)}c")
            assert normalize("email", normalized) == normalized
