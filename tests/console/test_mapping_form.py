"""The form that says what the columns of a file hold, without a browser."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from starlette.datastructures import FormData

from profile_lookup.console.forms import Form
from profile_lookup.console.imports.mapping_form import MAX_COLUMNS, MappingForm, shown_columns
from profile_lookup.errors import EncodingRefused, RequestRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.imports.dry_runs.file_beginning import FileBeginning, file_beginning
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.stores.rules_cache import StoreRules

STORE = StoreRules(
    UUID(int=1), UUID(int=2), DEFAULT_SETTINGS, 1, {"Contact": CONTACT}, 1, datetime(2026, 1, 1, tzinfo=UTC)
)


def typed(**fields: str) -> MappingForm:
    return MappingForm.typed(Form(FormData(list(fields.items()))))


def beginning(content: str, form: MappingForm | None = None) -> FileBeginning:
    chosen = form or MappingForm({}, "", "", "")
    return file_beginning(STORE, content.encode(), chosen.options(), chosen.named(STORE))


def test_a_choice_replaces_the_guess_and_an_empty_one_leaves_the_column_out() -> None:
    content = "E-mail,Contact\nann@example.com,ann@example.net\n"
    guessed = [(each.name, each.value, each.is_unclear) for each in shown_columns(beginning(content))]
    assert guessed == [("E-mail", "Contact/email", False), ("Contact", "", True)]
    form = MappingForm({"E-mail": "", "Contact": "Contact/email", "Absent": "Contact/phone"}, "", "", "")
    chosen = beginning(content, form)
    assert [(each.name, each.value, each.is_unclear) for each in shown_columns(chosen)] == [
        ("E-mail", "", False),
        ("Contact", "Contact/email", False),
    ]
    assert [tuple(each) for each in chosen.row_rules.mapping] == [("Contact", TraitName("Contact", "email"))]


def test_how_the_file_is_written_is_read_from_the_form() -> None:
    form = typed(delimiter=";", encoding="cp1252", country="uk")
    assert form.options() == ImportOptions(";", "cp1252", "GB")
    assert typed().options() == ImportOptions()


@pytest.mark.parametrize("fields", [{"delimiter": "x"}, {"encoding": "klingon"}, {"country": "XX"}])
def test_what_no_file_can_be_written_in_is_refused_by_the_name_of_its_field(fields: dict[str, str]) -> None:
    with pytest.raises(RequestRefused, match=f"{next(iter(fields))}: expected"):
        typed(**fields).options()


def test_a_trait_that_the_store_does_not_have_is_refused() -> None:
    with pytest.raises(RequestRefused, match="trait: this store does not have the trait any more"):
        MappingForm({"E-mail": "Contact/faxNumber"}, "", "", "").named(STORE)


def test_of_very_many_columns_those_are_shown_that_hold_something_known() -> None:
    header = [*(f"x{number}" for number in range(MAX_COLUMNS + 50)), "E-mail"]
    content = f"{','.join(header)}\n{'1,' * (len(header) - 1)}ann@example.com\n"
    shown = [each.name for each in shown_columns(beginning(content))]
    assert shown == [*header[: MAX_COLUMNS - 1], "E-mail"]


def test_a_file_in_another_encoding_is_refused_without_the_words_of_the_command() -> None:
    content = "E-mail,Name\nm@example.com,Müller\n".encode("cp1252")
    with pytest.raises(EncodingRefused, match=r"or name its encoding: cp1252$"):
        file_beginning(STORE, content, ImportOptions())
