"""Which display names a store may have."""

import re

from profile_lookup.errors import RequestRefused

DISPLAY_NAME_PATTERN = "^[a-zA-Z0-9-]+$"
MAX_DISPLAY_NAME = 64  # characters


def refuse_malformed_name(name: str) -> None:
    """Raise `RequestRefused` unless a store may have this display name."""
    if len(name) > MAX_DISPLAY_NAME or not re.fullmatch(DISPLAY_NAME_PATTERN, name):
        raise RequestRefused(f"displayName: expected 1-{MAX_DISPLAY_NAME} letters, digits and hyphens")
