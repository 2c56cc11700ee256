"""The normalization version says by which rules and tables values were normalized; a store keeps that of its values.

Another version may normalize the same input to another value: then stored values are to be normalized anew.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import idna
import phonenumbers

RULES_REVISION = 2
"""The revision of our own rules. Raise it with every change of `normalize()` or of a table that changes an answer."""


@dataclass(frozen=True, slots=True)
class NormalizationVersion:
    """Releases are dotted numbers. `unicode` is that of Python's own tables (lower case, NFC, digits)."""

    rules: int
    phonenumbers: str
    idna: str
    unicode: str

    def is_newer_than(self, other: Self) -> bool:
        """Return whether values of the other version are to be normalized anew by this one.

        Of two different versions exactly one is newer: the earlier field decides. So two versions that run side by
        side never normalize the same store in turn.
        """
        return self._order > other._order

    def to_document(self) -> dict[str, int | str]:
        return {
            "rules": self.rules, "phonenumbers": self.phonenumbers, "idna": self.idna, "unicode": self.unicode,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, int | str]) -> Self:
        """Return the version that `to_document` serialized."""
        return cls(
            int(document["rules"]), str(document["phonenumbers"]), str(document["idna"]), str(document["unicode"])
        )

    @property
    def _order(self) -> tuple[int, *tuple[tuple[int, ...], ...]]:
        return self.rules, *map(_numbers, (self.phonenumbers, self.idna, self.unicode))


CURRENT = NormalizationVersion(RULES_REVISION, phonenumbers.__version__, idna.__version__, unicodedata.unidata_version)

UNVERSIONED = NormalizationVersion(1, "0", "0", "0")
"""The version of values that were stored before versions were kept: older than any other."""


def _numbers(release: str) -> tuple[int, ...]:
    """Return the numbers of a release without trailing zeros, so that 9.1 and 9.1.0 are equal."""
    numbers = [int(number) for number in re.findall("[0-9]+", release)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
