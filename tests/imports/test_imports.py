"""POST and GET …/Profiles/Imports, and the results of a file's rows."""

import asyncio
import csv
import io
import random
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from benchmarks.final_state import differences, final_state
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.errors import IdentifierConflict
from profile_lookup.imports import row_reader as reading
from profile_lookup.imports import row_results as reporting
from profile_lookup.imports.refused_rows import as_csv
from profile_lookup.web import ids
from tests.conftest import PATIENCE, WAITING, change_settings, finished, look_up, make_profile, make_store
from tests.database.contents import contents
from tests.database.stores import lock_rules_of
from tests.imports.conftest import create, ended, ignored_cells, imported, mappings, path_of, upload
from tests.imports.test_column_mapping import NO_NUMBER

WESTERN = (
    "It looks like Windows-1252, in which Excel writes CSV files for western languages: "
    'save it as "CSV UTF-8" (in Excel: File, Save As, CSV UTF-8), or name its encoding: cp1252'
)
PEOPLE = "E-mail,Phone,First\na@example.com,317-555-6789,Ann\nb@example.com,+4930123456,Bob\n"


async def test_every_row_creates_a_profile_that_lookup_finds(client: httpx.AsyncClient, store_id: str) -> None:
    answer, refused = await imported(client, store_id, PEOPLE)
    assert answer["status"] == "COMPLETED"
    assert answer["summary"] == {"errors": 0, "warnings": 0}
    assert answer["progress"] == {
        "rowsDone": 2, "rowsTotal": 2, "created": 2, "updated": 0, "merged": 0, "refused": 0,
        "cellsIgnored": 0, "evicted": 0,
    }  # fmt: skip
    assert (answer["filename"], answer["fileSize"]) == ("people.csv", len(PEOPLE))
    assert answer["columnMappings"] == mappings()
    assert refused == []
    assert "refusedRowsUrl" not in answer
    (ann,) = await look_up(client, store_id, "phone", "+13175556789")
    assert await look_up(client, store_id, "email", "A@Example.com") == [ann]
    profile = (await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}")).json()
    assert profile["traits"]["Contact"] == {"email": "a@example.com", "phone": "317-555-6789", "firstName": "Ann"}


async def test_a_cell_that_holds_a_placeholder_costs_the_cell_and_not_the_row(
    client: httpx.AsyncClient, store_id: str
) -> None:
    content = "E-mail,Phone,First\nn/a,3175556789,Ann\nN/A,+4930123456,Null\nb@example.com,-,Bob\nnone,unknown,Cy\n"
    answer, refused = await imported(client, store_id, content)
    assert answer["progress"] == {
        "rowsDone": 4, "rowsTotal": 4, "created": 3, "updated": 0, "merged": 0, "refused": 1,
        "cellsIgnored": 3, "evicted": 0,
    }  # fmt: skip
    assert [line.split(",")[0] for line in refused] == ["5"]  # nothing in it identifies
    (ann,) = await look_up(client, store_id, "phone", "+13175556789")
    profile = (await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}")).json()
    assert profile["traits"]["Contact"] == {"email": "n/a", "phone": "3175556789", "firstName": "Ann"}
    identifiers = (await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}/Identifiers")).json()["identifiers"]
    assert [each["idType"] for each in identifiers] == ["phone"]


async def test_a_bad_cell_is_ignored_and_reported_if_its_row_identifies_somebody(
    client: httpx.AsyncClient, store_id: str
) -> None:
    content = "E-mail,Phone,First\nnobody,3175556789,Ann\nnobody,,Bob\nnobody,no number,Cy\n"
    answer, refused = await imported(client, store_id, content)
    assert (answer["progress"]["created"], answer["progress"]["cellsIgnored"]) == (1, 1)
    assert [line.split(",")[:2] for line in await ignored_cells(client, answer)] == [["2", "E-mail"]]
    assert [line.split(",")[:2] for line in refused] == [["3", "E-mail"], ["4", ""]]
    (ann,) = await look_up(client, store_id, "phone", "3175556789")
    profile = (await client.get(f"/v1/Stores/{store_id}/Profiles/{ann}")).json()
    assert profile["traits"]["Contact"] == {"phone": "3175556789", "firstName": "Ann"}


async def test_reports_mark_the_name_of_a_column_that_a_spreadsheet_would_run(
    client: httpx.AsyncClient, store_id: str
) -> None:
    columns = {"=1+1": "phone", "E-mail": "email"}
    content = "=1+1,E-mail\nno number,ann@example.com\nno number,\n"
    answer, refused = await imported(client, store_id, content, mappings(**columns))
    (cell,) = await ignored_cells(client, answer)
    (row,) = refused
    assert cell.startswith("2,'=1+1,")
    assert row.startswith("3,'=1+1,")


async def test_only_the_first_ignored_cells_are_reported(
    client: httpx.AsyncClient, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RECORDS_PER_STEP", 2)
    monkeypatch.setattr(reporting, "MAX_REPORTED", 3)
    answer, _ = await imported(client, store_id, "E-mail,Phone,First\n" + "a@example.com,x,\n" * 7)
    assert answer["progress"]["cellsIgnored"] == 7
    assert [line.split(",")[0] for line in await ignored_cells(client, answer)] == ["2", "3", "4"]


async def test_the_delimiter_the_encoding_and_the_country_of_a_file_can_be_named(
    client: httpx.AsyncClient, store_id: str
) -> None:
    content = "E-mail:Phone:First\na@example.com:030 901820:Jürgen\nb@example.com:3175556789:\n".encode("cp1252")
    answer, refused = await imported(
        client, store_id, content, options={"delimiter": ":", "encoding": "windows-1252", "country": "DE"}
    )
    assert (answer["status"], answer["progress"]["created"], refused) == ("COMPLETED", 2, [])
    (person,) = await look_up(client, store_id, "phone", "+4930901820")
    profile = (await client.get(f"/v1/Stores/{store_id}/Profiles/{person}")).json()
    assert profile["traits"]["Contact"] == {
        "email": "a@example.com", "phone": "+4930901820", "firstName": "Jürgen"
    }  # fmt: skip
    assert await look_up(client, store_id, "phone", "+13175556789") == []


async def test_evicted_identifiers_are_counted(client: httpx.AsyncClient, store_id: str) -> None:
    await change_settings(client, store_id, phone={"limit": 1}, email={"limit": 1, "limitPolicy": "lifo"})
    rows = ["a@example.com,3175556789,", "a@example.com,3175556780,", "a@example.com,n/a,", "b@example.com,3175556780,"]
    answer, _ = await imported(client, store_id, "\n".join(["E-mail,Phone,First", *rows]))
    assert answer["progress"] == {
        "rowsDone": 4, "rowsTotal": 4, "created": 1, "updated": 3, "merged": 0, "refused": 0,
        "cellsIgnored": 1, "evicted": 2,
    }  # fmt: skip
    assert await look_up(client, store_id, "phone", "3175556789") == []
    assert len(await look_up(client, store_id, "phone", "3175556780")) == 1
    assert await look_up(client, store_id, "email", "b@example.com") == []


async def test_all_refused_rows_are_counted_and_the_first_ones_reported(
    client: httpx.AsyncClient, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RECORDS_PER_STEP", 2)
    monkeypatch.setattr(reporting, "MAX_REPORTED", 3)
    answer, refused = await imported(client, store_id, "E-mail,Phone,First\n" + "x\n" * 7)
    assert answer["summary"]["errors"] == answer["progress"]["rowsDone"] == 7
    assert [line.split(",")[0] for line in refused] == ["2", "3", "4"]


async def test_rows_update_and_merge_like_created_profiles(client: httpx.AsyncClient, store_id: str) -> None:
    first = await make_profile(client, store_id, email="a@example.com", firstName="Old")
    second = await make_profile(client, store_id, phone="+13175556789")
    content = "E-mail,Phone,First\na@example.com,,New\na@example.com,3175556789,\nc@example.com,,\nC@example.com,,Cy\n"
    answer, _ = await imported(client, store_id, content)
    assert answer["progress"] == {
        "rowsDone": 4, "rowsTotal": 4, "created": 1, "updated": 2, "merged": 1, "refused": 0,
        "cellsIgnored": 0, "evicted": 0,
    }  # fmt: skip
    assert await look_up(client, store_id, "phone", "+13175556789") == [first]
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{second}")
    assert moved.status_code == 301
    traits = (await client.get(f"/v1/Stores/{store_id}/Profiles/{first}")).json()["traits"]["Contact"]
    assert traits["firstName"] == "New"  # an empty cell changes nothing


async def test_all_good_rows_are_imported_and_each_bad_one_is_explained_without_its_values(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    group = {
        "displayName": "More",
        "traits": {
            "age": {"dataType": "NUMBER"},
            "member": {"dataType": "BOOLEAN"},
            "tags": {"dataType": "ARRAY"},
            "ref": {
                "dataType": "STRING",
                "idTypePromotion": "ref",
                "validationRule": {"ruleType": "STRING", "pattern": "^R"},
            },
        },
    }
    # This type is unique, but not a matching rule: its values can neither be shared nor cause a merge.
    assert (await change_settings(client, store_id, ref={"enforceUnique": True}))["status"] == "COMPLETED"
    accepted = await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=group)
    assert accepted.status_code == 202
    columns = mappings(email="email", phone="phone", first="firstName")
    columns += [{"columnName": name, "traitGroup": "More", "traitName": name} for name in group["traits"]]
    file = io.StringIO()
    file.write("\ufeff\r\nemail;phone;unmapped;first;age;member;tags;ref\r\n")
    writer = csv.writer(file, delimiter=";")
    writer.writerow(["good1@example.com", "317-555-0101", "x", "Sesame;\r\nName", "42", "TRUE", '["a"]', "R1"])
    writer.writerow(["good1@example.com", "not a sesame number", "", "", "", "", "", ""])
    writer.writerow(["good1@example.com", "", "", "", "sesame", "", "", ""])
    writer.writerow(["good1@example.com", "", "", "", "", "sesame", "", ""])
    writer.writerow(["good1@example.com", "", "", "", "", "", "sesame", ""])
    writer.writerow(["good1@example.com", "", "", "", "", "", "", "sesame"])
    writer.writerow(["", "", "sesame", "Sesamename", "", "", "", ""])
    writer.writerow(["other@example.com", "", "", "", "", "", "", "R1"])
    writer.writerow(["good1@example.com", "", ""])
    writer.writerow(["sesame@example.com", "", "", "", "", "", "", "", "sesame"])
    writer.writerow(["good1@example.com", "", "", "s" * 1025, "", "", "", ""])
    writer.writerow(["sesame@example.com" + "m" * 255, "", "", "", "", "", "", ""])
    file.write('"sesame@example.com"sesame;;;;;;;\r\n\r\n')
    file.write(f"sesame@example.com;{'s' * 200_000};;;;;;\r\n")
    writer.writerow(["good2@example.com", "", "", "", "", "", "[]", "R2"])
    answer, refused = await imported(client, store_id, file.getvalue(), columns)
    assert refused == [
        '10,,"expected a value in a column that identifies: email, phone, ref"',
        f'11,ref,"{IdentifierConflict("ref")}"',
        '13,,"expected 8 fields, as the header has; found 9. A field that contains the delimiter must stand in quotes"',
        "15,email,expected at most 255 characters",
        "16,,expected nothing between a closing quote and the delimiter",
        "18,,expected fields of at most 131072 characters",
    ]
    assert await ignored_cells(client, answer) == [
        f'5,phone,"{NO_NUMBER}"',
        "6,age,expected an integer of 32 bits",
        "7,member,expected true or false",
        "8,tags,expected a JSON array",
        "9,ref,expected what the trait's pattern matches",
        '14,first,"expected at most 1024 characters, without NUL or lone surrogates"',
    ]
    assert answer["status"] == "COMPLETED"
    assert answer["summary"] == {"errors": 6, "warnings": 1}
    assert answer["progress"] == {
        "rowsDone": 15, "rowsTotal": 15, "created": 2, "updated": 7, "merged": 0, "refused": 6,
        "cellsIgnored": 6, "evicted": 0,
    }  # fmt: skip
    assert len(await look_up(client, store_id, "email", "good1@example.com")) == 1
    assert await look_up(client, store_id, "ref", "R2") == await look_up(client, store_id, "email", "good2@example.com")
    assert "sesame" not in str([rows for name, rows in (await contents(database)).items() if name != "profile"])


async def test_the_refused_rows_can_be_downloaded_as_a_file(client: httpx.AsyncClient, store_id: str) -> None:
    content = "E-mail,Phone,First\n,x,\n"
    created = await create(client, store_id, len(content))
    await upload(client, created["url"], content.encode())
    answer = await ended(client, store_id, created)
    refused = await client.get(answer["refusedRowsUrl"])
    assert refused.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = f"{created['importId']}-refused-rows.csv"
    assert refused.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    (row,) = csv.DictReader(io.StringIO(refused.text))
    assert (row["line"], row["column"]) == ("2", "Phone")


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"E-mail,Phone\na@example.com,x\n", 'file: line 1: expected a header with the column "First"'),
        (b"E-mail,Phone,First\na@example.com,,\xe9\n", f"file: line 2, byte 35 of the file: expected UTF-8. {WESTERN}"),
        (b'E-mail,Phone,First\na@example.com,,\n"b@example.com,,\n', "file: line 3: a quote is opened here that is never closed"),
    ],
)  # fmt: skip
async def test_nothing_is_applied_of_an_unreadable_file(
    client: httpx.AsyncClient, store_id: str, database: Database, content: bytes, detail: str
) -> None:
    created = await create(client, store_id, len(content))
    await upload(client, created["url"], content)
    answer = await ended(client, store_id, created)
    assert (answer["status"], answer["error"]["detail"], answer["error"]["code"]) == ("FAILED", detail, 520046)
    assert answer["progress"] == {
        "rowsDone": 0, "created": 0, "updated": 0, "merged": 0, "refused": 0, "cellsIgnored": 0, "evicted": 0,
    }  # fmt: skip
    operation = (await client.get(created["statusUrl"])).json()
    assert (operation["status"], operation["error"]) == ("FAILED", answer["error"])
    assert (await client.get(f"/v1/Stores/{store_id}/Profiles")).json()["profiles"] == []
    assert (await contents(database))["operation_piece"] == []


async def test_the_operation_waits_for_the_file_and_then_names_the_import(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    created = await create(client, store_id, len(PEOPLE))
    pending = (await client.get(path_of(store_id, created))).json()
    assert pending["status"] == "PENDING"
    assert pending["createdAt"] == pending["updatedAt"] == created["createdAt"]
    assert (await client.get(created["statusUrl"])).json()["status"] == "PENDING"
    await upload(client, created["url"], PEOPLE.encode())
    assert (await ended(client, store_id, created))["status"] == "COMPLETED"
    operation = (await client.get(created["statusUrl"])).json()
    assert operation["operationId"] == created["operationId"]
    assert operation["result"] == {"type": "RESOURCE_ID", "id": created["importId"]}
    assert (await contents(database))["operation_piece"] == []


async def test_an_import_fails_if_its_file_is_not_uploaded_in_time(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    created = await create(client, store_id, 1)
    await _expire_upload(database)
    answer = await ended(client, store_id, created)
    assert (answer["status"], answer["error"]["detail"]) == (
        "FAILED",
        "file: expected an upload before the url expired",
    )
    assert (await upload(client, created["url"], b"x")).status_code == 403


async def test_an_import_that_waits_for_its_file_delays_no_other_operation(
    client: httpx.AsyncClient, store_id: str
) -> None:
    await create(client, store_id, 1)
    answer, _ = await imported(client, store_id, PEOPLE)
    assert answer["status"] == "COMPLETED"
    assert (await change_settings(client, store_id, chat={"normalization": "email"}))["status"] == "COMPLETED"


async def test_rows_keep_their_order_across_steps(client: httpx.AsyncClient, store_id: str) -> None:
    rows = [f"{number // 2}@example.com,,{number}" for number in range(2 * reading.ROWS_PER_STEP + 20)]
    rows[100:100] = ["", "no,e-mail"] * 10
    answer, refused = await imported(client, store_id, "\n".join(["E-mail,Phone,First", *rows]))
    half = reading.ROWS_PER_STEP + 10
    assert answer["progress"] == {
        "rowsDone": 2 * half + 10, "rowsTotal": 2 * half + 10, "created": half, "updated": half, "merged": 0,
        "refused": 10, "cellsIgnored": 0, "evicted": 0,
    }  # fmt: skip
    assert answer["summary"] == {"errors": 10, "warnings": 10}
    assert [line.split(",")[0] for line in refused] == [str(number) for number in range(103, 123, 2)]
    (last,) = await look_up(client, store_id, "email", f"{half - 1}@example.com")
    traits = (await client.get(f"/v1/Stores/{store_id}/Profiles/{last}")).json()["traits"]["Contact"]
    assert traits["firstName"] == str(2 * half - 1)


async def test_rows_are_never_earlier_than_the_rows_of_previous_steps(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    created = await create(client, store_id, len(PEOPLE))
    async with database.transaction() as connection:
        progress = '{"rows_done": 1, "time": "2099-01-01T00:00:00+00:00"}'
        await connection.execute(
            text("update operation set progress = cast(:p as jsonb) where id = :id"),
            {"p": progress, "id": ids.decoded(created["importId"])},
        )
    await upload(client, created["url"], PEOPLE.encode())
    assert (await ended(client, store_id, created))["status"] == "COMPLETED"
    async with database.statements() as connection:
        times = (
            await connection.execute(text("select distinct date_part('year', added_at) from identifier"))
        ).scalars()
        assert list(times) == [2099]


def _rows_about_few_people(count: int, seed: int) -> list[tuple[str, str, str, str]]:
    """Return e-mail, phone, chat and city of a dozen people, who merge into fewer and fewer."""
    chosen = random.Random(seed)
    return [
        (
            chosen.choice(["", f"{chosen.randrange(12)}@example.com"]),
            chosen.choice(["", "", f"+1317555{chosen.randrange(30):04}"]),
            f"chat-{chosen.randrange(40)}",
            f"city {number}",
        )
        for number in range(count)
    ]


async def test_overlapping_steps_leave_the_same_data_as_sequential_rows(
    client: httpx.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_PER_STEP", 4)
    columns = {"E-mail": "email", "Phone": "phone", "chat": "chat", "City": "city"}
    rows = _rows_about_few_people(300, seed=1)
    stores = [await make_store(client, name) for name in ("imported", "single")]
    for store in stores:
        await change_settings(client, store, chat={"enforceUnique": False})
    answer, _ = await imported(client, stores[0], as_csv([list(columns), *rows]), mappings(**columns))
    profiles = [
        {"traits": {"Contact": {name: cell for name, cell in zip(columns.values(), row, strict=True) if cell}}}
        for row in rows
    ]
    batch = await finished(
        client, await client.put(f"/v1/Stores/{stores[1]}/Profiles/Bulk", json={"profiles": profiles})
    )
    assert (answer["status"], batch["status"]) == ("COMPLETED", "COMPLETED")
    assert answer["progress"]["merged"] > 10
    connection = await asyncpg.connect(database_url)
    states = [await final_state(connection, ids.decoded(store) or UUID(int=0)) for store in stores]
    await connection.close()
    assert list(differences(*states)) == []


async def test_overlapping_steps_and_single_requests_about_the_same_people_succeed(
    client: httpx.AsyncClient, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_PER_STEP", 4)
    columns = {"E-mail": "email", "Phone": "phone", "chat": "chat", "City": "city"}
    content = as_csv([list(columns), *_rows_about_few_people(300, seed=2)])
    importing = asyncio.create_task(imported(client, store_id, content, mappings(**columns)))
    for email, phone, _, _ in _rows_about_few_people(100, seed=3):
        if email and phone:
            await make_profile(client, store_id, email=email, phone=phone)
    answer, _ = await importing
    assert (answer["status"], answer["progress"]["rowsDone"]) == ("COMPLETED", 300)


async def test_rows_with_more_identifiers_than_fit_in_a_transaction_are_split_over_several(
    client: httpx.AsyncClient, store_id: str
) -> None:
    group = {"displayName": "More", "traits": {"chats": {"dataType": "ARRAY", "idTypePromotion": "chat"}}}
    await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=group)
    columns = [{"columnName": "c", "traitGroup": "More", "traitName": "chats"}, *mappings(Mail="email")]
    lists = [str([f"{row}-{item}" for item in range(100)]).replace("'", '""') for row in range(40)]
    content = "\n".join(["c,Mail", *[f'"{each}",' for each in lists]])
    answer, _ = await imported(client, store_id, content, columns)
    assert (answer["status"], answer["progress"]["created"]) == ("COMPLETED", 40)
    assert len(await look_up(client, store_id, "chat", "39-99")) == 1


async def test_changed_rules_apply_from_the_next_step(
    client: httpx.AsyncClient, store_id: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is also true for rows that were already read by the old rules."""
    monkeypatch.setattr(reading, "ROWS_PER_STEP", 1)
    capitals = [f"{number}@EXAMPLE.com" for number in range(3)]
    content = "\n".join(["E-mail,Phone,First", *(f"{each},," for each in capitals)])
    answer = await _imported_while_rules_change(
        client, store_id, database, content, mappings(),
        "update store set settings = replace(settings::text, '\"normalization\": \"email\"', '\"normalization\": \"none\"')::jsonb",
    )  # fmt: skip
    assert (answer["status"], answer["progress"]["created"]) == ("COMPLETED", len(capitals))
    assert [len(await look_up(client, store_id, "email", each)) for each in capitals] == [1] * len(capitals)


async def test_a_mapping_that_no_longer_fits_the_store_ends_the_import(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    group = {"displayName": "More", "traits": {"x": {"dataType": "STRING"}}}
    await client.post(f"/v1/ControlPlane/Stores/{store_id}/TraitGroups", json=group)
    columns = [*mappings(Mail="email"), {"columnName": "x", "traitGroup": "More", "traitName": "x"}]
    answer = await _imported_while_rules_change(
        client, store_id, database, "Mail,x\na@example.com,1\n", columns, "delete from trait_group where name = 'More'"
    )
    assert answer["status"] == "FAILED"
    assert answer["error"]["detail"] == "columnMappings.1.traitGroup: no such trait group; expected one of Contact"
    assert answer["progress"]["rowsDone"] == 0


async def _imported_while_rules_change(
    client: httpx.AsyncClient,
    store_id: str,
    database: Database,
    content: str,
    columns: list[dict[str, str]],
    change: str,
) -> dict[str, Any]:
    """Change the rules while the first rows, which were read by the old rules, wait for the locks."""
    created = await create(client, store_id, len(content), columns)
    async with database.transaction() as connection:
        await lock_rules_of(connection, store_id)
        await upload(client, created["url"], content.encode())
        async with asyncio.timeout(PATIENCE):
            while not await connection.scalar(text(WAITING)):
                await asyncio.sleep(0.01)
        await connection.execute(text(change))
        await connection.execute(text("update store set revision = revision + 1"))
    return await ended(client, store_id, created)


@pytest.mark.parametrize("moment", ["waiting", "working"])
async def test_deleting_a_store_deletes_its_imports(
    client: httpx.AsyncClient, store_id: str, database: Database, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(reading, "ROWS_PER_STEP", 1)
    content = "E-mail,Phone,First\nx,y\n" + "".join(f"{number}@example.com,,\n" for number in range(400))
    created = await create(client, store_id, len(content))
    if moment == "working":
        await upload(client, created["url"], content.encode())
        await _wait_for_rows(client, store_id, created)
    deleted = await client.delete(f"/v1/ControlPlane/Stores/{store_id}")
    assert (await upload(client, created["url"], content.encode())).status_code == 403
    assert (await client.get(path_of(store_id, created))).status_code == 404
    assert (await finished(client, deleted))["status"] == "COMPLETED"
    if moment == "waiting":
        await _expire_upload(database)
    async with asyncio.timeout(PATIENCE):
        while (await client.get(created["statusUrl"])).json()["status"] != "FAILED":
            await asyncio.sleep(0.05)
    left = {name for name, rows in (await contents(database)).items() if rows}
    assert left == {"account", "credential", "operation", "signing_key"}


async def test_deleting_a_store_deletes_the_files_of_imports_that_have_not_begun(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    await create(client, store_id, 1)
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "insert into operation_piece select account_id, id, n, '' from operation, generate_series(1, 120) n"
                " where completed_at is null"
            )
        )
    await finished(client, await client.delete(f"/v1/ControlPlane/Stores/{store_id}"))
    left = await contents(database)
    assert (left["operation_piece"], left["profile_import"]) == ([], [])


async def test_imports_are_listed_newest_first_in_pages(client: httpx.AsyncClient, store_id: str) -> None:
    created = [(await create(client, store_id, 1))["importId"] for _ in range(3)]
    listed = f"/v1/Stores/{store_id}/Profiles/Imports"
    page = (await client.get(listed, params={"pageSize": 2})).json()
    assert page["imports"] == [created[2], created[1]]
    assert page["meta"]["key"] == "imports"
    rest = (await client.get(listed, params={"pageToken": page["meta"]["nextToken"]})).json()
    assert rest["imports"] == [created[0]]
    assert (await client.get(listed, params={"orderBy": "ASC"})).json()["imports"] == created
    other = await make_store(client, "other")
    assert (await client.get(f"/v1/Stores/{other}/Profiles/Imports")).json()["imports"] == []


async def test_a_page_of_imports_has_at_most_100(client: httpx.AsyncClient, store_id: str) -> None:
    created = [(await create(client, store_id, 1))["importId"] for _ in range(101)]
    page = (await client.get(f"/v1/Stores/{store_id}/Profiles/Imports", params={"pageSize": 1000})).json()
    assert (page["imports"], page["meta"]["pageSize"]) == (created[:0:-1], 100)
    assert "nextToken" in page["meta"]


NO_SUCH_TRAIT = (
    "columnMappings.1.traitName: no such trait in Contact; expected one of chat, city, country, email, firstName, "
    "lastName, phone, postalCode, preferredLanguage, state, street, whatsapp"
)


async def test_an_invalid_import_request_is_refused(
    client: httpx.AsyncClient, store_id: str, database: Database
) -> None:
    prefix = "columnMappings: expected"
    for change, code, message in (
        ({"fileSize": 104_857_601}, 520046, "fileSize: Input should be less than or equal to 104857600"),
        ({"fileSize": 0}, 520046, "fileSize: Input should be greater than or equal to 1"),
        ({"filename": "x" * 256}, 520046, "filename: String should have at most 255 characters"),
        ({"filename": "\0"}, 520046, "filename: String should hold neither NUL characters nor lone surrogates"),
        ({"columnMappings": mappings(A="email")}, 520046, "columnMappings: List should have at least 2 items"),
        ({"columnMappings": mappings(A="email", **{" A ": "phone"})}, 520046, f"{prefix} each columnName once"),
        (
            {"columnMappings": mappings(A="city", B="state")},
            520005,
            f"{prefix} at least one trait that is promoted",
        ),
        ({"columnMappings": mappings(A="email", B="secret")}, 520005, NO_SUCH_TRAIT),
        ({"quote": ";"}, 520046, "quote: Extra inputs are not permitted"),
        ({"delimiter": '"'}, 520046, "delimiter: Input should be one character, but no quote and no line end"),
        ({"encoding": "base64"}, 520046, "encoding: Input should be an encoding such as utf-8, cp1252 or utf-16"),
        ({"country": "XX"}, 520046, "country: Input should be a country by ISO 3166, in two capital letters"),
    ):
        body = {"filename": "people.csv", "fileSize": 10, "columnMappings": mappings()} | change
        refused = await client.post(f"/v1/Stores/{store_id}/Profiles/Imports", json=body)
        assert (refused.status_code, refused.json()["code"]) == (400, code)
        assert refused.json()["message"].startswith(message)
    assert (await contents(database))["profile_import"] == []


async def test_an_unknown_import_is_not_found(client: httpx.AsyncClient, store_id: str) -> None:
    imports = f"/v1/Stores/{store_id}/Profiles/Imports"
    other = await make_store(client, "other")
    import_of_other = (await create(client, other, 1))["importId"]
    for import_id in (ids.EXAMPLE_IMPORT_ID, f"mem_import_0{'l' * 25}", import_of_other):
        for path in (import_id, f"{import_id}/RefusedRows", f"{import_id}/IgnoredCells"):
            answer = await client.get(f"{imports}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, 20404)
    answer = await client.get(f"{imports}/mem_import_x")
    assert (answer.status_code, answer.json()["code"]) == (400, 520046)
    assert answer.json()["message"].startswith("importId: expected mem_import_")


async def _expire_upload(database: Database) -> None:
    """Make the time for the upload end now instead of after an hour."""
    async with database.transaction() as connection:
        await connection.execute(text("update profile_import set upload_until = now()"))
        await connection.execute(text("update operation set waits_until = now() where waits_until is not null"))


async def _wait_for_rows(client: httpx.AsyncClient, store_id: str, created: dict[str, Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.get(path_of(store_id, created))).json()["progress"]["rowsDone"] == 0:
            await asyncio.sleep(0.01)


async def test_people_who_share_a_placeholder_stay_apart(client: httpx.AsyncClient, store_id: str) -> None:
    """150 customers without an e-mail address: each has a profile, and each phone finds its own."""
    phones = [f"+1317555{number:04}" for number in range(150)]
    rows = "".join(f"{'n/a' if number % 3 else 'N/A '},{phone},Guest\r\n" for number, phone in enumerate(phones))
    answer, refused = await imported(client, store_id, f"E-mail,Phone,First\r\n{rows}")
    assert refused == []
    assert answer["progress"] == {
        "rowsDone": 150, "rowsTotal": 150, "created": 150, "updated": 0, "merged": 0, "refused": 0,
        "cellsIgnored": 150, "evicted": 0,
    }  # fmt: skip
    found = [await look_up(client, store_id, "phone", phone) for phone in phones]
    assert all(len(each) == 1 for each in found)
    assert len({each[0] for each in found}) == 150
    kept = await client.get(f"/v1/Stores/{store_id}/Profiles/{found[1][0]}")
    assert kept.json()["traits"]["Contact"]["email"] == "n/a"


async def test_a_row_whose_values_are_all_blocked_is_refused_with_the_reason(
    client: httpx.AsyncClient, store_id: str
) -> None:
    rows = "n/a,555-555-5555,Ada\r\n,-,Bo\r\n,,Cy\r\n"
    _, refused = await imported(client, store_id, f"E-mail,Phone,First\r\n{rows}")
    reason = "expected a value that identifies somebody; blocked:"
    filler = "ten equal digits are typed to fill a field; North America has no such area code"
    assert refused == [
        f'2,,"{reason} E-mail (a word that stands for no value), Phone ({filler})"',
        f"3,,{reason} Phone (a word that stands for no value)",
        '4,,"expected a value in a column that identifies: E-mail, Phone"',
    ]
