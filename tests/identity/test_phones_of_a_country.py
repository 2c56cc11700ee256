"""Numbers without + are read as they are dialled in the country that an import names."""

from contextlib import suppress

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity.values.phone_numbers import COUNTRIES, phone_of_country

KINDS = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE, PhoneNumberType.VOIP)


@pytest.mark.parametrize("country", sorted(COUNTRIES))
def test_the_national_format_of_a_countrys_numbers_is_read(country: str) -> None:
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(country, kind)
        if number is not None:
            expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            assert phone_of_country(national, country) == expected


@given(
    st.text("0123456789+ ()-.", max_size=16) | st.from_regex(r"0[1-9][0-9]{6,10}", fullmatch=True),
    st.sampled_from(sorted(COUNTRIES)),
)
def test_what_is_read_is_a_normalized_number(text: str, country: str) -> None:
    with suppress(ValueRefused):
        number = phone_of_country(text, country)
        assert normalize("phone", number) == number


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("97 12 34 56", "BJ", "+2290197123456"),  # renumbered
        ("+33 1 23 45 67 89", "DE", "+33123456789"),
        ("00 33 1 23 45 67 89", "DE", "+33123456789"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("(416) 555-0123", "US", "+14165550123"),
        ("4915112345678@c.us", "FR", "+4915112345678"),
        ("310-1234", "CA", None),  # can be dialled there alone
        ("2125550123", "FR", None), ("110", "DE", None), ("", "DE", None), ("030 901820 x5", "DE", None),
    ],
)  # fmt: skip
def test_a_number_of_elsewhere_needs_its_country_code(text: str, country: str, number: str | None) -> None:
    if number is not None:
        assert phone_of_country(text, country) == number
        return
    with pytest.raises(ValueRefused):
        phone_of_country(text, country)
