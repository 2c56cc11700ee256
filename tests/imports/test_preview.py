"""POST …/Profiles/Imports/Preview: how a file would be read, and what would become of its first rows."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from profile_lookup.database.pool import Database
from profile_lookup.imports.dry_runs.file_beginning import MAX_BEGINNING
from profile_lookup.imports.dry_runs.first_rows import MAX_PREVIEWED
from tests.conftest import change_settings, make_profile
from tests.database.contents import contents

FILES = Path(__file__).parent / "files"
CSV = {"Content-Type": "text/csv"}


async def preview(client: httpx.AsyncClient, store_id: str, content: str | bytes, **options: str) -> httpx.Response:
    path = f"/v1/Stores/{store_id}/Profiles/Imports/Preview"
    return await client.post(path, content=content, params=options, headers=CSV)


async def previewed(client: httpx.AsyncClient, store_id: str, content: str | bytes, **options: str) -> dict[str, Any]:
    answer = await preview(client, store_id, content, **options)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_first_rows_are_previewed_and_nothing_is_written(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await make_profile(client, store_id, email="a@example.com")
    await make_profile(client, store_id, phone="+13175556789")
    rows = ["c@example.com,,1", "C@example.com,no number,", "a@example.com,3175556789,", "nobody,,", "n/a,+4930901820,"]
    before = await contents(database)
    answer = await previewed(client, store_id, "\n".join(["E-mail;Phone;Points".replace(";", ","), *rows]))
    assert (answer["encoding"], answer["delimiter"]) == ("utf-8", ",")
    assert answer["columns"] == [
        {"columnName": "E-mail", "traitGroup": "Contact", "traitName": "email", "confidence": 0.75},
        {"columnName": "Phone", "traitGroup": "Contact", "traitName": "phone", "confidence": 0.67},
        {"columnName": "Points", "confidence": 0},
    ]
    assert [(row["line"], row["outcome"]) for row in answer["rows"]] == [
        (2, "create"), (3, "update"), (4, "merge"), (5, "refused"), (6, "create")
    ]  # fmt: skip
    reasons = [row["cells"] for row in answer["rows"]]
    assert [len(each) for each in reasons] == [0, 1, 0, 1, 1]
    assert reasons[1][0].startswith("Phone: expected")
    assert reasons[4] == ["E-mail: a word that stands for no value"]
    assert "example.com" not in str(answer)
    assert await contents(database) == before


async def test_values_that_people_share_are_previewed_as_they_would_be_imported(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await change_settings(client, store_id, chat={"enforceUnique": False})
    await make_profile(client, store_id, chat="one")
    for name in "ab":
        await make_profile(client, store_id, email=f"{name}@example.com")
    for name in "ab":
        await make_profile(client, store_id, email=f"{name}@example.com", chat="two")
    answer = await previewed(client, store_id, "chat,email\none,\ntwo,\ntwo,a@example.com\n")
    assert [row["outcome"] for row in answer["rows"]] == ["update", "create", "update"]


async def test_the_encoding_the_delimiter_and_the_country_of_a_file_can_be_named(
    client: httpx.AsyncClient, store_id: str
) -> None:
    content = (FILES / "excel-de.csv").read_bytes()
    refused = await preview(client, store_id, content)
    assert (refused.status_code, refused.json()["code"]) == (400, 520046)
    assert "cp1252" in refused.json()["message"]
    answer = await previewed(client, store_id, content, encoding="cp1252", country="DE", delimiter=";")
    assert (answer["encoding"], answer["delimiter"]) == ("cp1252", ";")
    assert [row["outcome"] for row in answer["rows"]] == ["create"]


async def test_the_last_line_of_a_beginning_is_not_read(client: httpx.AsyncClient, store_id: str) -> None:
    row = 'ä@example.com,"one\ntwo"\n'
    whole = ("E-mail,First name\n" + row * MAX_BEGINNING).encode()
    for cut in range(len(row) + 1):  # within a character, within quotes, at a line's end
        content = b"E-mail,First name" + b" " * cut + whole[len("E-mail,First name") :]
        answer = await previewed(client, store_id, content[:MAX_BEGINNING])
        assert len(answer["rows"]) == MAX_PREVIEWED
        assert {row["outcome"] for row in answer["rows"]} == {"create", "update"}
    few = ("E-mail\na@example.com\n" + "b" * MAX_BEGINNING).encode()[:MAX_BEGINNING]
    assert [row["line"] for row in (await previewed(client, store_id, few))["rows"]] == [2]


async def test_columns_that_identify_nobody_are_listed_without_rows(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await previewed(client, store_id, "Points,City\n1,Bonn\n")
    assert [each["columnName"] for each in answer["columns"]] == ["Points", "City"]
    assert answer["rows"] == []


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 400, 520046), (b"x" * (MAX_BEGINNING + 1), 413, 20413), (b"%PDF-1.7", 400, 520046)],
)
async def test_what_is_no_beginning_of_a_file_is_refused(
    client: httpx.AsyncClient, store_id: str, content: bytes, status: int, code: int
) -> None:
    answer = await preview(client, store_id, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_unknown_parameters_of_a_preview_are_refused(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await preview(client, store_id, "E-mail\n", seperator=";")
    assert answer.json()["message"] == "query: expected only delimiter, encoding, country"
    answer = await preview(client, store_id, "E-mail\n", country="XX")
    assert answer.json()["message"] == "country: Input should be a country by ISO 3166, in two capital letters"


@pytest.mark.parametrize("title", ["Phone", "E-mail,,", '"E-mail"'])
async def test_a_title_of_one_word_is_no_header_if_a_header_follows(
    client: httpx.AsyncClient, store_id: str, title: str
) -> None:
    answer = await previewed(client, store_id, f"{title}\nFirst name,Phone,E-mail\nAnn,,ann@example.com\n")
    assert [each["columnName"] for each in answer["columns"]] == ["First name", "Phone", "E-mail"]
    assert [(row["line"], row["outcome"]) for row in answer["rows"]] == [(3, "create")]


async def test_a_single_column_is_a_header(client: httpx.AsyncClient, store_id: str) -> None:
    answer = await previewed(client, store_id, "E-mail\nann@example.com\nbo@example.com\n")
    assert [each["columnName"] for each in answer["columns"]] == ["E-mail"]
    assert [row["line"] for row in answer["rows"]] == [2, 3]
