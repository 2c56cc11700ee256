"""IDs in the API: a prefix and 26 characters of lower-case base32 over a UUIDv7 (the TypeID format).

Both forms are ordered by time, so the smallest ID is the earliest.
"""

import re
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
_DIGIT_OF = {character: digit for digit, character in enumerate(_ALPHABET)}

_SUFFIX = "[0-7][0-9a-z]{25}"
STORE_ID_PATTERN = f"^mem_(store|service)_{_SUFFIX}$"
PROFILE_ID_PATTERN = f"^mem_profile_{_SUFFIX}$"
OPERATION_ID_PATTERN = f"^mem_operation_{_SUFFIX}$"
IMPORT_ID_PATTERN = f"^mem_import_{_SUFFIX}$"
EVENT_ID_PATTERN = f"^mem_event_{_SUFFIX}$"
KEY_SID_PATTERN = "^SK[0-9a-f]{32}$"

EXAMPLE_STORE_ID = "mem_store_00000000000000000000000000"
EXAMPLE_PROFILE_ID = "mem_profile_00000000000000000000000000"
EXAMPLE_OPERATION_ID = "mem_operation_00000000000000000000000000"
EXAMPLE_IMPORT_ID = "mem_import_00000000000000000000000000"
EXAMPLE_EVENT_ID = "mem_event_00000000000000000000000000"
EXAMPLE_KEY_SID = "SK00000000000000000000000000000000"


def store_id(uuid: UUID) -> str:
    return f"mem_store_{_encoded(uuid)}"


def profile_id(uuid: UUID) -> str:
    return f"mem_profile_{_encoded(uuid)}"


def operation_id(uuid: UUID) -> str:
    return f"mem_operation_{_encoded(uuid)}"


def import_id(uuid: UUID) -> str:
    return f"mem_import_{_encoded(uuid)}"


def event_id(uuid: UUID) -> str:
    return f"mem_event_{_encoded(uuid)}"


def is_well_formed(pattern: str, wire_id: str) -> bool:
    # `$` also matches before a final newline, which no ID has.
    return re.fullmatch(pattern, wire_id) is not None


def decoded(wire_id: str) -> UUID | None:
    """Return the UUID of an ID that fits its pattern.

    Return None if a character is not in the alphabet: nothing has such an ID.
    """
    number = 0
    for character in wire_id[-26:]:
        digit = _DIGIT_OF.get(character)
        if digit is None:
            return None
        number = number << 5 | digit
    return UUID(int=number)


def parsed(pattern: str, wire_id: str) -> UUID | None:
    """Return the UUID of an ID; None if nothing has such an ID."""
    return decoded(wire_id) if is_well_formed(pattern, wire_id) else None


def store_uuid(wire_id: str) -> UUID | None:
    """Return the UUID of a store's ID, or None if the ID is malformed.

    If nothing can have the ID, return zero, which is the UUID of no store: so it is refused like any unknown store.
    """
    return (decoded(wire_id) or UUID(int=0)) if is_well_formed(STORE_ID_PATTERN, wire_id) else None


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TRIPLES = [pair + third for pair in _PAIRS for third in _ALPHABET]


def _encoded(uuid: UUID) -> str:
    """Return the 26 characters of a UUID.

    Fifteen bits at a time are encoded, from three parts that are small integers. This is fast, and a Lookup's answer
    consists mostly of IDs.
    """
    number, triples = uuid.int, _TRIPLES
    high, middle, low = number >> 90, number >> 45 & (1 << 45) - 1, number & (1 << 45) - 1
    return (
        f"{_PAIRS[high >> 30]}{triples[high >> 15 & 32767]}{triples[high & 32767]}"
        f"{triples[middle >> 30]}{triples[middle >> 15 & 32767]}{triples[middle & 32767]}"
        f"{triples[low >> 30]}{triples[low >> 15 & 32767]}{triples[low & 32767]}"
    )
