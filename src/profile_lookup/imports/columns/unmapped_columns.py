"""Columns that no trait is mapped to, although their cells look like phone numbers or e-mail addresses."""

import re
from collections.abc import Iterable, Sequence

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import Normalization, normalize
from profile_lookup.imports.columns.column_names import is_left_out
from profile_lookup.imports.files.cells import values_of
from profile_lookup.imports.files.csv_records import Record

_KINDS: tuple[Normalization, ...] = ("email", "phone")
_NATIONAL_NUMBER = re.compile(r"[+(0][0-9 ()/.-]{6,20}|[0-9]{2,5}[ /-][0-9 /-]{5,15}")
_NO_NUMBER = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}"  # a date
    r"|-?[0-9]+[.,][0-9]+|(?:[0-9]{1,3}\.){3}[0-9]{1,3}"  # a fraction, an address of the internet
)


def contact_columns(header: Sequence[str], mapped: Iterable[str], rows: Iterable[Record]) -> list[str]:
    """Return the columns that are not mapped and at least half of whose cells look like numbers or addresses.

    Columns that are left out on purpose, such as a fax, do not count.
    """
    known = set(mapped)
    places = [place for place, name in enumerate(header) if name not in known and not is_left_out(name)]
    filled, alike = dict.fromkeys(places, 0), dict.fromkeys(places, 0)
    for record in rows:
        for place in places:
            cell = record.fields[place].strip() if record.fields else ""
            if cell:
                filled[place] += 1
                alike[place] += _looks_like_a_contact(cell)
    return list(dict.fromkeys(header[place] for place in places if alike[place] and 2 * alike[place] >= filled[place]))


def _looks_like_a_contact(cell: str) -> bool:
    if _NO_NUMBER.fullmatch(cell):
        return False
    return _NATIONAL_NUMBER.fullmatch(cell) is not None or any(_holds(kind, cell) for kind in _KINDS)


def _holds(kind: Normalization, cell: str) -> bool:
    try:
        values = values_of(cell, kind)
        for value in values:
            normalize(kind, value)
    except ValueRefused:
        return False
    return bool(values)
