"""`normalize("email", …)` gives one value for the spellings of one address, and refuses what is no address."""

import unicodedata
from contextlib import suppress

import idna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.email_addresses import _by_the_rules
from profile_lookup.identity.values.invisible_characters import without_invisible
from profile_lookup.identity.values.normalization import normalize
from tests.identity.examples import examples

CHEROKEE_CAPITALS = "\u13e3\u13b3\u13a9"


def email(value: str) -> str | None:
    """Return None for a value that is refused."""
    try:
        return normalize("email", value)
    except ValueRefused:
        return None


labels = st.one_of(
    st.text(st.sampled_from("abz019-_"), max_size=6),
    st.text(st.characters(min_codepoint=0x80, max_codepoint=0x2FFFF, exclude_categories=["Cs"]), max_size=5),
    st.text(st.sampled_from("éßςΣİıǆﬁⅷ。．｡．\u200c\u200d\u0301\u13a9\uab79אבء١٢"), max_size=5),
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-"), max_size=8).map("xn--{}".format),
)
addresses = st.builds(
    "{}{}@{}".format,
    st.sampled_from(["", "", "mailto:", "MAILTO:", " "]),
    st.text(st.sampled_from("aZé.+'ΣςİJ̌\u0345\u0301\u00ad "), max_size=6),
    st.lists(labels, max_size=4).map(".".join),
)


@pytest.mark.parametrize(
    "spelling",
    [
        "ann@bücher.example",
        "Ann@BÜCHER.Example",
        "ann@bu\u0308cher.example",
        "ann@xn--bcher-kva.example",
        "ann@XN--BCHER-KVA.EXAMPLE",
        "ann@ｂüｃｈｅｒ.example",
        "ann@bücher\u3002example",
        "ann@bücher\uff0eexample",
        "ann@bücher\uff61example",
        "mailto:ann@bücher.example",
        " a n n @ bücher . example\n",
        "\u200eann@b\u00adücher.exam\u200bple\ufeff",
        "ann@\uff58\uff4e--bcher-kva.example",
    ],
)
def test_all_spellings_of_an_address_have_one_normal_form(spelling: str) -> None:
    assert email(spelling) == "ann@bücher.example"


@pytest.mark.parametrize(
    "label",
    [
        "xn--",
        "xn--a",
        "xn--bcher-kva-",
        "xn--i-7iq",  # an emoji
        "i\u2764",
        "xn--mgba3gch31f060k",  # a Persian label with a joiner, which the other steps would remove
        "-é",
        "ab--é",
        "é_b",
        "1א",  # against the rule of right-to-left labels
        "xn--f9dt7l",  # Cherokee: lower-casing its canonical form makes another label
        CHEROKEE_CAPITALS.lower(),
        "r3---sn",
        "a_b",
        "xn--bücher",
    ],
)
def test_a_label_that_idna_does_not_know_or_that_would_change_again_stays(label: str) -> None:
    assert email(f"ann@{label}.bücher.example") == email(f"ann@{label}.xn--bcher-kva.example")
    assert email(f"ann@{label}.example") == f"ann@{label}.example"


def test_lower_casing_a_cherokee_label_makes_it_unknown_to_idna() -> None:
    assert idna.decode(idna.encode(CHEROKEE_CAPITALS)) == CHEROKEE_CAPITALS
    with pytest.raises(idna.InvalidCodepoint):
        idna.encode(CHEROKEE_CAPITALS.lower())


@pytest.mark.parametrize(("sharp", "double"), [("straße", "strasse"), ("fuß", "fuss")])
def test_processing_is_non_transitional(sharp: str, double: str) -> None:
    assert email(f"a@{sharp}.example") == f"a@{sharp}.example"
    assert email(f"a@{double}.example") == f"a@{double}.example"


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "@", "a@", "@b", "a", "a@b@c", "a@@b", "mailto:", "mailto:a", "\u200b@\u200b", "a@\u00ad"),
        *(f"a{each}b@example.com" for each in ',;<>()":'),
        *(f"a@example{each}com" for each in ',;<>()":'),
        *("a\x01@b", "a@b\x7f", "a\x9f@b", "a@b\x80"),
        *("a@.b", "a@b.", "a@b..c", "a@.", "a@b\u3002", "a@\uff0eb", "a@b.\u3002c"),
        *("Ann <ann@example.com>", "ann@example.com, bo@example.com", "mailto:mailto:a@b", "a\u037eb@c"),
    ],
)
def test_a_value_that_is_no_single_address_is_refused(value: str) -> None:
    assert email(value) is None


@pytest.mark.parametrize(
    "value",
    ["a@b", "a..b@c", ".a@b", "a.@b", "a+b@c", "o'brien@c.example", "a/b@c", "a!#$%&'*=?^_`{|}~-@b", "a@[192", "a@b_c"],
)
def test_other_addresses_are_not_judged(value: str) -> None:
    assert email(value) == value


@settings(max_examples=examples(1500))
@given(addresses)
@example("a@\u13a9")
@example("a@\uab79")
@example("a@\u2024b")
@example("mailto:\u03a3@b")
def test_a_normalized_address_is_stable_and_has_the_promised_form(value: str) -> None:
    normalized = email(value)
    if normalized is None:
        return
    assert email(normalized) == normalized
    assert normalized == normalized.lower() == unicodedata.normalize("NFC", normalized)
    local, _, domain = normalized.partition("@")
    assert local
    assert domain
    assert "" not in domain.split(".")
    assert not any(character.isspace() for character in normalized)


@settings(max_examples=examples(500))
@given(st.lists(st.text(st.sampled_from("aéßλжא日語실ñ1"), min_size=1, max_size=5), min_size=1, max_size=3))
def test_a_domain_in_punycode_is_the_domain_in_unicode(labels: list[str]) -> None:
    domain = ".".join(labels)
    try:
        in_punycode = idna.encode(domain).decode()
    except idna.IDNAError:
        return
    assert email(f"a@{in_punycode}") == email(f"a@{domain}") == f"a@{domain}"


@settings(max_examples=examples(500))
@given(
    st.text(
        st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters=',;<>()":@.。．｡\u037e'),
        min_size=1,
    )
)
def test_idna_never_refuses(label: str) -> None:
    if without_invisible(label):
        assert email(f"a@{label}") is not None


@given(st.text(st.sampled_from("ab09._+-@xn"), max_size=12) | addresses)
@example("a@xn--bcher-kva.example")
@example("a@b.xn--")
@example("a@b..c")
@example(".@-")
def test_plain_addresses_are_read_as_the_rules_read_them(value: str) -> None:
    expected: str | None = None
    with suppress(ValueRefused):
        expected = _by_the_rules(value) or None
    assert email(value) == expected
