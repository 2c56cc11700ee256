"""`normalize("phone", …)`: one number, however it is written, becomes one value in E.164."""

import re
from unicodedata import category, decimal

import phonenumbers

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.invisible_characters import without_invisible
from profile_lookup.identity.values.renumbering import renumbered
from profile_lookup.identity.values.unchanged_numbers import is_unchanged_number

# Python keeps 512 compiled patterns, and the metadata has 916 that matter here: a number without + took 215 µs, as most
# patterns were compiled anew for each. All of them take half a megabyte.
phonenumbers.enable_pattern_cache()

_US_NUMBER = re.compile("1?([2-9][0-9]{2}[2-9][0-9]{6})")
# ASCII only. The rules, which read digit by digit, must return the same (tests/identity/test_phone_normalization.py).
_PLAIN_US_NUMBER = re.compile(r"(?:\+?1[-. ]?)?\(?([2-9][0-9]{2})\)?[-. ]?([2-9][0-9]{2})[-. ]?([0-9]{4})")
_DIALLED_OUT = re.compile("00([0-9]{8,15})|011([0-9]{10,15})")
_BARE_INTERNATIONAL = re.compile("[2-9][0-9]{7,14}")

_SCHEME = re.compile("(?:tel|sms|whatsapp):", re.ASCII | re.IGNORECASE)
_WHATSAPP_ID = re.compile(r"(.*?)(?::[0-9]+)?@(?:c\.us|s\.whatsapp\.net|(lid))", re.ASCII | re.IGNORECASE | re.DOTALL)
_SPREADSHEETS_NUMBER = re.compile("([+\uff0b]?\\d+)\\.00?")
_PLUS_SIGNS = ("+", "\N{FULLWIDTH PLUS SIGN}")

_NOT_A_PHONE_NUMBER = (
    "expected a phone number: + and the country code (+13175556789), a ten-digit US number, "
    "or an international number without its +"
)

_NOT_OF_COUNTRY = "expected a phone number with + and country code, or one that is valid in {}"

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The countries that have phone numbers, by ISO 3166."""


def normalized_phone(value: str) -> str:
    """Return the number in E.164. A regular expression reads the usual US spellings and returns what the rules would.

    Raises `ValueRefused`.
    """
    if plain := _PLAIN_US_NUMBER.fullmatch(value):
        return f"+1{plain[1]}{plain[2]}{plain[3]}"
    return _by_the_rules(value)


def phone_of_country(value: str, country: str) -> str:
    """Return the number in E.164; one without + is read as it is dialled in the country (ISO 3166), and must be valid.

    So it is never taken for a US number. Raises `ValueRefused`.
    """
    text, is_international = _without_wrapping(without_invisible(value).strip())
    digits, has_plus, _ = _digits(text)
    if has_plus or is_international:
        return normalized_phone(value)
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        raise ValueRefused(_NOT_OF_COUNTRY.format(country)) from None
    e164 = _e164(number)
    if successor := renumbered(number, e164):
        number, e164 = successor
    # Some valid numbers can be dialled in their country alone, and parsing again might drop a prefix again.
    is_complete = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not (is_complete and phonenumbers.is_valid_number(number)) or _e164(_parse(e164[1:])) != e164:
        raise ValueRefused(_NOT_OF_COUNTRY.format(country))
    return e164


def _by_the_rules(value: str) -> str:
    """Return the number in E.164. With a leading + it must be possible; without one it must be valid.

    The order of the rules matters: ten digits that look like a US number are one, whatever their country of
    origin. The rule goes by form, not by today's list of area codes: otherwise the same value could name another
    person next year.
    """
    text, is_international = _without_wrapping(without_invisible(value).strip())
    digits, has_plus, has_parentheses = _digits(text)
    if has_plus or is_international:
        number = _international(digits, is_a_guess=False)
    elif us := _US_NUMBER.fullmatch(digits):
        number = f"+1{us[1]}"
    elif dialled := _DIALLED_OUT.fullmatch(digits):
        number = _international(dialled[1] or dialled[2], is_a_guess=True)
    elif _BARE_INTERNATIONAL.fullmatch(digits) and not has_parentheses:
        number = _international(digits, is_a_guess=True)
    else:
        raise ValueRefused(_NOT_A_PHONE_NUMBER)
    return number


def _without_wrapping(text: str) -> tuple[str, bool]:
    """Return the number without what gateways and spreadsheets put around it, and whether it was an ID of WhatsApp.

    Such an ID begins with the country code: what stands before `@c.us` is read as if it began with +.
    """
    is_international = False
    if ":" in text or "@" in text:
        if scheme := _SCHEME.match(text):
            text = text[scheme.end() :].lstrip()
        if whatsapp_id := _WHATSAPP_ID.fullmatch(text):
            if whatsapp_id[2]:
                raise ValueRefused("expected a phone number; an ID that ends with @lid is none")
            text, is_international = whatsapp_id[1].rstrip(), True
    if text.endswith((".0", ".00")) and (number := _SPREADSHEETS_NUMBER.fullmatch(text)):
        text = number[1]
    return text, is_international


def _digits(text: str) -> tuple[str, bool, bool]:
    """Return the digits in ASCII, whether a + stands before them, and whether there are parentheses."""
    has_plus = text[:1] in _PLUS_SIGNS
    digits = (text[1:] if has_plus else text).translate(_ASCII_DIGITS)
    return digits, has_plus, "(" in text or ")" in text


class _AsciiDigits(dict[int, str | None]):
    """A table for `str.translate`: digits of any script in ASCII, punctuation to nothing. Each is looked up once."""

    def __missing__(self, code: int) -> str | None:
        """Raise `ValueRefused` for any other character."""
        character = chr(code)
        if character.isdecimal():
            self[code] = str(decimal(character))
        elif character in "().-/\N{MINUS SIGN}" or character.isspace() or category(character) == "Pd":
            self[code] = None
        else:
            raise ValueRefused(
                "expected digits, spaces, hyphens, dots, parentheses and slashes only; "
                "letters and extensions have no place in E.164"
            )
        return self[code]


_ASCII_DIGITS = _AsciiDigits()


def _international(digits: str, *, is_a_guess: bool) -> str:
    """Return the number, which starts with its country code, in E.164; one of a plan that ended as its new number.

    A + says that the country code is meant, and new number ranges must not lock customers out: *possible* is enough.
    Without a + the country code is our guess, so the number must be *valid*.
    """
    if not is_a_guess and is_unchanged_number(digits):
        return f"+{digits}"
    return _parsed_international(digits, is_a_guess=is_a_guess)


def _parsed_international(digits: str, *, is_a_guess: bool) -> str:
    """Do what `_international` does, by libphonenumber alone."""
    number = _parse(digits)
    e164 = _e164(number)
    if successor := renumbered(number, e164):
        number, e164 = successor
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueRefused("expected as many digits as numbers of its country have")
    if is_a_guess and not phonenumbers.is_valid_number(number):
        raise ValueRefused(_NOT_A_PHONE_NUMBER)
    # libphonenumber drops a leading national prefix, for some countries again each time that it parses: such a number
    # would be stored as one value and found under another. If nothing was dropped, parsing again changes nothing; nor
    # does it change a new number of the renumbering table (tests/identity/test_renumbering.py).
    if not successor and e164[1:] != digits and _e164(_parse(e164[1:])) != e164:
        raise ValueRefused("expected a number without its national prefix after the country code")
    return e164


def _parse(digits: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        raise ValueRefused("expected a known country code and a number of that country") from None


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
