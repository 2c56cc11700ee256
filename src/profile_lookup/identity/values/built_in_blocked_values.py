"""Values that identify nobody, each with its reason, and words that stand for no value.

All of this is ours; docs/values.md shows it.
"""

from dataclasses import dataclass
from typing import get_args

from profile_lookup.identity.values.invisible_characters import trimmed
from profile_lookup.identity.values.normalization import Normalization

PLACEHOLDERS = frozenset(
    {
        "null", "none", "n/a", "na", "nan", "nil", "#n/a", "undefined", "unknown", "anonymous", "-", "0",
        "[object object]",
    }
)  # fmt: skip
"""Words that programs and people write where there is no value, in lower case."""


@dataclass(frozen=True, slots=True)
class BuiltInValue:
    """One entry: a value of types with this normalization, or an e-mail address's local part at any domain."""

    normalization: Normalization
    reason: str
    value: str | None = None
    local_part: str | None = None


_KEYPAD = "Twilio's number of a caller without a number: {} on a telephone's keys"
_FILLER = "ten equal digits are typed to fill a field; North America has no such area code"
_EXAMPLE = "an address that is typed to fill a field"
_NO_ADDRESS = "a local part that says that there is no address"

BUILT_IN_BLOCKED_VALUES = (
    BuiltInValue("phone", _KEYPAD.format("UNAVAILABLE"), value="+86282452253"),
    BuiltInValue("phone", _KEYPAD.format("RESTRICTED"), value="+17378742833"),
    *(BuiltInValue("phone", _FILLER, value=f"+1{digit * 10}") for digit in "2345679"),
    BuiltInValue("phone", "the digits in their order are typed to fill a field", value="+11234567890"),
    *(
        BuiltInValue("email", _EXAMPLE, value=address)
        for address in ("test@test.com", "none@none.com", "no@email.com", "example@example.com")
    ),
    *(BuiltInValue("email", _NO_ADDRESS, local_part=local_part) for local_part in ("noemail", "no-email", "unknown")),
)
"""+18888888888 is not among them: it is in use, as are such numbers of other countries."""

_LONGEST = max(map(len, PLACEHOLDERS))
_VALUES: dict[Normalization, dict[str, BuiltInValue]] = {
    kind: {each.value: each for each in BUILT_IN_BLOCKED_VALUES if each.value and each.normalization == kind}
    for kind in get_args(Normalization)
}
_LOCAL_PARTS = {each.local_part: each for each in BUILT_IN_BLOCKED_VALUES if each.local_part}


def placeholder(value: str) -> str | None:
    """Return the word that stands for no value, if a value, as a client sent it, is one."""
    return trimmed(value).casefold() if is_placeholder(value) else None


def is_placeholder(value: str) -> bool:
    """Return whether a value, as a client sent it, is a word that stands for no value."""
    word = value.strip() if value.isascii() else trimmed(value)
    return len(word) <= _LONGEST and word.casefold() in PLACEHOLDERS


def built_in_blocked_value(normalization: Normalization, normalized: str) -> BuiltInValue | None:
    """Return the entry that blocks a normalized value, if there is one."""
    entry = _VALUES[normalization].get(normalized)
    if entry is None and normalization == "email":
        entry = _LOCAL_PARTS.get(normalized.partition("@")[0])
    return entry
