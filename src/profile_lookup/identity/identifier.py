"""An identifier is a pair (idType, value) that points to one or more profiles of a store."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from profile_lookup.identity.values.normalization import NormalizedValue

ID_TYPE_PATTERN = r"^[A-Za-z0-9_-]{2,30}$"


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier as a client sent it. Its value is personal data, so `repr` leaves it out."""

    id_type: str
    value: str = field(repr=False)


class NormalizedIdentifier(NamedTuple):
    """An identifier as a store keeps it; equal ones name the same profiles.

    It is a tuple because it is hashed and compared all the time.
    """

    id_type: str
    value: NormalizedValue

    def __repr__(self) -> str:
        """Leave the value out: it is personal data."""
        return f"NormalizedIdentifier(id_type={self.id_type!r})"


def is_id_type(text: str) -> bool:
    """Return whether the text is 2-30 ASCII letters, digits, hyphens or underscores; case counts."""
    return re.fullmatch(ID_TYPE_PATTERN, text) is not None
