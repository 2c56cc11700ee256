"""The table of the names that columns have in the exports of other programs."""

import json
from collections import Counter
from pathlib import Path

import pytest

from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.imports.columns import column_names
from profile_lookup.imports.columns.column_names import is_left_out, simplified, trait_of

MET = json.loads((Path(__file__).parent / "files" / "headers.json").read_text())
"""Names that were met, each with its trait of `Contact`, or with nothing if it holds none."""


@pytest.mark.parametrize(("column", "trait"), MET.items())
def test_a_column_that_was_met_is_known(column: str, trait: str) -> None:
    assert trait_of(column) == (trait or None)


def test_a_name_stands_in_the_table_once_and_for_a_trait_that_every_store_has() -> None:
    names = Counter(simplified(name) for each in column_names._NAMES.values() for name in set(map(simplified, each)))
    assert [name for name, count in names.items() if count > 1] == []
    assert column_names._NAMES.keys() <= CONTACT.traits.keys()


@pytest.mark.parametrize(
    ("column", "trait"),
    [
        ("Phone 17 - Value", "phone"), ("TELÉFONO MÓVIL", "phone"), ("e-mail_address_3", "email"),
        ("Address 1 - Street", "street"), ("Address 2", None), ("Home Street 2", None), ("Business City", None),
        ("Zip 2", None), ("First Name 2", None), ("", None), ("7", None), ("Full name", None),
    ],
)  # fmt: skip
def test_only_columns_of_phones_and_addresses_may_be_numbered(column: str, trait: str | None) -> None:
    assert trait_of(column) == trait


@pytest.mark.parametrize(
    "column",
    ["Business Fax", "FAX2", "Pager", "Assistant's Phone", "Company Main Phone", "E-mail 1 - Label", "Phone Verified",
     "Customer ID", "Contact owner e-mail", "Telex", "TTY/TDD Phone", "Emergency contact phone"],
)  # fmt: skip
def test_columns_that_hold_nobodys_own_number_or_address_are_left_out_on_purpose(column: str) -> None:
    assert is_left_out(column)
    assert trait_of(column) is None


@pytest.mark.parametrize("column", ["Middle Name", "Kontakt", "Erreichbar unter", "Nummer", ""])
def test_a_column_that_is_unknown_is_not_left_out_on_purpose(column: str) -> None:
    assert not is_left_out(column)
