"""What `profile-lookup import` says about a file before it imports it, and what it does not decide by itself."""

import re
from pathlib import Path

import pytest

from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.imports.import_beginning import Choices, begin
from profile_lookup.errors import FileRefused
from profile_lookup.imports.files.import_options import ImportOptions, country_code
from profile_lookup.settings import Settings

CONTACTS = """\
Email,Kontakt,Fax,Customer,Joined
ana@example.com,+34 612 345 678,+34911234567,1,2026-01-01
bo@example.com,030 901820,,2,2026-01-02
cy@example.com,,,3,
"""


def _begin(settings: Settings, store: str, directory: Path, content: str | bytes, choices: Choices) -> None:
    path = directory / "people.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    begin(settings, path, store, None, choices)


def test_a_column_that_seems_to_hold_contacts_is_not_left_out_without_a_decision(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError) as refused:
        _begin(settings, store, tmp_path, CONTACTS, Choices(confirmed=True))
    assert str(refused.value) == (
        "nothing was imported, since these columns would be left out, but seem to hold phone numbers or e-mail "
        'addresses: Kontakt. Say for each what it holds, --map "Kontakt=Contact.phone" or --map "Kontakt=Contact.email", '
        'or --leave-out "Kontakt"'
    )
    assert "Kontakt is left out, but seems to hold phone numbers or e-mail addresses." in capsys.readouterr().out
    _begin(settings, store, tmp_path, CONTACTS, Choices({"Kontakt": None}, confirmed=True))


@pytest.mark.parametrize("name", ["", "How can we reach you? Please do not forget the country code of your number"])
def test_a_column_without_a_short_name_that_seems_to_hold_contacts_needs_one(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with pytest.raises(CommandError) as refused:
        _begin(settings, store, tmp_path, CONTACTS.replace("Kontakt", name), Choices(confirmed=True))
    assert str(refused.value).endswith("addresses: (no name). First give each column a short name in the file")
    assert "(no name) is left out, but seems to hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ana@example.com,+34612345678\nbo@example.com,+34612345679\n",
         "line 1 of the file seems to hold values, and not the names of the columns: insert a line above it"),
        ("Nummer,Ort\n+34612345678,Bilbao\n",
         '--map "COLUMN=Contact.phone" or --map "COLUMN=Contact.email"; line 1 has Nummer, Ort. If line 1 holds values, '),
        ("Email:Phone\na@x.org:1\n", "line 1 has Email:Phone. If it has several columns, name what separates them, --delimiter"),
        ("", "expected a header: the file is empty"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\n", "this is a file of vCards (.vcf), and not a CSV file; open it and save it as"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "this is an old Excel workbook (.xls), and not a CSV file; open it and save it as"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_customers_is_refused_with_what_to_do(
    settings: Settings, store: str, tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises((CommandError, FileRefused), match=re.escape(message)) as refused:
        _begin(settings, store, tmp_path, content, Choices(confirmed=True))
    assert "34612345678" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("Email,Phone,Country\n" + "a@x.org,2125550123,DE\n" * 3, "--country DE"),
        ("Email,Phone,Country\n" + "a@x.org,2125550123,Deutschland\n" * 3, "by its code, for example --country DE"),
        ("Email,Phone\n" + "a@firma.example.fr,2125550123\n" * 3, "--country FR"),
        ("Email,Phone\n" + "a@firma.co.uk,212-555-0123\n" * 3, "--country GB"),
        ("Email,Phone\n" + "a@firma.example.de,-3055501000\n" * 3, "--country DE"),
    ],
)
def test_numbers_that_would_be_read_as_those_of_the_usa_are_named_if_their_rows_name_another_country(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, shown: str
) -> None:
    _begin(settings, store, tmp_path, content, Choices(confirmed=True))
    output = capsys.readouterr().out
    assert "3 of the first 3 phone numbers have no + and would be read as numbers of the USA" in output
    assert shown in output


@pytest.mark.parametrize(
    "content",
    [
        "Email,Phone,Country\n" + "a@x.org,2125550123,USA\n" * 3,
        "Email,Phone,Country\n" + "a@firma.de,2125550123,United States\n" * 3,
        "Email,Phone,Country\n" + "a@x.org,8765550123,JM\n" * 3,
        "Email,Phone\n" + "a@x.com.jm,8765550123\n" * 3,
        "Email,Phone\n" + "a@x.io,2125550123\n" * 3,
        "Email,Phone\n" + "a@x.org,2125550123\n" * 3,
        "Email,Phone\n" + "a@x.de,+12125550123\n" * 3,
        "Email,Phone\n" + "a@x.de,2125550123\n" * 2,
        "Email,Phone\n" + "a@x.de,2125550123\n" * 3 + "a@x.de,+4930901820\n" * 40,
    ],
)
def test_numbers_of_the_usa_and_a_few_others_are_not_named(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    _begin(settings, store, tmp_path, content, Choices(confirmed=True))
    assert "USA" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Email,Phone,Country\n" + "a@x.org,0151 23456789,DE\n" * 3, "name it: --country DE"),
        ("Email,Phone\n" + "a@x.fr,06 12 34 56 78\n" * 3, "name it: --country FR"),
        ("Email,Phone\n" + "a@x.org,020 7946 0958\n" * 3, "for example --country DE"),
        ("Email,Phone,Country\n" + "a@x.org,0151 23456789,DE\n" * 2, ""),
        ("Email,Phone,Country\n" + "a@x.org,+49 151 23456789,DE\n" * 3, ""),
        ("Email,Phone\n" + "a@x.org,n/a\n" * 3, ""),
    ],
)
def test_numbers_that_nobody_can_read_without_their_country_are_named_before_they_are_ignored(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    _begin(settings, store, tmp_path, content, Choices(confirmed=True))
    output = capsys.readouterr().out
    message = (
        "3 of the first 3 phone numbers have no + and would be ignored, since nothing says of which country they are."
    )
    assert (message in output) == bool(said)
    assert said in output


def test_with_a_country_nothing_is_said_of_the_usa(
    settings: Settings, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "Email,Phone,Country\n" + "a@x.org,2125550123,DE\n" * 3
    _begin(settings, store, tmp_path, content, Choices(options=ImportOptions(country="DE"), confirmed=True))
    assert "USA" not in capsys.readouterr().out


def test_a_sheet_belongs_to_a_workbook(settings: Settings, store: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"--sheet: expected a workbook \(.xlsx\)"):
        _begin(settings, store, tmp_path, CONTACTS, Choices(sheet="People"))


@pytest.mark.parametrize(
    ("name", "code"), [("DE", "DE"), (" gb ", "GB"), ("uk", "GB"), ("XX", None), ("Germany", None), ("", None)]
)
def test_a_country_is_named_by_its_code_and_the_uk_by_its_usual_one_too(name: str, code: str | None) -> None:
    assert country_code(name) == code
