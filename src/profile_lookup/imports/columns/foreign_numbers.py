"""Phone numbers without + that need their country: they would be read as US numbers, or not be understood."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.imports.columns.column_names import simplified
from profile_lookup.imports.files.import_options import country_code

_NORTH_AMERICAN_CODES = (
    "US", "CA", "AG", "AI", "AS", "BB", "BM", "BS", "DM", "DO", "GD", "GU", "JM", "KN", "KY", "LC", "MP", "MS", "PR",
    "SX", "TC", "TT", "VC", "VG", "VI",
)  # fmt: skip
"""The countries whose numbers begin with +1, so that ten digits are rightly read as one of theirs."""
_NORTH_AMERICAN_NAMES = frozenset(
    map(simplified, (
        *_NORTH_AMERICAN_CODES, "USA", "CAN", "United States", "United States of America", "United States (US)",
        "America", "Vereinigte Staaten", "États-Unis", "Estados Unidos", "Estados Unidos de América", "EE. UU.", "EUA",
        "Stati Uniti", "Verenigde Staten", "Stany Zjednoczone", "Amerika Birleşik Devletleri", "ABD", "アメリカ",
        "アメリカ合衆国", "Canada", "Kanada", "Puerto Rico", "Jamaica", "Bahamas", "Dominican Republic",
        "República Dominicana",
    ))
)  # fmt: skip
# Some programs read the parentheses of an area code as a minus (findings/sheetjs-…).
_WITHOUT_PLUS = re.compile(r"'?-?([0-9(][0-9 ()/.-]{5,20})")
_DOMAIN_OF_COUNTRY = re.compile(r".*@.*\.([a-z]{2})", re.IGNORECASE)
_ANYBODY = frozenset({"AI", "CC", "CO", "EU", "FM", "GG", "IO", "ME", "TV"})
"""Domains of two letters that people in all countries use."""
_FEW = 3
_TENTH = 10


@dataclass(slots=True)
class ForeignNumbers:
    """What is known of some phone numbers.

    - `numbers`: all of them
    - `foreign`: those that would be read as US numbers, although their rows name another country
    - `unread`: those that nobody can understand without their country
    - `countries`: which ones the rows of both kinds name
    """

    numbers: int = 0
    foreign: int = 0
    unread: int = 0
    countries: Counter[str] = field(default_factory=Counter)

    def are_many(self, count: int) -> bool:
        """Return whether so many of the numbers are worth a word."""
        return count >= _FEW and count * _TENTH >= self.numbers

    def likely_country(self) -> str | None:
        """Return the country (ISO 3166) that most of the rows name, if they name it by its code."""
        return self.countries.most_common(1)[0][0] if self.countries else None


def foreign_numbers(
    rows: Iterable[Sequence[str]], phones: Sequence[int], countries: Sequence[int], emails: Sequence[int]
) -> ForeignNumbers:
    """Count the numbers of some rows. The other arguments are the places of the columns that hold these traits."""
    found = ForeignNumbers()
    for fields in rows:
        numbers = [cell for place in phones if (cell := fields[place].strip())]
        readings = [_reading(cell) for cell in numbers]
        unread, as_us = readings.count(""), sum(reading.startswith("+1") for reading in readings if reading)
        named = [cell for place in countries if (cell := fields[place].strip())]
        elsewhere = named or [*_domains(fields[place] for place in emails)]
        is_elsewhere = bool(elsewhere) and _NORTH_AMERICAN_NAMES.isdisjoint(map(simplified, elsewhere))
        found.numbers += len(numbers)
        found.unread += unread
        found.foreign += as_us if is_elsewhere else 0
        if is_elsewhere and (unread or as_us):
            found.countries.update({code for each in elsewhere if (code := country_code(each))})
    return found


def _reading(cell: str) -> str | None:
    """Return how a number without + is read: in E.164, or as "" if it is not understood. Return None for others."""
    number = _WITHOUT_PLUS.fullmatch(cell)
    if number is None:
        return None
    try:
        return normalize("phone", number[1])
    except ValueRefused:
        return ""


def _domains(emails: Iterable[str]) -> Iterator[str]:
    """Yield the countries by whose domains the addresses end."""
    for email in emails:
        domain = _DOMAIN_OF_COUNTRY.fullmatch(email.strip())
        if domain and domain[1].upper() not in _ANYBODY:
            yield domain[1]
