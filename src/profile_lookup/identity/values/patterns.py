"""Regular expressions that clients send: RE2's, so that none takes longer than linear time on any value."""

from functools import lru_cache
from typing import Any

import re2

from profile_lookup.identity.values.normalization import is_storable

MAX_PATTERN = 1000

_RE2 = re2.Options()
_RE2.log_errors = False
_RE2.max_mem = 1 << 16  # bytes; a pattern that needs more is refused when it is compiled


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """Return the pattern compiled by RE2. `why_no_pattern` must have accepted it."""
    return re2.compile(pattern, _RE2)


def why_no_pattern(pattern: str) -> str | None:
    """Return what was expected if this is not a valid pattern, or None if it is one."""
    if len(pattern) > MAX_PATTERN or not is_storable(pattern):
        return f"expected at most {MAX_PATTERN} characters, without NUL or lone surrogates"
    try:
        compiled(pattern)
    except re2.error:
        return "expected a regular expression of RE2's syntax"
    return None


def matches(pattern: str, value: str) -> bool:
    """Return whether the pattern matches anywhere in the value."""
    return bool(compiled(pattern).search(value))


def effort(pattern: str, length: int) -> int:
    """Return the cost, at worst, of compiling the pattern and trying it on so many characters.

    It is counted in steps of some five nanoseconds.
    """
    return int(compiled(pattern).programsize) * (length + 40)
