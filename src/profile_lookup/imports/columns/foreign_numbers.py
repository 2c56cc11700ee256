"""Phone numbers without + that would be read as US numbers, although the rest of their row names another country."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.imports.columns.column_names import simplified
from profile_lookup.imports.files.cells import values_of
from profile_lookup.imports.files.import_options import country_code

_NORTH_AMERICA = frozenset(
    map(simplified, (
        "US", "USA", "United States", "United States of America", "Vereinigte Staaten", "États-Unis", "Estados Unidos",
        "Stati Uniti", "Verenigde Staten", "Stany Zjednoczone", "CA", "CAN", "Canada", "Kanada", "Canadá",
        "Puerto Rico",
    ))
)  # fmt: skip
_DOMAIN_OF_COUNTRY = re.compile(r".*@.*\.([a-z]{2})", re.IGNORECASE)
_ANYBODY = frozenset({"ai", "cc", "co", "eu", "fm", "gg", "io", "me", "tv", "us", "ca"})
"""Domains of two letters that say nothing, or nothing else than a US number does."""
_FEW = 3
_TENTH = 10


@dataclass(slots=True)
class ForeignNumbers:
    """`numbers` are all phone numbers, `foreign` those that would be misread, `countries` what their rows name."""

    numbers: int = 0
    foreign: int = 0
    countries: Counter[str] = field(default_factory=Counter)

    @property
    def are_many(self) -> bool:
        return self.foreign >= _FEW and self.foreign * _TENTH >= self.numbers

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
        found.numbers += len(numbers)
        misread = sum(map(_is_read_as_us_number, numbers))
        if misread and _is_elsewhere([fields[place] for place in countries], [fields[place] for place in emails]):
            found.foreign += misread
            found.countries.update(_codes([fields[place] for place in countries], [fields[place] for place in emails]))
    return found


def _is_read_as_us_number(cell: str) -> bool:
    try:
        return not cell.lstrip("'").startswith("+") and any(
            normalize("phone", value).startswith("+1") for value in values_of(cell, "phone")
        )
    except ValueRefused:
        return False


def _is_elsewhere(countries: Iterable[str], emails: Iterable[str]) -> bool:
    named = [name for country in countries if (name := simplified(country))]
    if named:
        return not any(name in _NORTH_AMERICA for name in named)
    return bool(list(_domains(emails)))


def _codes(countries: Iterable[str], emails: Iterable[str]) -> set[str]:
    named = [country for country in countries if country.strip()] or _domains(emails)
    return {code for each in named if (code := country_code(each))}


def _domains(emails: Iterable[str]) -> Iterable[str]:
    for email in emails:
        domain = _DOMAIN_OF_COUNTRY.fullmatch(email.strip())
        if domain and domain[1].lower() not in _ANYBODY:
            yield domain[1]
