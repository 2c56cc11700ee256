"""Normalizes identifier values. Raises `ValueError` for a value that cannot be stored."""

import phonenumbers


def normalize(normalization: str, value: str) -> str:
    match normalization:
        case "phone":
            normalized = _phone(value)
        case "email":
            normalized = "".join(value.split()).lower()
        case "trim":
            normalized = value.strip()
        case _:
            normalized = value
    if not normalized:
        raise ValueError("expected a value that is not empty")
    return normalized


def _phone(value: str) -> str:
    try:
        number = phonenumbers.parse(value, "US")
    except phonenumbers.NumberParseException as error:
        raise ValueError("expected a phone number") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("expected a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
