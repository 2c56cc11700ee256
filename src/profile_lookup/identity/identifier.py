"""An identifier is a pair (idType, value) that points to one or more profiles of a store."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple, NewType

ID_TYPE_PATTERN = r"^[A-Za-z0-9_-]{2,30}$"

NormalizedValue = NewType("NormalizedValue", str)
"""A value that went through `normalize()`, or that a store gives back: the only kind that is stored or searched."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """As a client sent it. Its value is personal data, so `repr` leaves it out."""

    id_type: str
    value: str = field(repr=False)


class NormalizedIdentifier(NamedTuple):
    """As a store keeps it; equal ones name the same profiles. A tuple, for it is hashed and compared all the time."""

    id_type: str
    value: NormalizedValue

    def __repr__(self) -> str:
        """Without the value, which is personal data."""
        return f"NormalizedIdentifier(id_type={self.id_type!r})"


def is_id_type(text: str) -> bool:
    """2-30 ASCII letters, digits, hyphens or underscores; case counts."""
    return re.fullmatch(ID_TYPE_PATTERN, text) is not None
