"""`normalize("phone", …)` returns E.164 or refuses the value."""

import os
import random
import re
from collections.abc import Iterator
from functools import cache

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, phonenumberutil

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity.values.phone_numbers import _PLAIN_US_NUMBER, _by_the_rules, _parsed_international
from profile_lookup.identity.values.unchanged_numbers import is_unchanged_number
from tests.identity.examples import examples

CANADIAN_LOCAL_ONLY = "+13101234"


def phone(value: str) -> str | None:
    """Return None for a value that is refused."""
    try:
        return normalize("phone", value)
    except ValueRefused:
        return None


@pytest.mark.parametrize(
    "value",
    [
        "+13175556789",
        "3175556789",
        "13175556789",
        "1-317-555-6789",
        "(317) 555-6789",
        "1 (317) 555-6789",
        "317.555.6789",
        "317/555/6789",
        " 317\t555\n6789 ",
        "317\N{NO-BREAK SPACE}555\N{NARROW NO-BREAK SPACE}6789\N{IDEOGRAPHIC SPACE}",
        "317\N{HYPHEN}555\N{NON-BREAKING HYPHEN}6789",
        "317\N{EN DASH}555\N{EM DASH}6789",
        "317\N{MINUS SIGN}555\N{FULLWIDTH HYPHEN-MINUS}6789",
        "tel:+13175556789",
        "tel:+1-317-555-6789",
        "TEL:3175556789",
        " tel: 3175556789",
        "＋13175556789",
        "tel:＋1 317 555 6789",
        "+ 1 317 555 6789",
        "+1 (317) 555-6789",
        "３１７５５５６７８９",
        "٣١٧٥٥٥٦٧٨٩",
        "+१३१७५५५६७८९",
        "𝟑𝟏𝟕𝟱𝟱𝟱𝟼𝟽𝟾𝟿",
        "001 317 555 6789",
        "011 1 317 555 6789",
        "whatsapp:+13175556789",
        "WhatsApp: 3175556789",
        "sms:+13175556789",
        " SMS:\t317-555-6789",
        "13175556789@c.us",
        "+1 317 555 6789 @C.US ",
        "13175556789@s.whatsapp.net",
        "13175556789:47@s.whatsapp.net",
        "whatsapp:13175556789:0@c.us",
        "3175556789.0",
        "3175556789.00",
        "+13175556789.0",
        "＋13175556789.00",
        "tel:13175556789.0",
        "13175556789.0@c.us",
        "٣١٧٥٥٥٦٧٨٩.0",
        "\u200e+13175556789",
        "\u202a+13175556789\u202c",
        "\ufeff3175556789",
        "317\u200b5556789",
        "wh\u00adatsapp:\u200b+13175556789",
        "\u2068 +1 317 555 6789 \u2069",
    ],
)
def test_all_spellings_of_a_number_have_one_normal_form(value: str) -> None:
    assert phone(value) == "+13175556789"


@pytest.mark.parametrize(
    ("value", "e164"),
    [
        ("442079460958", "+442079460958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("+44 020 7946 0958", "+442079460958"),
        ("00 44 20 7946 0958", "+442079460958"),
        ("0044 (0)20 7946 0958", "+442079460958"),
        ("011 44 20 7946 0958", "+442079460958"),
        ("+39 06 6982 1234", "+390669821234"),
        ("24762889", "+24762889"),
        ("8 495 123-45-67", "+84951234567"),  # meant for Moscow; the documentation says so and advises +
        ("498001234567890", "+498001234567890"),
        ("00 376 712 345", "+376712345"),
        ("4532123456@c.us", "+4532123456"),  # before @c.us every number begins with its country code
        ("3175556789@s.whatsapp.net", "+3175556789"),
        ("34612345678.0", "+34612345678"),
        ("+49 30 90182.0", "+4930901820"),  # blanks before the .0: no spreadsheet wrote it
        ("4155550121.5", "+41555501215"),
    ],
)
def test_an_international_number_is_recognized_by_its_country_code(value: str, e164: str) -> None:
    assert phone(value) == e164


@pytest.mark.parametrize(
    ("value", "e164"),
    [
        ("6591234567", "+6591234567"),  # not NXX-NXX-XXXX
        ("4532123456", "+14532123456"),
        ("45 32 12 34 56", "+14532123456"),
        ("+4532123456", "+4532123456"),
        ("14532123456", "+14532123456"),
        ("2222222222", "+12222222222"),  # the form counts, not today's area codes
    ],
)
def test_ten_digits_of_the_us_form_are_a_us_number_whatever_country_was_meant(value: str, e164: str) -> None:
    assert phone(value) == e164


@pytest.mark.parametrize(("possible", "e164"), [("+65 1111 1111", "+6511111111"), ("+46 999 999 999", "+46999999999")])
def test_a_number_with_a_plus_must_be_possible_and_without_one_valid(possible: str, e164: str) -> None:
    assert phone(possible) == e164
    assert phone(possible.lstrip("+")) is None
    assert phone(possible.replace("+", "00")) is None


@pytest.mark.parametrize(
    "value",
    [
        *("12345", "11234567890", "1234567890", "113175556789", "03175556789", "3171556789", "1 317 155 6789"),
        *("020 7946 0958", "06 12 34 56 78", "8 (800) 555-35-35"),  # national formats of other countries
        *("011 2345 6789", "011 4123-4567", "(011) 2345 6789", "011 15 1234 5678"),  # Delhi, Buenos Aires
        *("011 376 712 345", "4702000", "00 4702000", "000 442079460958", "011011442079460958"),
        *("(44) 20 7946 0958", "44 (0)20 7946 0958", "65 (9123) 4567"),  # no + and parentheses
        *("1-800-FLOWERS", "+1-800-FLOWERS", "+1317555678O", "Ada"),
        *("+1 317 555 6789 x2", "+13175556789;ext=2", "+13175556789 ext. 2", "+13175556789,2", "317#"),
        *("sip:+13175556789", "tel:", "tel:tel:3175556789", "+tel:13175556789", "whatsapp:", "sms:tel:3175556789"),
        *("13175556789@lid", "13175556789:3@lid", "13175556789@g.us", "13175556789@c.us.example", "@c.us", "a@c.us"),
        *("13175556789:@c.us", "13175556789:a@c.us", "0013175556789@c.us", "whatsapp:13175556789@c.us@c.us"),
        *("+", "＋", "++13175556789", "+＋13175556789", "1+3175556789", "3175556789+", "(+1) 317 555 6789"),
        *("-+13175556789", "()", "-", "./", "+()"),
        *("4155550121.000", "4155550121.0.0", "4155550121.1x", ".0", "+.0", "1.0", "4155550121.٠x"),
        *("📞3175556789", "3️⃣175556789", "317555678⁹", "③175556789", "317555678Ⅸ"),
        *("317_555_6789", "317,555,6789", "317:555:6789", "*3175556789", "~3175556789", "[317] 5556789"),
        *("+1 317 555 678", "+1 317 555 67890", "+999 1234567", "+0 317 555 6789", "+1", "+44"),
        *(CANADIAN_LOCAL_ONLY, "+" + "4" * 30, "4" * 30, "+1317555678" + "9" * 200),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_e164_is_refused(value: str) -> None:
    assert phone(value) is None


@pytest.mark.parametrize("value", ["+971 0 0 1234567", "+49 0 0 1512 3456789", "+86 0 1131 2345 6789"])
def test_a_number_that_would_not_normalize_to_itself_is_refused(value: str) -> None:
    assert phone(value) is None


@settings(max_examples=examples(500))
@given(st.integers(0, 2000), st.sampled_from([*"0123456789", "06", "80"]), st.integers(1, 3))
def test_a_number_with_prefixes_after_its_country_code_is_refused_or_normalizes_to_itself(
    choice: int, prefix: str, repetitions: int
) -> None:
    numbers = region_examples()
    number = numbers[choice % len(numbers)]
    national = phonenumbers.national_significant_number(number)
    normalized = phone(f"+{number.country_code}{prefix * repetitions}{national}")
    if normalized is not None:
        assert phone(normalized) == normalized


@settings(max_examples=examples(500))
@given(st.from_regex(r"[0-9]{1,16}", fullmatch=True))
def test_bare_digits_are_read_by_the_rules_alone(digits: str) -> None:
    normalized = phone(digits)
    if re.fullmatch("1?[2-9][0-9]{2}[2-9][0-9]{6}", digits):
        assert normalized == f"+1{digits[-10:]}"
    elif not re.fullmatch("[2-9][0-9]{7,14}|00[0-9]{8,15}|011[0-9]{10,15}", digits):
        assert normalized is None
    elif normalized is not None:
        assert phonenumbers.is_valid_number(phonenumbers.parse(normalized))


@cache
def region_examples() -> tuple[PhoneNumber, ...]:
    found = (
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in PhoneNumberType.values()
    )
    return tuple(number for number in found if number is not None)


def non_geographic_examples() -> Iterator[PhoneNumber]:
    for country_code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        metadata = phonenumbers.PhoneMetadata.metadata_for_nongeo_region(country_code)
        for kind in PhoneNumberType.values():
            assert metadata is not None
            described = phonenumberutil._number_desc_by_type(metadata, kind)
            if described is not None and described.example_number:
                yield phonenumbers.parse(f"+{country_code}{described.example_number}")


def expected_without_plus(digits: str) -> str | None:
    if re.fullmatch("1?[2-9][0-9]{2}[2-9][0-9]{6}", digits):
        return f"+1{digits[-10:]}"
    return None if digits.startswith("1") or len(digits) < 8 else f"+{digits}"


def test_the_example_numbers_of_every_region_normalize_to_themselves() -> None:
    covered = 0
    wrong: list[str] = []
    for number in (*region_examples(), *non_geographic_examples()):
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        expected = None if e164 == CANADIAN_LOCAL_ONLY else e164
        for value, normalized in (
            (e164, expected),
            (international, expected),
            (e164[1:], expected_without_plus(e164[1:])),
        ):
            covered += 1
            if phone(value) != normalized:
                wrong.append(value)
    assert wrong == []
    assert covered > 4000


SAMPLES = int(os.environ.get("PHONE_SAMPLES", "50000"))
"""`PHONE_SAMPLES=5000000 python3 run.py test tests/identity/test_phone_normalization.py -k fast_path` tries more."""


def test_the_fast_path_of_us_numbers_returns_what_the_rules_return() -> None:
    """The strings resemble the usual spellings of a US number; most of them are slightly different."""
    chance = random.Random(17)
    seen = 0
    for _ in range(SAMPLES):
        prefix = chance.choice(("", "", "", "1", "+1", "1-", "1 ", "1.", "+1 ", "+1-", "+", "+44", "11", "001", "tel:"))
        digits = "".join(
            chance.choices("0123456789", (1, 1, 8, 8, 8, 8, 8, 8, 8, 8), k=chance.choice((10,) * 9 + (9, 11)))
        )
        written = list(prefix + digits)
        for _ in range(chance.randrange(5)):
            place = chance.choice(
                (0, len(prefix), len(prefix) + 3, len(prefix) + 6, chance.randrange(len(written) + 1))
            )
            written.insert(place, chance.choice("-. ()-. ()٣３\N{EN DASH}/x\n"))
        value = "".join(written)
        if plain := _PLAIN_US_NUMBER.fullmatch(value):
            seen += 1
            assert phone(value) == _by_the_rules(value) == f"+1{plain[1]}{plain[2]}{plain[3]}", value
    assert seen > SAMPLES / 20


def test_the_fast_path_of_international_numbers_returns_what_libphonenumber_returns() -> None:
    """The numbers begin with a known country code, and often with zeros or with a prefix of their country."""
    chance = random.Random(18)
    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    seen = 0
    for number in range(SAMPLES):
        prefix = chance.choice(("", "", "", "", "0", "00", "1", "8", "15", "06", "9", "10", "011"))
        digits = "".join(chance.choices("0123456789", k=chance.randrange(3, 13)))
        value = f"{codes[number % len(codes)]}{prefix}{digits}"
        if is_unchanged_number(value):
            seen += 1
            assert _parsed_international(value, is_a_guess=False) == f"+{value}", value
    assert seen > SAMPLES / 10
