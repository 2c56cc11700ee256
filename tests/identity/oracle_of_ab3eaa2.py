"""`normalize` as it was in commit ab3eaa2, before values were read as they really come: an oracle, not to be changed."""

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

import phonenumbers

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import NormalizedValue

Normalization = Literal["phone", "email", "trim", "none"]

MAX_LENGTH = 255

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_US_NUMBER = re.compile("1?([2-9][0-9]{2}[2-9][0-9]{6})")
# In ASCII; the rules, which read digit by digit, must give the same (tests/identity/test_phone_normalization.py).
_PLAIN_US_NUMBER = re.compile(r"(?:\+?1[-. ]?)?\(?([2-9][0-9]{2})\)?[-. ]?([2-9][0-9]{2})[-. ]?([0-9]{4})")
_DIALLED_OUT = re.compile("00([0-9]{8,15})|011([0-9]{10,15})")
_BARE_INTERNATIONAL = re.compile("[2-9][0-9]{7,14}")

_TOO_LONG = f"expected at most {MAX_LENGTH} characters"
_NOT_A_PHONE_NUMBER = (
    "expected a phone number: + and the country code (+13175556789), a ten-digit US number, "
    "or an international number without its +"
)


def normalize(normalization: Normalization, value: str) -> NormalizedValue:
    """Give the value as a store keeps it, or say why it cannot be kept.

    Raises `ValueRefused`; its message never carries the value.
    """
    if not is_storable(value):
        raise ValueRefused("expected text without NUL characters or lone surrogates")
    if len(value) > MAX_LENGTH:
        raise ValueRefused(_TOO_LONG)
    normalized = _NORMALIZERS[normalization](value)
    if not normalized:
        raise ValueRefused("expected a value that is not empty once normalized")
    if len(normalized) > MAX_LENGTH:  # some letters are longer in lower case
        raise ValueRefused(_TOO_LONG)
    return NormalizedValue(normalized)


def is_storable(text: str) -> bool:
    """PostgreSQL's text and jsonb hold neither NUL nor a lone surrogate."""
    return _UNSTORABLE.search(text) is None


def _unchanged(value: str) -> str:
    return value


def _trim(value: str) -> str:
    return value.strip()


def _email(value: str) -> str:
    return "".join(value.split()).lower()


def _phone(value: str) -> str:
    """E.164. The usual ways to write a US number are seen at a glance: what the rules say of them."""
    if plain := _PLAIN_US_NUMBER.fullmatch(value):
        return f"+1{plain[1]}{plain[2]}{plain[3]}"
    return _phone_by_the_rules(value)


def _phone_by_the_rules(value: str) -> str:
    """E.164. A leading + is taken at its word; without one the number must prove itself.

    The order of the rules matters: ten digits that look like a US number are one, whatever their country of
    origin. The rule goes by form, not by today's list of area codes, or the same value could name another
    person next year.
    """
    digits, has_plus, has_parentheses = _digits(value)
    if has_plus:
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


def _digits(value: str) -> tuple[str, bool, bool]:
    """The digits in ASCII, whether a + led them, and whether parentheses stood among them."""
    text = value.strip()
    if text[:4].lower() == "tel:":
        text = text[4:].lstrip()
    has_plus = text[:1] in ("+", "\N{FULLWIDTH PLUS SIGN}")
    digits = []
    for character in text[1:] if has_plus else text:
        if character.isdecimal():
            digits.append(str(unicodedata.decimal(character)))
        elif not _is_punctuation(character):
            raise ValueRefused(
                "expected digits, spaces, hyphens, dots, parentheses and slashes only; "
                "letters and extensions have no place in E.164"
            )
    return "".join(digits), has_plus, "(" in text or ")" in text


def _is_punctuation(character: str) -> bool:
    return character in "().-/\N{MINUS SIGN}" or character.isspace() or unicodedata.category(character) == "Pd"


def _international(digits: str, *, is_a_guess: bool) -> str:
    """E.164 of a number that starts with its country code.

    Whoever writes + means it, and new number ranges must not lock customers out: *possible* is enough. Without
    it the reading is our guess, so the number must be *valid*.
    """
    number = _parse(digits)
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueRefused("expected as many digits as numbers of its country have")
    if is_a_guess and not phonenumbers.is_valid_number(number):
        raise ValueRefused(_NOT_A_PHONE_NUMBER)
    e164 = _e164(number)
    # libphonenumber drops a leading national prefix, for some countries again at every reading: such a number
    # would be stored as one value and found under another. Where nothing was dropped, it is read the same again.
    if e164[1:] != digits and _e164(_parse(e164[1:])) != e164:
        raise ValueRefused("expected a number without its national prefix after the country code")
    return e164


def _parse(digits: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        raise ValueRefused("expected a known country code and a number of that country") from None


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_NORMALIZERS: dict[Normalization, Callable[[str], str]] = {
    "none": _unchanged,
    "trim": _trim,
    "email": _email,
    "phone": _phone,
}
