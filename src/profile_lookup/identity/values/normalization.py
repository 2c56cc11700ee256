"""Every value that is stored or searched goes through `normalize`.

`normalize(kind, normalize(kind, value)) == normalize(kind, value)` for every value that is not refused, and
nothing but `ValueRefused` is ever raised.
"""

import re
from collections.abc import Callable
from typing import Literal, NewType

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.email_addresses import normalized_email
from profile_lookup.identity.values.invisible_characters import trimmed
from profile_lookup.identity.values.phone_numbers import normalized_phone

NormalizedValue = NewType("NormalizedValue", str)
"""A value that `normalize()` returned or that was read from a store; no other value is stored or searched."""

Normalization = Literal["phone", "email", "trim", "none"]

MAX_LENGTH = 255

_SURROGATE = re.compile("[\ud800-\udfff]")
_TOO_LONG = f"expected at most {MAX_LENGTH} characters"


def normalize(normalization: Normalization, value: str) -> NormalizedValue:
    """Return the value as a store keeps it.

    Raises `ValueRefused`, whose message says what was expected and never carries the value.
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
    """Return whether PostgreSQL's text and jsonb can hold the text: they hold neither NUL nor a lone surrogate."""
    return "\0" not in text and (text.isascii() or _SURROGATE.search(text) is None)


def _unchanged(value: str) -> str:
    return value


_NORMALIZERS: dict[Normalization, Callable[[str], str]] = {
    "none": _unchanged,
    "trim": trimmed,
    "email": normalized_email,
    "phone": normalized_phone,
}
