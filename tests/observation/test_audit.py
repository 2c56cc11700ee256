"""The audit log says who did what to which profiles, and holds no value."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.audit.audit_log import AuditLog
from profile_lookup.audit.profile_ids import profile_ids_in
from profile_lookup.metrics.catalogue import AUDIT_LINES_LOST
from profile_lookup.settings import Settings, load_settings
from tests.conftest import BASE_URL, make_profile, make_store
from tests.console.visitors import token_in
from tests.program.conftest import command
from tests.serving.conftest import service
from tests.serving.counting_service import CountingProtocol, Service
from tests.serving.lookups import FOUND
from tests.serving.raw_http import answer_on
from tests.waiting import eventually

__all__ = ["service"]

PHONE = "+13175556789"
PROFILE_ID = re.compile("mem_profile_[0-9a-z]{26}")


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"audit": True, "audit_file": tmp_path / "audit.jsonl"})


def records_in(settings: Settings) -> list[dict[str, Any]]:
    assert settings.audit_file is not None
    return [json.loads(line) for line in settings.audit_file.read_text().splitlines()]


async def test_a_record_names_the_caller_the_operation_the_store_and_the_profiles(
    client: httpx.AsyncClient, account: tuple[str, str], settings: Settings
) -> None:
    store_id = await make_store(client)
    first = await make_profile(client, store_id, phone=PHONE)
    second = await make_profile(client, store_id, email="ann@example.com")
    merged = await make_profile(client, store_id, phone=PHONE, email="ann@example.com", lastName=first)
    moved = await client.get(f"/v1/Stores/{store_id}/Profiles/{second}", headers={"X-Request-Id": "sent-1"})
    assert merged == first
    assert moved.status_code == 301
    *_, create, redirect = records_in(settings)
    assert {name: create[name] for name in create if name not in ("time", "requestId")} == {
        "caller": account[0], "operation": "CreateProfile", "status": 202, "storeId": store_id, "profiles": [first],
    }  # fmt: skip
    assert redirect["requestId"] == "sent-1"
    assert redirect["profiles"] == [second, first]
    assert not any(value in json.dumps(records_in(settings)) for value in (PHONE, "3175556789", "ann@example.com"))


async def test_strangers_leave_no_value_in_a_record(client: httpx.AsyncClient, settings: Settings) -> None:
    path = "/v1/Stores/ann@example.com/Profiles/Lookup"
    refused = await client.post(path, json={"idType": "phone", "value": PHONE}, auth=("ann@example.com", "secret"))
    assert refused.status_code == 401
    (record,) = records_in(settings)
    assert record["caller"] is None
    assert "ann" not in json.dumps(record)


async def test_a_caller_who_may_not_use_a_store_is_named(
    client: httpx.AsyncClient, account: tuple[str, str], settings: Settings
) -> None:
    profiles = "/v1/Stores/mem_store_00000000000000000000000000/Profiles"
    assert (await client.get(profiles)).status_code == 404
    assert (await client.post(f"{profiles}/Lookup", json={"idType": "phone", "value": PHONE})).status_code == 404
    assert (await client.post(profiles, json={"traits": {"Contact": {"phone": PHONE}}})).status_code == 404
    assert [record["caller"] for record in records_in(settings)] == [account[0]] * 3


async def test_an_upload_names_its_import_and_no_caller(client: httpx.AsyncClient, settings: Settings) -> None:
    store_id = await make_store(client)
    text = b"phone,mail\n+1 317 555 6789,\n"
    columns = [{"columnName": name, "traitGroup": "Contact", "traitName": name} for name in ("phone", "email")]
    columns[1]["columnName"] = "mail"
    created = await client.post(
        f"/v1/Stores/{store_id}/Profiles/Imports",
        json={"filename": "people.csv", "fileSize": len(text), "columnMappings": columns},
    )
    uploaded = await client.put(created.json()["url"], content=text, auth=("ann@example.com", "secret"))
    assert uploaded.status_code == 200
    record = records_in(settings)[-1]
    assert {name: record[name] for name in ("caller", "operation", "status", "storeId", "importId")} == {
        "caller": None, "operation": "UploadProfilesImport", "status": 200, "storeId": store_id,
        "importId": created.json()["importId"],
    }  # fmt: skip


def test_lookups_that_bypass_the_application_are_recorded_alike(service: Service, settings: Settings) -> None:
    with service.admitted() as connection:
        connection.sendall(service.store.lookup(FOUND, "X-Request-Id: a-1"))
        assert answer_on(connection).status == 200
    assert CountingProtocol.answered == 1
    eventually(lambda: records_in(settings)[-1]["requestId"] == "a-1")  # it is written after the answer
    by_application, on_connection = records_in(settings)[-2:]
    assert on_connection.pop("requestId") == "a-1"
    for record in (by_application, on_connection):
        record.pop("requestId", None)
        record.pop("time")
    assert on_connection == by_application
    assert len(on_connection["profiles"]) == 1


def test_all_profile_ids_of_documented_answers_are_found() -> None:
    app = create_app(load_settings(database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    examples = [
        each["value"]
        for methods in app.openapi()["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        for content in answer.get("content", {}).values()
        for each in (content.get("examples") or {"": {"value": content.get("example")}}).values()
        if status.startswith("2")
    ]
    with_profiles = [each for each in examples if PROFILE_ID.search(json.dumps(each))]
    assert len(with_profiles) > 8
    for example in with_profiles:
        assert set(profile_ids_in(json.dumps(example).encode())) == set(PROFILE_ID.findall(json.dumps(example)))


def test_what_looks_like_an_id_among_traits_is_none() -> None:
    traits = {"Contact": {"id": "mem_profile_00000000000000000000000000"}}
    assert profile_ids_in(json.dumps({"traits": traits, "normalizedValue": "x"}).encode()) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_written_ends_the_service_in_one_line(
    database_url: str, tmp_path: Path, workers: int
) -> None:
    done = command(
        "serve", "--port", "0", DATABASE_URL=database_url, DATA_DIR=tmp_path, WORKERS=workers, AUDIT=True,
        AUDIT_FILE=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"profile-lookup: {tmp_path}: Is a directory\n"


def test_a_sample_records_a_share_of_requests(tmp_path: Path) -> None:
    with closing(AuditLog(tmp_path / "audit", 0.5)) as audit:
        assert 300 < sum(audit.chooses() for _ in range(1000)) < 700


def test_a_file_that_was_renamed_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with closing(AuditLog(path, 1)) as audit:
        audit.write({"number": 1})
        path.rename(tmp_path / "audit.1")
        audit.write({"number": 2})
    assert json.loads(path.read_text())["number"] == 2
    assert path.stat().st_mode & 0o077 == 0


def test_a_line_is_lost_and_counted_if_the_file_cannot_be_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with closing(AuditLog(path, 1)) as audit:
        path.rename(tmp_path / "audit.1")
        path.mkdir()
        before = AUDIT_LINES_LOST.counts[()]
        audit.write({"number": 1})
        assert AUDIT_LINES_LOST.counts[()] == before + 1
        path.rmdir()
        audit.write({"number": 2})
    assert json.loads(path.read_text())["number"] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_line_is_lost_and_counted_if_the_disk_is_full() -> None:
    with closing(AuditLog(Path("/dev/full"), 1)) as audit:
        before = AUDIT_LINES_LOST.counts[()]
        audit.write({"number": 1})
        assert AUDIT_LINES_LOST.counts[()] == before + 1


async def test_pages_of_the_console_are_recorded_with_what_they_show(
    app: FastAPI, client: httpx.AsyncClient, account: tuple[str, str], settings: Settings
) -> None:
    store_id = await make_store(client)
    ann = await make_profile(client, store_id, firstName="Ann", phone=PHONE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as visitor:
        form = {"token": token_in(await visitor.get("/console/sign-in")), "sid": account[0], "secret": account[1]}
        assert (await visitor.post("/console/sign-in", data=form)).status_code == 303
        page = await visitor.get(f"/console/stores/{store_id}")
        found = await visitor.post(f"/console/stores/{store_id}", data={"token": token_in(page), "value": PHONE})
        assert ann in found.text
        await visitor.get(f"/console/stores/{store_id}/profiles/{ann}")
    *_, look_up, person = records_in(settings)
    assert (look_up["operation"], look_up["caller"], look_up["profiles"]) == ("console.look_up", account[0], [ann])
    assert (person["operation"], person["caller"], person["profiles"]) == ("console.person_page", account[0], [ann])
    assert not any(value in json.dumps(records_in(settings)) for value in (PHONE, account[1], "Ann"))
