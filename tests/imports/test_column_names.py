"""The names that columns have in the exports of other programs."""

import json
from collections import Counter
from pathlib import Path

import pytest

from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.imports.columns import column_words
from profile_lookup.imports.columns.column_names import is_left_out, simplified, trait_of

FILES = Path(__file__).parent / "files"
MET = json.loads((FILES / "headers.json").read_text())
"""Names that were met, each with its trait of `Contact`, or with nothing if it holds none."""
OF_PROGRAMS = json.loads((FILES / "headers_of_programs.json").read_text())
"""The names in the exports of some programs, and in lists of ten languages, by their traits."""


@pytest.mark.parametrize(("column", "trait"), MET.items())
def test_a_column_that_was_met_is_known(column: str, trait: str) -> None:
    assert trait_of(column) == (trait or None)


@pytest.mark.parametrize("program", OF_PROGRAMS)
def test_the_columns_of_other_programs_are_known(program: str) -> None:
    columns = {column: trait for trait, names in OF_PROGRAMS[program].items() for column in names}
    assert {column: trait_of(column) or "" for column in columns} == columns


def test_a_word_names_one_trait_and_one_that_every_store_has() -> None:
    words = Counter(simplified(word) for each in column_words.TRAITS.values() for word in set(map(simplified, each)))
    assert [word for word, count in words.items() if count > 1] == []
    assert column_words.TRAITS.keys() <= CONTACT.traits.keys()
    assert set(column_words.WHOLE_NAMES.values()) <= column_words.TRAITS.keys()


@pytest.mark.parametrize(
    "column",
    ["Email client", "Direct mail", "No email", "NoMail", "Is mobile", "Mobile user", "Has phone", "Email domain", "Phone model",
     "Tel Aviv", "Hotel", "Work", "Home", "Contact", "Number", "Business City", "Contact via email", "Emailed",
     "Call center phone", "Doctor phone", "Parent email", "Country of birth", "Phone country"],
)  # fmt: skip
def test_a_name_with_a_word_that_is_not_known_is_no_guess(column: str) -> None:
    assert trait_of(column) is None
    assert not is_left_out(column)


def test_a_name_that_is_too_long_is_no_guess() -> None:
    for part in ("phone ", "phone", "x"):
        assert trait_of(part * 20_000) is None  # for hours, if every part of it were looked up
        assert not is_left_out(part * 20_000)


@pytest.mark.parametrize(
    ("column", "trait"),
    [
        ("Phone 17 - Value", "phone"), ("TELÉFONO MÓVIL", "phone"), ("e-mail_address_3", "email"),
        ("Address 1 - Street", "street"), ("Address 2", None), ("Home Street 2", None), ("Business City", None),
        ("Primary contact phone", "phone"), ("Direct phone", "phone"), ("Zip 2", None), ("First Name 2", None), ("", None), ("7", None), ("Full name", None),
    ],
)  # fmt: skip
def test_only_columns_of_phones_and_addresses_may_be_numbered(column: str, trait: str | None) -> None:
    assert trait_of(column) == trait


@pytest.mark.parametrize(
    "column",
    ["Business Fax", "FAX2", "Pager", "Assistant's Phone", "Company Main Phone", "E-mail 1 - Label", "Phone Verified",
     "Customer ID", "Contact owner e-mail", "Telex", "TTY/TDD Phone", "Emergency contact phone", "ASSISTANTPHONE",
     "Téléphone de l'assistant(e)", "Telefon Firma"],
)  # fmt: skip
def test_columns_that_hold_nobodys_own_number_or_address_are_left_out_on_purpose(column: str) -> None:
    assert is_left_out(column)
    assert trait_of(column) is None


@pytest.mark.parametrize(
    "column", ["Middle Name", "Kontakt", "Erreichbar unter", "Nummer", "Account email", "Web phone", ""]
)
def test_a_column_that_is_unknown_is_not_left_out_on_purpose(column: str) -> None:
    assert not is_left_out(column)
