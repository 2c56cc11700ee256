"""`normalize` answers as in commit ab3eaa2, except where a value comes with what the rules of today speak of."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from random import Random

import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.invisible_characters import without_invisible
from profile_lookup.identity.values.normalization import Normalization, normalize
from tests.identity import oracle_of_ab3eaa2 as oracle

SAMPLES = 100_000

FORMER_NUMBERS = re.compile(
    r"52 1[0-9]{10} | 229 [0-9]{8} | 234 [0-9]{8} | 225 [0-9]{8} | 55 [1-9]{2}[689][0-9]{7}"
    r"| 237 [79][0-9]{7} | 57 [124-8][2-9][0-9]{6} | 84 1[2689][0-9]{8}",
    re.VERBOSE,
)


def answer(normalize: Callable[[Normalization, str], str], kind: Normalization, value: str) -> tuple[str, bool]:
    """Return the normalized value or the reason of the refusal, and whether it is refused."""
    try:
        return normalize(kind, value), False
    except ValueRefused as refused:
        return refused.reason, True


def is_spoken_of(kind: Normalization, value: str) -> bool:
    """Return whether the rules since ab3eaa2 speak of the value. Written from the documentation, not from the code."""
    match kind:
        case "phone":
            return _is_wrapped_number(value) or _is_former_number(value)
        case "email":
            return without_invisible(value) != value or _is_other_address("".join(value.split()).lower())
        case "trim":
            ends = value.strip()
            return without_invisible(ends[:1] + ends[-1:]) != ends[:1] + ends[-1:]
        case "none":
            return False


def _is_wrapped_number(value: str) -> bool:
    scheme = re.match(r"\s*(whatsapp|sms):", value, re.IGNORECASE)
    whatsapp_id = re.search(r"@(c\.us|s\.whatsapp\.net|lid)\s*$", value, re.IGNORECASE)
    float_number = re.fullmatch(r"\s*(?:tel:)?\s*[+\uff0b]?\d+\.00?\s*", value, re.IGNORECASE)
    return bool(scheme or whatsapp_id or float_number or without_invisible(value) != value)


def _is_former_number(value: str) -> bool:
    digits = "".join(str(unicodedata.decimal(each)) for each in value if each.isdecimal())
    for start in ("", "00", "011"):
        if digits.startswith(start):
            try:
                number = phonenumbers.parse(f"+{digits.removeprefix(start)}")
            except phonenumbers.NumberParseException:
                continue
            if FORMER_NUMBERS.fullmatch(phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]):
                return True
    return False


def _is_other_address(address: str) -> bool:
    local, _, domain = address.partition("@")
    return (
        address.count("@") != 1
        or not (local and domain)
        or unicodedata.normalize("NFC", address) != address
        or address.startswith("mailto:")
        or re.search(r'[,;<>()":\x00-\x1f\x7f-\x9f]', address) is not None
        or "" in domain.split(".")
        or not domain.isascii()
        or any(label.startswith("xn--") for label in domain.split("."))
    )


def differences(values: list[tuple[Normalization, str]]) -> list[tuple[Normalization, str]]:
    return [
        (kind, value)
        for kind, value in values
        if answer(normalize, kind, value) != answer(oracle.normalize, kind, value) and not is_spoken_of(kind, value)
    ]


@cache
def example_numbers() -> list[PhoneNumber]:
    found = [
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in PhoneNumberType.values()
    ]
    found += [
        phonenumbers.example_number_for_non_geo_entity(code)
        for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    ]
    return [number for number in found if number is not None]


@pytest.mark.parametrize("format_name", ["E164", "INTERNATIONAL", "NATIONAL", "RFC3966"])
def test_example_numbers_of_all_regions_are_read_as_before(format_name: str) -> None:
    number_format = getattr(PhoneNumberFormat, format_name)
    written = [phonenumbers.format_number(number, number_format) for number in example_numbers()]
    written += [value.replace("+", "") for value in written] + [value.replace("+", "00") for value in written]
    assert len(written) > 3000
    assert differences([("phone", value) for value in written]) == []


def phone_text(chance: Random) -> str:
    """Mostly digits of few countries, so that many are numbers, in the punctuation of people."""
    start = chance.choice(("", "", "+", "+", "00", "011", "1", "+1", "+44", "+49", "+55", "+52", "+84", "tel:", "(0)"))
    size = chance.randrange(4, 13)
    digits = "".join(chance.choices("0123456789", k=size))
    text = list(start + digits)
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        text.insert(chance.randrange(len(text) + 1), chance.choice(" -.()/\u2013\u00a0x+٣0:@"))
    return "".join(text)


def email_text(chance: Random) -> str:
    """Two short words around a sign that is an @ most of the time."""
    letters = "aB.é+_-1 Σ\u0130\u00a0\u0301"
    sign = chance.choice(("@", "@", "@", "@", " @ ", "@@", "", "at"))
    local = "".join(chance.choices(letters, k=chance.randrange(7)))
    domain = "".join(chance.choices(chance.choice(("abC1-", letters)), k=chance.randrange(1, 7)))
    return local + sign + domain + chance.choice((".com", ".example.org", "", ".ß", "\u3002jp"))


def any_text(chance: Random) -> str:
    planes = (range(1, 0x80), range(1, 0x500), range(0x2000, 0x2100), range(0xFE00, 0x10000), range(0x1F000, 0x20000))
    return "".join(chr(chance.choice(chance.choice(planes))) for _ in range(chance.randrange(8)))


def test_random_values_are_read_as_before() -> None:
    chance = Random(13)
    writers: list[tuple[Normalization, Callable[[Random], str]]] = [
        *(("phone", phone_text),) * 5,
        *(("email", email_text),) * 3,
        *(("trim", any_text), ("email", any_text), ("phone", any_text), ("none", any_text)),
    ]
    values = [(kind, write(chance)) for kind, write in chance.choices(writers, k=SAMPLES)]
    assert differences(values) == []


@pytest.mark.parametrize(("kind", "write"), [("phone", phone_text), ("email", email_text), ("trim", any_text)])
def test_many_random_values_are_normalized_and_not_spoken_of(
    kind: Normalization, write: Callable[[Random], str]
) -> None:
    chance = Random(17)
    values = [write(chance) for _ in range(2000)]
    normalized = [value for value in values if not answer(normalize, kind, value)[1] and not is_spoken_of(kind, value)]
    assert len(normalized) > 200


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            ("phone", value)
            for value in ("whatsapp:+13175556789", "4155550121.0", "+5215512345678", "317\u200b5556789")
        ),
        *(("phone", value) for value in ("3175556789@c.us", "+553196883193")),
        *(("email", value) for value in ("n/a", "jose\u0301@example.com", "ann@xn--bcher-kva.example", "a@b\u200b")),
        ("trim", "\ufeffAda"),
    ],
)
def test_the_values_that_the_new_rules_speak_of_do_differ(kind: Normalization, value: str) -> None:
    assert is_spoken_of(kind, value)
    assert answer(normalize, kind, value) != answer(oracle.normalize, kind, value)
