"""How well cells fit the trait of their column: most of them decide, whatever the column's name promises."""

from collections.abc import Sequence

import pytest

from profile_lookup.imports.columns.column_fit import Fit, column_fits
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.encodings import TextFormat
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Layout
from tests.imports.rows import GROUPS, mapping_of, reader


def _fit(trait: str, cells: Sequence[str], country: str | None = None) -> Fit:
    mapping = mapping_of(trait)
    ((column, _),) = mapping
    layout = Layout(TextFormat(), ",", 1, 1, {column: [0]})
    rows = [Record(2 + place, [cell]) for place, cell in enumerate(cells)]
    return column_fits(reader(GROUPS, mapping).store, mapping, layout, rows, ImportOptions(country=country))[column]


@pytest.mark.parametrize(
    ("trait", "cells", "id_type", "lines"),
    [
        ("Contact.email", ["Ann", "Bo", "Cy", "a@example.com", "b@example.com"], "email", [2, 3, 4]),
        ("Contact.phone", ["a@example.com"] * 5, "phone", [2, 3, 4]),
        ("Contact.firstName", ["Ann", "Bo", *["a@example.com"] * 3], "email", [4, 5, 6]),
        ("Contact.city", ["+1 317 555 6789"] * 5, "phone", [2, 3, 4]),
    ],
)
def test_a_column_most_of_whose_cells_hold_something_else_is_unlikely(
    trait: str, cells: list[str], id_type: str, lines: list[int]
) -> None:
    fit = _fit(trait, cells)
    assert (fit.is_unlikely, fit.id_type, fit.first_lines) == (True, id_type, lines)


@pytest.mark.parametrize(
    ("trait", "cells"),
    [
        ("Contact.email", ["a@example.com"] * 5 + ["Ann"] * 5),
        ("Contact.email", ["Ann"] * 4),  # too few to say anything
        ("Contact.email", ["n/a", "-", "", " "] * 5),
        ("Contact.phone", ["317-555-6789; +4930901820"] * 5),
        ("Contact.postalCode", ["01234567", "012-3456", "46204-1234"] * 5),
        ("Contact.firstName", ["@ann", "12345678"] * 5),
        ("Contact.whatsapp", ["+13175556789"] * 5),
        ("More.age", ["1"] * 5),
        ("More.old", ["5551234"] * 5),
    ],
)
def test_other_columns_are_not_unlikely(trait: str, cells: list[str]) -> None:
    assert not _fit(trait, cells).is_unlikely


def test_numbers_fit_if_they_are_of_the_country_that_the_import_names() -> None:
    assert _fit("Contact.phone", ["030 901820"] * 5).share == 0
    assert _fit("Contact.phone", ["030 901820"] * 5, "DE").share == 1
    assert _fit("Contact.phone", []).share == 1
