"""`profile-lookup export --format csv`: safe to open in a spreadsheet, and imported as it was exported."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from profile_lookup.archives.wire.lines import ArchivedProfile
from profile_lookup.commands.export_csv import Columns, csv_lines
from profile_lookup.identity.profile import TraitName
from tests.program.conftest import command

BYTE_ORDER_MARK = "\ufeff"
FORMULA = '=HYPERLINK("http://evil.example")'
PEOPLE = [
    ["email", "phone", "phone 2", "first name", "city", "street"],
    ["ann@example.com", "+13175556789", "+4930901820", "'=1", "'-5", "#N/A and #NAME?"],
    ["'+bo@example.com,bo@work.example", "", "+13175556780", f"'{FORMULA}", "'@Bonn", "-5"],
    ["''cy@example.com", "(317) 555-6781", "", "'+1+1", "'tis", "'''=2"],
]


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _export(database_url: str, directory: Path, store: str, *options: str) -> str:
    done = command("export", "--store", store, *options, DATABASE_URL=database_url, DATA_DIR=directory)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _import(database_url: str, directory: Path, store: str, content: str) -> None:
    file = directory / "people.csv"
    file.write_text(content, newline="")
    done = command("import", str(file), "--store", store, "--yes", DATABASE_URL=database_url, DATA_DIR=directory)
    assert done.returncode == 0, done.stderr


def _people(archive: str) -> Sequence[object]:
    """Return the identifiers and traits of each profile in an archive, without IDs and times."""
    profiles = map(json.loads, archive.splitlines()[1:])
    return sorted(
        (
            sorted((each["idType"], each["value"]) for each in profile["identifiers"]),
            sorted((each["name"], each["value"]) for each in profile["traits"]),
        )
        for profile in profiles
    )


def test_an_export_has_all_phones_and_e_mails_and_is_imported_as_it_was(
    database_url: str, store: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path}
    copy = command("stores", "create", "copy", **settings).stdout.strip()
    written = io.StringIO()
    csv.writer(written).writerows(PEOPLE)
    _import(database_url, tmp_path, store, written.getvalue())
    exported = _export(database_url, tmp_path, store, "--format", "csv")
    assert exported.startswith(BYTE_ORDER_MARK)
    ann, bo, cy = _rows(exported.removeprefix(BYTE_ORDER_MARK))
    assert list(ann)[-4:] == ["phone", "phone 2", "email", "email 2"]
    assert [ann[each] for each in ("phone", "phone 2", "email", "email 2")] == [
        "+13175556789", "+4930901820", "ann@example.com", "",
    ]  # fmt: skip
    assert (bo["email"], bo["email 2"]) == ("'+bo@example.com", "bo@work.example")
    assert cy["email"] == "''cy@example.com"
    assert (ann["Contact.firstName"], ann["Contact.city"]) == ("'=1", "-5")
    assert (bo["Contact.firstName"], bo["Contact.city"], bo["Contact.street"]) == (f"'{FORMULA}", "'@Bonn", "-5")
    assert (cy["Contact.firstName"], cy["Contact.city"], cy["Contact.street"]) == ("'+1+1", "'tis", "'''=2")
    _import(database_url, tmp_path, copy, exported)
    assert _people(_export(database_url, tmp_path, copy)) == _people(_export(database_url, tmp_path, store))
    raw = _rows(_export(database_url, tmp_path, store, "--format", "csv", "--raw"))
    assert next(iter(raw[0])) == "id"
    assert [row["Contact.firstName"] for row in raw] == ["=1", FORMULA, "+1+1"]
    refused = command("export", "--store", store, "--raw", **settings)
    assert (refused.returncode, "--format csv" in refused.stderr) == (2, True)


def test_values_that_are_no_texts_are_written_as_json() -> None:
    time = "2026-01-15T10:15:30.000001Z"
    traits = {("Contact", "city"): 'a "b",\r\nü', ("Billing", "codes"): ["ß", 1], ("Billing", "isPaid"): False}
    columns = Columns({TraitName(*name): False for name in [*traits, ("Billing", "seats")]}, {"phone": 1})
    profile = ArchivedProfile.model_validate_json(
        json.dumps(
            {
                "id": "mem_profile_00000000000000000000000000",
                "identifiers": [],
                "traits": [
                    {"group": group, "name": name, "value": value, "writtenAt": time}
                    for (group, name), value in traits.items()
                ],
                "createdAt": time,
                "aliases": [],
                "events": [],
            }
        )
    )
    assert profile.id == UUID(int=0)
    first, line_of = csv_lines(columns, is_raw=False)
    read = list(csv.reader(io.StringIO((first + line_of(profile)).decode("utf-8-sig"), newline="")))
    assert read == [
        ["id", "Contact.city", "Billing.codes", "Billing.isPaid", "Billing.seats", "phone"],
        ["mem_profile_00000000000000000000000000", 'a "b",\r\nü', '["ß", 1]', "false", "", ""],
    ]
